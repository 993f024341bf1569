/*
 * What the parts of the stream reader share:
 *   stream_reader.c    the contract, the set of streams, when what is read
 *   stream_read.c      reads what is new and hands out entries
 *   stream_catch_up.c  makes groups, reads what was handed out before and not acknowledged
 *   stream_ack.c       acknowledges
 */
#ifndef WA_IO_STREAM_INTERNAL_H
#define WA_IO_STREAM_INTERNAL_H

#include "common/base/pool.h"
#include "common/io/stream_ids.h"
#include "common/io/stream_reader.h"

#define STREAM_CONSUMER     "owner"
#define STREAM_MAX_BLOCK_MS 250 /* after which a change of the set of streams takes effect */
#define STREAM_DEADLINE_MS  3000
#define STREAM_RETRY_MS     1000 /* after Redis refused something */
#define STREAM_LATE_PASS_MS 500  /* more than STREAM_MAX_BLOCK_MS and what Redis adds to it */
#define STREAM_N_BUCKETS    256

enum stream_phase {
	STREAM_REMOVED,  /* not read any more; kept until its last commands are through */
	STREAM_UNSURE,   /* its group may be missing: to be made */
	STREAM_CATCH_UP, /* what was handed out and not acknowledged is read, page by page */
	STREAM_LIVE,     /* what is new is read */
};

struct stream {
	struct stream_reader *reader;
	struct stream *next; /* in the reader's list */
	struct stream *next_in_bucket;
	char *name;
	int tag;
	enum stream_phase phase;
	int generation;    /* how often it was added: answers to an earlier time are dropped */
	bool has_group;    /* its group was there when we last looked */
	bool is_caught_up; /* all that an earlier owner left was handed out */
	int64_t retry_ms;  /* UNSURE: not before this time */
	/* LIVE: when to look once more for entries that were sent to a reader which no longer
	   listens: the last owner's, or our own on a connection that broke; Redis lets its blocked
	   XREADGROUP go on for up to STREAM_MAX_BLOCK_MS. 0: never. */
	int64_t late_pass_ms;
	bool is_late_pass;       /* CATCH_UP: this is that look */
	struct stream_id cursor; /* CATCH_UP: last id that was looked at */
	int page;                /* CATCH_UP: most entries asked for at once */
	bool is_last_page;
	struct stream_id_list claimed; /* the page's entries that we asked for, */
	struct stream_id_list counts;  /* and how often each was delivered before (in .number) */
	int n_commands;                /* on the read connection, unanswered */
	int sent_generation;           /* of the stream when they were sent */
	struct stream_ids ids;         /* in hand or acknowledged */
	int n_in_hand;
	struct stream_id_list acks;   /* to be sent */
	struct stream_id_list acking; /* sent */
};

/* A stream in the XREADGROUP that is out. */
struct stream_reading {
	struct stream *stream;
	int generation;
};

struct stream_reader {
	struct loop *loop;
	struct stream_reader_options options;
	char *group;
	struct stream_reader_events events;
	void *ctx;
	struct redis_conn *read_conn;
	struct redis_conn *ack_conn;
	bool was_told, told_up;
	bool is_paused;
	struct stream *streams;
	struct stream *buckets[STREAM_N_BUCKETS];
	int n_unacked; /* sum of n_in_hand */
	int n_commands;                 /* on the read connection, unanswered */
	struct stream_reading *reading; /* in the order of the XREADGROUP that is out */
	int n_reading, cap_reading;
	bool is_acking;           /* a transaction is out */
	struct loop_turn *turn;   /* what to do next is decided at the end of a turn */
	struct loop_timer *timer; /* wakes the turn when nothing is out that would */
	struct loop_turn *ack_turn;
	struct loop_timer *ack_timer; /* tries refused acknowledgements again */
	struct pool *scratch;         /* arguments of the command that is being put together */
	bool *is_freed;               /* set by stream_reader_free() for the callers of callbacks */
};

/* stream_reader.c */
struct stream *stream_find(const struct stream_reader *reader, const char *name);
void stream_set_phase(struct stream *stream, enum stream_phase phase);
/* Its group may be missing. Make sure of it after delay_ms. */
void stream_doubt(struct stream *stream, int64_t delay_ms);
/* The stream's entries are no more in Redis, or no more ours. */
void stream_forget_in_hand(struct stream *stream);

/* stream_read.c */
/* Ask for what is new, with up to count entries a stream; returns whether there was a stream to ask
 * for. */
bool stream_read_send(struct stream_reader *reader, int count, bool block);
/* Hand out one entry ([id, [field, value, …]]) unless it is in hand already. False: the reader was
 * freed. */
bool stream_hand_out(
	struct stream *stream, const struct redis_reply *entry, int deliveries, bool *ret_was_new);

/* stream_catch_up.c */
void stream_group_send(struct stream *stream);
void stream_pending_send(struct stream *stream, int count);

/* stream_ack.c */
void stream_ack_push(struct stream *stream, struct stream_id id);
void stream_ack_on_turn(void *reader);

#endif
