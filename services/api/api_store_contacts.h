/* Contacts and their numbers. An erased contact is never found. */
#ifndef WA_API_STORE_CONTACTS_H
#define WA_API_STORE_CONTACTS_H

#include "services/api/api_store.h"

#define CONTACT_MAX_NUMBERS 20

struct store_contact {
	int32_t id;
	int32_t tenant_id;
	struct strview first_name; /* texts: SV_NULL when not set */
	struct strview last_name;
	struct strview email;
	struct strview metadata; /* JSON text */
	int n_numbers;
	const struct strview *numbers; /* the first is the one that messages go to */
	int64_t created_at;
	int64_t updated_at;
};

/* Fails on constraint contact_numbers_pkey when the tenant already has one of the numbers. Two
 * statements. */
void store_contact_add(struct store_tx *tx, const struct store_contact *contact);
/* Newest first; after: 0, or the last id of the page before. */
void store_contact_list(struct api_store *store, int32_t tenant_id, int32_t after, int limit,
	pg_done_fn fn, void *ctx);
void store_contact_get(
	struct api_store *store, int32_t tenant_id, int32_t id, pg_done_fn fn, void *ctx);
/* The contacts that have one of these numbers: one, several, or none. */
void store_contact_of_numbers(struct api_store *store, int32_t tenant_id,
	const struct strview *numbers, int n_numbers, pg_done_fn fn, void *ctx);
/* Which members a change is about. */
struct store_contact_set {
	bool first_name;
	bool last_name;
	bool email;
	bool metadata;
	bool numbers; /* all of them are replaced */
};
/* Up to three statements; they change nothing when there is no such contact. Constraint as in
 * store_contact_add(). */
void store_contact_change(struct store_tx *tx, const struct store_contact *contact,
	const struct store_contact_set *set);
/* Texts are copied into pool. */
struct store_contact store_contact_at(const struct pg_result *result, int row, struct pool *pool);

#endif
