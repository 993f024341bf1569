/* Which partition a conversation or a contact's events belong to. Stored with rows: these functions
   never change. */
#ifndef WA_MODEL_PARTITION_H
#define WA_MODEL_PARTITION_H

#include <stdint.h>

#include "common/base/strview.h"

#define OUTBOUND_PARTITIONS 32
#define EVENT_PARTITIONS    32

/* sv_hash(phone) mixed with session_id, mod 32. */
int partition_of_conversation(int32_t session_id, struct strview phone);
/* contact_id mod 32; the same as event_partition() of deploy/sql. */
int partition_of_contact(int32_t contact_id);

#endif
