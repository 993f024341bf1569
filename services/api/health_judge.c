/* Judges what was found. */
#include "services/api/health_judge.h"

const char *health_status_name(enum health_status status)
{
	static const char *const names[] = {
		[HEALTH_OK] = "ok", [HEALTH_DEGRADED] = "degraded", [HEALTH_DOWN] = "down"};
	return names[status];
}

static enum health_status worse(enum health_status a, enum health_status b)
{
	return a > b ? a : b;
}

static struct json *part_new(enum health_status status, const char *detail)
{
	struct json *part = json_new_object();
	json_set_cstr(part, "status", health_status_name(status));
	if (detail != NULL)
		json_set_cstr(part, "detail", detail);
	return part;
}

/* All of the leases are held, some (those of one that died are being taken over), or none. */
static enum health_status leases_judge(int64_t held, int64_t all)
{
	if (all > 0 && held >= all)
		return HEALTH_OK;
	return held > 0 ? HEALTH_DEGRADED : HEALTH_DOWN;
}

static enum health_status gateway_judge(const struct health_found *found)
{
	int n_led = 0;
	for (int i = 0; i < found->n_sessions; i++)
		n_led += found->sessions[i].is_led;
	return leases_judge(n_led, found->n_sessions);
}

/* A session can send when it is connected and somebody runs it: a state is only as true as the
 * gateway that wrote it. */
static enum health_status sessions_judge(const struct health_found *found, struct json *list)
{
	int n_good = 0;
	for (int i = 0; i < found->n_sessions; i++) {
		const struct health_session *session = &found->sessions[i];
		bool is_good = session->is_connected && session->is_led;
		struct json *item = part_new(is_good ? HEALTH_OK : HEALTH_DOWN, NULL);
		n_good += is_good;
		json_set_int(item, "session_id", session->id);
		json_set_cstr(item, "state", session->state);
		json_push(list, item);
	}
	return leases_judge(n_good, found->n_sessions);
}

/* What cannot be known without Postgres is not claimed. */
static void judge_leased(const struct health_found *found, struct json *parts,
	struct json *sessions, enum health_status *status)
{
	enum health_status sender = leases_judge(found->partitions_held, found->partitions);
	enum health_status webhooker = leases_judge(found->events_held, found->events);
	enum health_status gateway = gateway_judge(found);
	static const char nobody[] = "no process of it is alive";
	static const char partly[] = "a part of its work is being taken over";

	json_set(parts, "sender",
		part_new(sender, sender == HEALTH_OK     ? NULL
				 : sender == HEALTH_DOWN ? nobody
							 : partly));
	json_set(parts, "gateway",
		part_new(gateway, gateway == HEALTH_OK     ? NULL
				  : gateway == HEALTH_DOWN ? nobody
							   : partly));
	/* Without a webhooker messages leave all the same. */
	json_set(parts, "webhooker",
		part_new(webhooker, webhooker == HEALTH_OK     ? NULL
				    : webhooker == HEALTH_DOWN ? nobody
							       : partly));
	*status = worse(*status, sender);
	*status = worse(*status, gateway);
	*status = worse(*status, webhooker == HEALTH_OK ? HEALTH_OK : HEALTH_DEGRADED);
	*status = worse(*status, sessions_judge(found, sessions));
}

struct json *health_judge(const struct health_found *found, enum health_status *ret_status)
{
	enum health_status status = HEALTH_OK;
	struct json *document = json_new_object();
	struct json *parts = json_new_object();
	struct json *sessions = json_new_array();

	json_set(parts, "postgres",
		part_new(found->postgres ? HEALTH_OK : HEALTH_DOWN,
			found->postgres ? NULL : "it does not answer"));
	json_set(parts, "redis",
		part_new(found->redis ? HEALTH_OK : HEALTH_DOWN,
			found->redis ? NULL : "it does not answer"));
	if (!found->postgres || !found->redis)
		status = HEALTH_DOWN;
	if (found->postgres)
		judge_leased(found, parts, sessions, &status);
	json_set_cstr(document, "status", health_status_name(status));
	json_set(document, "parts", parts);
	json_set(document, "sessions", sessions);
	*ret_status = status;
	return document;
}
