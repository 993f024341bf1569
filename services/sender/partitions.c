/* What is ours, since when, and what that sets going. */
#include "services/sender/partitions.h"

#include <stdio.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/model/stream_codec.h"

enum partition_state {
	PARTITION_AWAY,
	PARTITION_LOADING, /* being read from Postgres; what was read may be dispatched */
	PARTITION_OPEN,    /* its streams are read */
};

struct partition {
	enum partition_state state;
	int64_t epoch;
	char outbound[STREAM_NAME_SIZE];
	char outcome[STREAM_NAME_SIZE];
};

struct partitions {
	struct partitions_parts parts;
	const char *owner;
	bool is_closed;
	struct partition all[OUTBOUND_PARTITIONS];
	int64_t ids[OUTBOUND_PARTITIONS]; /* of the last partitions_ownership() */
	int64_t epochs[OUTBOUND_PARTITIONS];
};

struct partitions *partitions_new(const char *owner)
{
	struct partitions *partitions = mem_new(struct partitions);
	partitions->owner = owner;
	for (int p = 0; p < OUTBOUND_PARTITIONS; p++) {
		stream_name_outbound(p, partitions->all[p].outbound);
		stream_name_outcome(p, partitions->all[p].outcome);
	}
	return partitions;
}

void partitions_set_parts(struct partitions *partitions, const struct partitions_parts *parts)
{
	partitions->parts = *parts;
}

void partitions_free(struct partitions **partitions)
{
	mem_free(*partitions);
	*partitions = NULL;
}

void partitions_gained(struct partitions *partitions, int partition, int64_t epoch)
{
	if (partitions->is_closed) {
		return;
	}
	struct partition *p = &partitions->all[partition];
	log_info("partition_gained", log_int("partition", partition), log_int("epoch", epoch));
	p->state = PARTITION_LOADING;
	p->epoch = epoch;
	head_sweep_want(partitions->parts.sweep, partition);
}

void partitions_scanned(struct partitions *partitions, int partition)
{
	struct partition *p = &partitions->all[partition];
	if (p->state != PARTITION_LOADING) {
		return;
	}
	log_debug("partition_loaded", log_int("partition", partition),
		log_int("conversations",
			send_queue_conversations(partitions->parts.queue, partition)));
	p->state = PARTITION_OPEN;
	stream_reader_add(partitions->parts.reader, p->outbound, PARTITIONS_TAG(partition, false));
	stream_reader_add(partitions->parts.reader, p->outcome, PARTITIONS_TAG(partition, true));
}

static const char *loss_name(enum lease_loss why)
{
	switch (why) {
	case LEASE_EXPIRED:
		return "expired";
	case LEASE_SURPLUS:
		return "surplus";
	case LEASE_DELETED:
		return "deleted";
	}
	return "unknown";
}

void partitions_lost(struct partitions *partitions, int partition, enum lease_loss why)
{
	struct partition *p = &partitions->all[partition];
	if (p->state != PARTITION_AWAY) {
		log_info("partition_lost", log_int("partition", partition),
			log_int("epoch", p->epoch), log_text("why", loss_name(why)));
		p->state = PARTITION_AWAY;
		stream_reader_remove(partitions->parts.reader, p->outbound);
		stream_reader_remove(partitions->parts.reader, p->outcome);
		head_sweep_drop(partitions->parts.sweep, partition);
		send_queue_drop_partition(partitions->parts.queue, partition);
	}
	if (why == LEASE_SURPLUS) {
		/* Nothing has to be wound down: what is dispatched and not claimed is refused by
		   its epoch. */
		lease_release(partitions->parts.leases, partition);
	}
}

void partitions_doubt(struct partitions *partitions, int partition)
{
	send_queue_doubt(partitions->parts.queue, partition);
	for (int p = 0; p < OUTBOUND_PARTITIONS; p++) {
		if (partitions->all[p].state != PARTITION_AWAY &&
			(partition < 0 || p == partition)) {
			head_sweep_want(partitions->parts.sweep, p);
		}
	}
}

bool partitions_is_ours(const struct partitions *partitions, int partition)
{
	return partitions->all[partition].state != PARTITION_AWAY;
}

bool partitions_may_dispatch(const struct partitions *partitions, int partition)
{
	return partitions_is_ours(partitions, partition) && !partitions->is_closed &&
	       lease_is_held(partitions->parts.leases, partition) &&
	       lease_epoch(partitions->parts.leases, partition) == partitions->all[partition].epoch;
}

int64_t partitions_epoch(const struct partitions *partitions, int partition)
{
	return partitions->all[partition].epoch;
}

int partitions_count(const struct partitions *partitions)
{
	int n = 0;
	for (int p = 0; p < OUTBOUND_PARTITIONS; p++) {
		n += partitions_is_ours(partitions, p);
	}
	return n;
}

struct store_ownership partitions_ownership(struct partitions *partitions)
{
	int n = 0;
	for (int p = 0; p < OUTBOUND_PARTITIONS; p++) {
		if (partitions_is_ours(partitions, p)) {
			partitions->ids[n] = p;
			partitions->epochs[n] = partitions->all[p].epoch;
			n++;
		}
	}
	return (struct store_ownership){partitions->owner, partitions->ids, partitions->epochs, n};
}

void partitions_close(struct partitions *partitions)
{
	partitions->is_closed = true;
}
