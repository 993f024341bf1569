/*
 * Deletes from the object store what no media row names any more: files of people who were erased,
 * and objects of which nothing came. Every api does it; twice is harmless.
 */
#ifndef WA_API_MEDIA_SWEEP_H
#define WA_API_MEDIA_SWEEP_H

#include "common/io/object_store.h"
#include "services/api/api_store.h"

struct media_sweep;

/* Both stores are borrowed. */
struct media_sweep *media_sweep_new(
	struct loop *loop, struct api_store *store, struct object_store *objects);
/* Before the stores: what they still owe it is not waited for. */
void media_sweep_free(struct media_sweep **sweep);

#endif
