/* The end of a gateway: sessions wind down, leases go back, the process may leave. */
#ifndef WA_GATEWAY_DRAIN_H
#define WA_GATEWAY_DRAIN_H

struct gateway;
struct drain;

struct drain *drain_new(struct gateway *gateway);
void drain_free(struct drain **drain);
void drain_start(struct drain *drain); /* SIGTERM came */
void drain_look(struct drain *drain);  /* a session has gone: perhaps the last; drain may be NULL */

#endif
