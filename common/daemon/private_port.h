/* The port for operators: /metrics, /live and /ready. */
#ifndef WA_DAEMON_PRIVATE_PORT_H
#define WA_DAEMON_PRIVATE_PORT_H

#include "common/base/err.h"
#include "common/daemon/health.h"
#include "common/daemon/metrics.h"
#include "common/io/http_server.h"

struct private_port;

/* health and metrics are borrowed. */
struct private_port *private_port_new(struct loop *loop, const char *address, int port,
	const struct health *health, struct metrics *metrics, struct err *err);
int private_port_number(const struct private_port *private_port);
void private_port_free(struct private_port **private_port);

#endif
