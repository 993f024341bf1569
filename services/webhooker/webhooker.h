/* The one struct of the process, shared by the files that put it together (webhooker.c), take in
   what its parts tell (webhooker_events.c), turn its wheel (webhooker_pump.c) and show how it is
   (webhooker_health.c). Nobody else includes it. */
#ifndef WA_WEBHOOKER_WEBHOOKER_H
#define WA_WEBHOOKER_WEBHOOKER_H

#include "common/daemon/daemon.h"
#include "services/webhooker/delivery_prepare.h"
#include "services/webhooker/delivery_send.h"
#include "services/webhooker/endpoint_close.h"
#include "services/webhooker/event_intake.h"
#include "services/webhooker/generation_watch.h"
#include "services/webhooker/janitor.h"
#include "services/webhooker/open_sweep.h"
#include "services/webhooker/partition_owner.h"
#include "services/webhooker/webhooker_metrics.h"

enum webhooker_phase {
	WEBHOOKER_RUNNING,
	WEBHOOKER_DRAINING, /* SIGTERM came: what is in flight ends */
	WEBHOOKER_LEAVING,  /* leases are being given back */
};

struct webhooker {
	struct daemon *daemon;
	struct loop *loop;
	enum webhooker_phase phase;
	struct secret_box *box;
	struct media_links *links;
	struct url_guard *guard;
	struct pg_conn *lease_conn; /* of its own: heartbeats wait for nothing */
	struct redis_conn *redis;
	struct http_client *http;
	struct webhooker_store *store;
	struct delivery_queue *queue;
	struct endpoint_set *endpoints;
	struct endpoint_close *close;
	struct partition_owner *owner;
	struct event_intake *intake;
	struct generation_watch *generation;
	struct open_sweep *sweep;
	struct delivery_hands *hands;
	struct delivery_trial *trial;
	struct delivery_prepare *prepare;
	struct delivery_record *record;
	struct delivery_send *send;
	struct janitor *janitor;
	struct webhooker_metrics *metrics;
	struct loop_turn *pump_turn;
	struct loop_timer *pump_timer;
	struct loop_timer *health_timer;
	struct loop_timer *drain_timer;
	struct health_part *health_postgres;
	struct health_part *health_redis;
	struct health_part *health_leases;
	bool is_reader_up;
	bool is_loaded[EVENT_PARTITIONS]; /* a partition opens when both are true */
	bool is_asked[EVENT_PARTITIONS];
};

/* What the parts tell: callbacks, with the struct webhooker as ctx. */
void webhooker_on_event(void *ctx, int partition, const struct event_entry *entry);
enum delivery_intake webhooker_on_row(void *ctx, const struct delivery_facts *facts);
void webhooker_on_entries_lost(void *ctx, int partition);
void webhooker_on_generation_lost(void *ctx);
void webhooker_on_partition_gained(void *ctx, int partition);
void webhooker_on_partition_loaded(void *ctx, int partition);
void webhooker_on_hands_asked(void *ctx, int partition);
void webhooker_on_unclaimed(void *ctx, const struct delivery *delivery);
void webhooker_on_partition_open(void *ctx, int partition);
void webhooker_on_partition_closing(void *ctx, int partition);
void webhooker_on_partition_dropped(void *ctx, int partition);
int webhooker_on_partitions_asked(void *ctx, int64_t ret_partitions[]);
int64_t webhooker_on_epoch_asked(void *ctx, int partition);
int64_t webhooker_on_look_back_asked(void *ctx, int partition);
void webhooker_on_endpoint_change(void *ctx, int32_t webhook_id, enum outlet_state state);
void webhooker_on_attempt_end(void *ctx, const struct store_end *end);
void webhooker_on_change(void *ctx); /* something may be started, or is done */

/* The wheel. */
void webhooker_pump(void *ctx);
void webhooker_on_pump_timer(void *ctx);
void webhooker_on_drain_timer(void *ctx);
void webhooker_drain(void *service);
void webhooker_drop_all(
	struct webhooker *webhooker); /* everything in memory; POSTs are broken off */

/* Health and figures. */
void webhooker_on_postgres_change(void *ctx, bool up, const struct err *err);
void webhooker_on_reader_change(void *ctx, bool up, const struct err *err);
void webhooker_on_redis_change(void *ctx, bool up, const struct err *err);
void webhooker_on_health_timer(void *ctx);
double webhooker_gauge_value(void *ctx, enum webhooker_gauge which);

#define WEBHOOKER_HEALTH_EVERY_MS 500

#endif
