/* A contact as JSON. */
#ifndef WA_API_CONTACT_VIEW_H
#define WA_API_CONTACT_VIEW_H

#include "common/base/json.h"
#include "services/api/api_store_contacts.h"

struct json *contact_view(const struct store_contact *contact);

#endif
