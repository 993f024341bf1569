/* What goes into a claim and what comes out of it. */
#ifndef WA_GATEWAY_CLAIM_ENTRY_H
#define WA_GATEWAY_CLAIM_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/strview.h"
#include "common/model/message.h"

struct claim_entry { /* what a dispatch asks for, and by which right */
	struct strview message_id;
	int attempt; /* attempts made before this one */
	int partition;
	int64_t partition_epoch;
	int32_t session_id;
	int64_t session_epoch;
};

struct claimed { /* a row that the claim moved to `sending`: views live as long as the result */
	struct strview message_id;
	struct strview wa_message_id;
	struct strview phone;
	struct strview body;
	struct strview caption;
	struct strview filename;
	struct strview media_sha256;
	int32_t tenant_id;
	int32_t session_id;
	int partition;
	int64_t queue_seq;
	enum message_type type;
	int attempts; /* this one included */
	bool ever_unknown;
	bool alone;
};

#endif
