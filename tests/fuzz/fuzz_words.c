/* Ids and the words of the protocols: what is taken for one is written the same again. */
#include <string.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/io/stream_ids.h"
#include "common/model/event_type.h"
#include "common/model/id.h"
#include "common/model/message.h"
#include "common/model/permission.h"
#include "services/gateway/session_state.h"
#include "tests/fuzz/fuzz.h"

static void check_ids(struct strview text)
{
	char event[ID_SIZE];
	char entry[STREAM_ID_SIZE];
	struct stream_id id, again;
	int64_t sequence;

	if (id_is("msg", text))
		ASSERT(text.len < ID_SIZE && sv_starts_with(text, "msg_") && sv_is_utf8(text));
	if (id_parse_event(text, &sequence) == 0) {
		id_of_event(sequence, event);
		ASSERT(sv_eq_cstr(text, event));
	}
	if (stream_id_parse(text, &id) == 0) {
		stream_id_format(id, entry);
		ASSERT(stream_id_parse(sv_from(entry), &again) == 0);
		ASSERT(again.ms == id.ms && again.number == id.number);
	}
}

static void check_words(struct strview text)
{
	enum event_type event;
	enum message_type type;
	enum message_status status;
	enum permission permission;
	enum session_state state;
	enum log_level level;

	if (event_type_parse(text, &event) == 0)
		ASSERT(sv_eq_cstr(text, event_type_name(event)));
	if (message_type_parse(text, &type) == 0)
		ASSERT(sv_eq_cstr(text, message_type_name(type)));
	if (message_status_parse(text, &status) == 0)
		ASSERT(sv_eq_cstr(text, message_status_name(status)));
	if (permission_parse(text, &permission) == 0)
		ASSERT(sv_eq_cstr(text, permission_name(permission)));
	if (session_state_parse(text, &state) == 0)
		ASSERT(sv_eq_cstr(text, session_state_name(state)));
	if (log_level_parse(text, &level) == 0)
		ASSERT(level >= LOG_LEVEL_DEBUG && level <= LOG_LEVEL_ERROR);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	check_ids(sv_make(data, size_bytes));
	check_words(sv_make(data, size_bytes));
	return 0;
}
