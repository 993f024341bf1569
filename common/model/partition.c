/* Placement of conversations and contacts. */
#include "common/model/partition.h"

int partition_of_conversation(int32_t session_id, struct strview phone)
{
	/* The low bits of FNV-1a see little of the last characters, so all is mixed once more
	 * (MurmurHash3's finalizer). */
	uint64_t hash = sv_hash(phone) ^ ((uint64_t)(uint32_t)session_id * 0x9e3779b97f4a7c15ULL);
	hash ^= hash >> 33;
	hash *= 0xff51afd7ed558ccdULL;
	hash ^= hash >> 33;
	hash *= 0xc4ceb9fe1a85ec53ULL;
	hash ^= hash >> 33;
	return (int)(hash % OUTBOUND_PARTITIONS);
}

int partition_of_contact(int32_t contact_id)
{
	return contact_id > 0 ? contact_id % EVENT_PARTITIONS : 0;
}
