/*
 * How many open messages a tenant has, known well enough to refuse more of them: counted in
 * Postgres at most once a second (less often while far from the cap, the less the longer a count
 * takes), what this process accepted since added. So a tenant may exceed its cap by what all processes accept within a second, never
 * by more, and nobody waits for a count.
 */
#ifndef WA_API_BACKLOG_H
#define WA_API_BACKLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "services/api/api_store.h"

struct backlog;

struct backlog *backlog_new(struct api_store *store, int64_t default_cap);
void backlog_free(struct backlog **backlog);
/* May this tenant have one more? cap -1: the deployment's. Starts a count when one is due. */
bool backlog_admits(struct backlog *backlog, int32_t tenant_id, int64_t cap);
/* One more was accepted. */
void backlog_note(struct backlog *backlog, int32_t tenant_id);

#endif
