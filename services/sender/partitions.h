/*
 * The partitions that this process owns. A gained one is first read from Postgres, then its streams
 * are read; a lost one is forgotten at once.
 */
#ifndef WA_SENDER_PARTITIONS_H
#define WA_SENDER_PARTITIONS_H

#include "common/io/lease.h"
#include "common/io/stream_reader.h"
#include "common/model/partition.h"
#include "services/sender/head_sweep.h"

struct partitions;

struct partitions_parts { /* all borrowed */
	struct lease_set *leases;
	struct stream_reader *reader;
	struct send_queue *queue;
	struct head_sweep *sweep;
};

/* Stream tags: which partition, and whether it is its outcomes. */
#define PARTITIONS_TAG(partition, is_outcome) (2 * (partition) + ((is_outcome) ? 1 : 0))
#define PARTITIONS_TAG_PARTITION(tag)         ((tag) / 2)
#define PARTITIONS_TAG_IS_OUTCOME(tag)        ((tag) % 2 == 1)

struct partitions *partitions_new(const char *owner);
void partitions_set_parts(struct partitions *partitions, const struct partitions_parts *parts);
void partitions_free(struct partitions **partitions);
void partitions_gained(struct partitions *partitions, int partition, int64_t epoch);
void partitions_lost(struct partitions *partitions, int partition, enum lease_loss why);
void partitions_scanned(struct partitions *partitions, int partition); /* of head_sweep */
/* Redis lost a partition's streams (-1: all): reread everything, what was dispatched as well. */
void partitions_doubt(struct partitions *partitions, int partition);
bool partitions_is_ours(const struct partitions *partitions, int partition);
/* Ours by our own clock at this moment: what follows may be dispatched under partitions_epoch(). */
bool partitions_may_dispatch(const struct partitions *partitions, int partition);
int64_t partitions_epoch(const struct partitions *partitions, int partition);
int partitions_count(const struct partitions *partitions);
/* Lists what is ours, for statements that check it; valid until the next change. */
struct store_ownership partitions_ownership(struct partitions *partitions);
void partitions_close(
	struct partitions *partitions); /* shutdown: nothing is gained or dispatched any more */

#endif
