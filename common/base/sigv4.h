/*
 * AWS Signature Version 4 for requests to S3 and what speaks like it: header authentication, the
 * whole payload hashed ("Authenticating Requests: Using the Authorization Header" in the API
 * reference of Amazon S3). Signed are Host, x-amz-content-sha256 and x-amz-date. Pure.
 */
#ifndef WA_BASE_SIGV4_H
#define WA_BASE_SIGV4_H

#include <stdint.h>

#include "common/base/strbuf.h"

#define SIGV4_DATE_SIZE 17 /* "20260101T000000Z" and a NUL */

/* The hash of nothing: the payload of GET and DELETE. */
#define SIGV4_EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct sigv4_request {
	const char *method;
	const char *host;           /* as in the Host header */
	const char *path;           /* of unreserved characters and '/' only; no query */
	const char *payload_sha256; /* hex */
	const char *region;
	const char *access_key;
	const char *secret_key;
	int64_t now_wall_ms;
};

/* The values of x-amz-date and Authorization; the second is appended to out. */
void sigv4_sign(
	const struct sigv4_request *request, char ret_date[SIGV4_DATE_SIZE], struct strbuf *out);

#endif
