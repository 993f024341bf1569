/* The sessions that this gateway owns by lease, and the engines that it has. */
#ifndef WA_GATEWAY_SESSION_SET_H
#define WA_GATEWAY_SESSION_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "services/gateway/session.h"

struct gateway;
struct session_set;

struct session_set *session_set_new(
	struct gateway *gateway); /* starts the engines' shared parts, and holding leases */
void session_set_free(struct session_set **set);
/* The engine of that name, and what its sessions share; NULL when there is none. */
const struct engine_kind *session_set_kind(
	const struct session_set *set, struct strview name, void **ret_shared);
struct session *session_set_find(
	const struct session_set *set, int32_t session_id); /* may be NULL */
bool session_set_owns(const struct session_set *set, int32_t session_id,
	int64_t epoch); /* and by our clock the lease stands */
/* Tell an engine that what its token stands for is committed; nothing happens when that session's
 * time is over. */
void session_set_acknowledge(
	struct session_set *set, int32_t session_id, int64_t epoch, int64_t token);
int session_set_count(const struct session_set *set);
int session_set_open_ids(const struct session_set *set, int64_t *ret_ids, int max); /* how many */
/* Of those, the ones that a person can pair now. */
int session_set_pairable_ids(const struct session_set *set, int64_t *ret_ids, int max);
/* Take no new work, let what is in flight end, close every engine; gained sessions are not taken up
 * any more. */
void session_set_wind_down(struct session_set *set, int64_t patience_ms);
void session_set_poke(struct session_set
		*set); /* something ended: perhaps the last of a session that winds down */
/* For session.c: it has ended and may be given back. Frees it. */
void session_set_released(struct session_set *set, struct session *session);

#endif
