/* From what was found to "ok", "degraded" or "down", part by part. Pure. */
#ifndef WA_API_HEALTH_JUDGE_H
#define WA_API_HEALTH_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/json.h"
#include "common/base/strview.h"

#define HEALTH_MAX_SESSIONS 200

enum health_status { HEALTH_OK, HEALTH_DEGRADED, HEALTH_DOWN };

const char *health_status_name(enum health_status status);

struct health_session {
	int32_t id;
	bool is_connected;
	bool is_led; /* a gateway holds its lease */
	char state[16];
};

struct health_found {
	bool postgres;
	bool redis;
	/* The rest is known only with postgres. */
	int64_t partitions; /* leases of the senders, and how many are held */
	int64_t partitions_held;
	int64_t events; /* the webhookers' */
	int64_t events_held;
	int n_sessions;
	struct health_session sessions[HEALTH_MAX_SESSIONS];
};

/* The document, and its status. The caller owns the value. */
struct json *health_judge(const struct health_found *found, enum health_status *ret_status);

#endif
