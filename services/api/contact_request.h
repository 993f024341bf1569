/* The bodies of POST /contacts and PATCH /contacts/{id} as structs. Pure. */
#ifndef WA_API_CONTACT_REQUEST_H
#define WA_API_CONTACT_REQUEST_H

#include <stdbool.h>

#include "common/base/json.h"
#include "services/api/api_store_contacts.h"
#include "services/api/field_errors.h"

/*
 * What was given is in ret_set; texts and numbers live as long as the JSON and the pool. In a
 * change an empty text takes a member away (SV_NULL). 0, or -1 with every mistake in errors.
 */
int contact_request_read(const struct json *body, bool is_new, struct pool *pool,
	struct field_errors *errors, struct store_contact *ret_contact,
	struct store_contact_set *ret_set);

#endif
