/*
 * Objects in S3 or what speaks like it: put, get and delete by name, signed with SigV4, path-style
 * (<endpoint>/<bucket>/<name>), on an http_client of its own.
 */
#ifndef WA_IO_OBJECT_STORE_H
#define WA_IO_OBJECT_STORE_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/base/strview.h"
#include "common/io/loop.h"

struct object_store;
struct object_call;

struct object_store_options {
	const char *endpoint; /* "https://s3.example" or "http://10.0.0.5:9000" */
	const char *bucket;
	const char *region;
	const char *access_key;
	const char *secret_key;
	int64_t timeout_ms; /* of each call, from its start to its last byte */
};

/* Names are of small letters, digits and "-._" and shorter than this. */
#define OBJECT_NAME_SIZE 128

/* NULL with err when an option makes no sense. Nothing is asked of the store yet. */
struct object_store *object_store_new(
	struct loop *loop, const struct object_store_options *options, struct err *err);
/* Wipes its keys; ends calls without their callbacks, which must be cancelled or forgotten. */
void object_store_free(struct object_store **store);

enum object_end {
	OBJECT_DONE,
	OBJECT_ABSENT, /* there is none of that name */
	OBJECT_FAILED, /* refused, late or away: err tells; whether it was done is not known */
};

struct object_answer { /* valid until the callback returns */
	enum object_end end;
	struct strview bytes; /* of a get */
	struct err err;
};

/* The call is gone when fn returns. Never called before the function that began it returns. */
typedef void (*object_fn)(void *ctx, const struct object_answer *answer);

/* sha256: of bytes, in hex. Bytes are copied. Putting again is harmless. */
struct object_call *object_put(struct object_store *store, const char *name, const char *sha256,
	struct strview bytes, object_fn fn, void *ctx);
/* FAILED when it has more than max_bytes. */
struct object_call *object_get(
	struct object_store *store, const char *name, int64_t max_bytes, object_fn fn, void *ctx);
/* size bytes from offset on, less when it ends before; none when it ends before offset.
 * FAILED when the store gives more. */
struct object_call *object_get_part(struct object_store *store, const char *name, int64_t offset,
	int64_t size, object_fn fn, void *ctx);
/* What was not there has been deleted too: DONE. */
struct object_call *object_delete(
	struct object_store *store, const char *name, object_fn fn, void *ctx);
void object_call_cancel(struct object_call **call); /* fn is not called */

#endif
