/* One key a note. */
#include "services/sender/held_notes.h"

#include <stdio.h>

#include "common/base/attr.h"
#include "common/base/clock.h"
#include "common/model/id.h"
#include "common/model/stream_codec.h"

#define DEADLINE_MS 2000
#define LINGER_MS   1500 /* past its time, until it is renewed or the message has gone */

#define KEY_SIZE (sizeof(STREAM_HELD_PREFIX) + ID_SIZE)

void held_note_set(
	struct redis_conn *redis, const char *message_id, enum held_reason reason, int64_t wait_ms)
{
	char key[KEY_SIZE];
	char value[64];
	char ttl[24];
	if (!redis_conn_is_up(redis)) {
		return;
	}
	(void)snprintf(key, sizeof(key), STREAM_HELD_PREFIX "%s", message_id);
	(void)snprintf(value, sizeof(value), "%s %lld", held_reason_name(reason),
		(long long)(clock_wall_ms() + wait_ms));
	(void)snprintf(ttl, sizeof(ttl), "%lld", (long long)(wait_ms + LINGER_MS));
	struct strview argv[] = {
		SV_LIT("SET"), sv_from(key), sv_from(value), SV_LIT("PX"), sv_from(ttl)};
	redis_conn_command(redis, (int)array_len(argv), argv, DEADLINE_MS, NULL, NULL);
}

void held_note_clear(struct redis_conn *redis, const char *message_id)
{
	char key[KEY_SIZE];
	(void)snprintf(key, sizeof(key), STREAM_HELD_PREFIX "%s", message_id);
	struct strview argv[] = {SV_LIT("DEL"), sv_from(key)};
	redis_conn_command(redis, (int)array_len(argv), argv, DEADLINE_MS, NULL, NULL);
}
