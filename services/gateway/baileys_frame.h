/*
 * Frames between the gateway and its Baileys worker: a 4-byte big-endian length and a msgpack
 * array, kind first. docs/engine-baileys.md tells what each kind and each element means. Pure;
 * total on garbage: a worker is not trusted more than the network.
 */
#ifndef WA_GATEWAY_BAILEYS_FRAME_H
#define WA_GATEWAY_BAILEYS_FRAME_H

#include <stdint.h>

#include "common/base/attr.h"
#include "common/base/err.h"
#include "common/base/pool.h"
#include "common/base/strbuf.h"

#define BAILEYS_VERSION        2
#define BAILEYS_FRAME_HEAD     4
#define BAILEYS_FRAME_MAX      4194304
#define BAILEYS_NAMES_MAX      1000
#define BAILEYS_CHANGES_MAX    5000
#define BAILEYS_NAME_MAX_BYTES 512
#define BAILEYS_FIELDS_MAX     16

/* What the worker says. */
enum baileys_frame_kind {
	BAILEYS_READY,
	BAILEYS_HEARTBEAT,
	BAILEYS_FATAL,
	BAILEYS_LOG,
	BAILEYS_STATE,
	BAILEYS_CODE,
	BAILEYS_CLOSED,
	BAILEYS_KEYS_READ,
	BAILEYS_KEYS_COMMIT,
	BAILEYS_WIPE,
	BAILEYS_IS_KNOWN,
	BAILEYS_INBOUND,
	BAILEYS_RECEIPT,
	BAILEYS_ACKED,
	BAILEYS_FAILED,
	BAILEYS_GET_MESSAGE,
	BAILEYS_MEDIA_READ,
	BAILEYS_MEDIA_WRITE,
};

/* Places of the plain elements, for the kinds that have more than a line and a request. The line is
 * the first of all but those of the whole worker, a request or token the second. */
enum { BAILEYS_LINE = 0, BAILEYS_REQUEST = 1 };
enum { READY_VERSION = 0, READY_NODE = 1, READY_BAILEYS = 2 };
enum { HEARTBEAT_RSS = 0, HEARTBEAT_HEAP = 1, HEARTBEAT_LINES = 2, HEARTBEAT_LAG = 3 };
enum { FATAL_CODE = 0 };
enum { LOG_LINE = 0, LOG_LEVEL = 1, LOG_WHAT = 2 };
enum { STATE_STATE = 1, STATE_REASON = 2, STATE_PHONE = 3 };
enum { CODE_KIND = 1, CODE_TEXT = 2, CODE_VALID_MS = 3 };
enum { COMMIT_CREDS = 2 };
enum { KNOWN_WA_ID = 2, KNOWN_PHONE = 3 };
enum {
	INBOUND_WA_ID = 2,
	INBOUND_PHONE = 3,
	INBOUND_FROM_ME = 4,
	INBOUND_KIND = 5,
	INBOUND_AT_MS = 6,
	INBOUND_BODY = 7,
	INBOUND_FILENAME = 8,
	INBOUND_CONTENT_TYPE = 9,
	INBOUND_MEDIA = 10,
	INBOUND_TARGET = 11,
	INBOUND_QUOTED = 12,
	INBOUND_DETAIL = 13,
};
enum { RECEIPT_WA_ID = 2, RECEIPT_LEVEL = 3, RECEIPT_AT_MS = 4 };
enum { ACKED_WA_ID = 1, ACKED_AT_MS = 2 };
enum {
	FAILED_WA_ID = 1,
	FAILED_VERDICT = 2,
	FAILED_CODE = 3,
	FAILED_TEXT = 4,
	FAILED_LATER_MS = 5
};
enum { MESSAGE_WA_ID = 2 };
enum { MEDIA_READ_SHA256 = 2, MEDIA_READ_OFFSET = 3, MEDIA_READ_SIZE = 4 };
enum { MEDIA_WRITE_TYPE = 2, MEDIA_WRITE_BYTES = 3, MEDIA_WRITE_LAST = 4 };

struct baileys_field {
	int64_t number;
	struct strview text; /* texts are UTF-8 without NUL; bytes are anything; SV_NULL: nil */
};

struct baileys_change {
	struct strview name;
	struct strview value; /* SV_NULL: the key is to go */
};

struct baileys_frame {
	enum baileys_frame_kind kind;
	struct baileys_field fields[BAILEYS_FIELDS_MAX];
	struct strview *names; /* of KEYS_READ */
	int n_names;
	struct baileys_change *changes; /* of KEYS_COMMIT and INBOUND */
	int n_changes;
};

const char *baileys_frame_name(enum baileys_frame_kind kind);
/* The length in a frame's head, or -1 with err when no frame may be as long. */
int64_t baileys_frame_size(const uint8_t head[BAILEYS_FRAME_HEAD], struct err *err) MUST_CHECK;
/* What stands behind the head. Texts point into body, arrays are in pool. 0, or -1 with err (never
 * a value of it). */
int baileys_frame_parse(struct strview body, struct pool *pool, struct baileys_frame *ret_frame,
	struct err *err) MUST_CHECK;

/* Writing: begin, as many elements as were announced, end; into a buffer that may hold frames
 * already. */
struct baileys_writer {
	struct strbuf *out;
	size_t start;
	int left;
};
void baileys_write_begin(
	struct baileys_writer *writer, struct strbuf *out, const char *kind, int n_elements);
void baileys_write_int(struct baileys_writer *writer, int64_t number);
void baileys_write_text(struct baileys_writer *writer, struct strview text);   /* SV_NULL: nil */
void baileys_write_bytes(struct baileys_writer *writer, struct strview bytes); /* the same */
/* An element that is an array of bytes. */
void baileys_write_array(struct baileys_writer *writer, const struct strview *bytes, int n);
void baileys_write_end(struct baileys_writer *writer);

#endif
