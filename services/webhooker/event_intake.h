/*
 * Takes entries of events.{e} in: decodes them and puts what they wake into the delivery queue. An
 * entry is acknowledged when its deliveries lie in memory or are known to be left to Postgres. One
 * that cannot be decoded is set aside; one that two readers died of is taken in alone, and set
 * aside after two more deaths.
 */
#ifndef WA_WEBHOOKER_EVENT_INTAKE_H
#define WA_WEBHOOKER_EVENT_INTAKE_H

#include "common/io/stream_reader.h"
#include "common/model/stream_codec.h"
#include "services/webhooker/webhooker_store.h"

#define EVENT_ALONE_DELIVERIES     3
#define EVENT_SET_ASIDE_DELIVERIES 5

struct event_intake;

struct event_intake_options {
	struct loop *loop;
	struct webhooker_store *store;
	const char *redis_url;
	void (*on_event)(void *ctx, int partition, const struct event_entry *entry);
	void (*on_lost)(void *ctx, int partition); /* the stream was lost: reread the partition */
	void (*on_change)(void *ctx, bool up, const struct err *err); /* Redis */
	void *ctx;
};

struct event_intake *event_intake_new(const struct event_intake_options *options, struct err *err);
void event_intake_free(struct event_intake **intake);
void event_intake_add(struct event_intake *intake, int partition);
void event_intake_remove(struct event_intake *intake, int partition);
void event_intake_pause(struct event_intake *intake);          /* for good: the process is ending */
int64_t event_intake_count(const struct event_intake *intake); /* entries taken in */
int64_t event_intake_set_aside_count(const struct event_intake *intake);

#endif
