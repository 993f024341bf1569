/* The one struct of the gateway: its connections and its parts, as the parts see each other. */
#ifndef WA_GATEWAY_GATEWAY_H
#define WA_GATEWAY_GATEWAY_H

#include "common/base/schedule.h"
#include "common/daemon/daemon.h"
#include "common/io/lease.h"
#include "common/io/pg_conn.h"
#include "common/io/redis_conn.h"
#include "services/gateway/gateway_stats.h"

#define GATEWAY_RETRY_MS 250 /* before a statement that failed is tried again */
/* Attempts with the engines; claims wait while there are more. */
#define GATEWAY_MAX_IN_FLIGHT 4096
/* Receipts that wait for Postgres; nothing is claimed while there are more. */
#define GATEWAY_MAX_FACTS 20000

struct gateway {
	struct daemon *daemon;
	struct loop *loop;
	struct schedule retry_schedule;
	int64_t ack_timeout_ms;
	bool is_draining;
	/* Connections, each with its own order of statements, so that no lane waits for another. */
	struct pg_conn *lease_conn;
	struct pg_conn *claim_conn;
	struct pg_conn *progress_conn; /* receipts and attempts' ends */
	struct pg_conn *session_conn;  /* sessions' rows, incoming messages */
	struct pg_conn *media_conn;    /* a large file holds up nobody else */
	struct redis_conn *redis;
	struct stream_writer *writer;
	struct lease_set *leases;
	struct gateway_stats stats;
	struct health_part *postgres_health;
	struct health_part *redis_health;
	struct health_part *lease_health;
	struct loop_timer *health_timer;
	/* Parts. */
	struct publish *publish;
	struct session_set *sessions;
	struct in_flight *in_flight;
	struct claim *claim;
	struct dispatch_intake *intake;
	struct progress *progress;
	struct moves *moves;
	struct inbound *inbound;
	struct inbound_asides *asides;
	struct media_keeper *keeper;
	struct media *media;
	struct pairing *pairing;
	struct drain *drain;
};

#endif
