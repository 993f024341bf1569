/* What a caller sees of a contact. */
#include "services/api/contact_view.h"

struct json *contact_view(const struct store_contact *contact)
{
	struct json *view = json_new_object();
	struct json *numbers = json_new_array();

	for (int i = 0; i < contact->n_numbers; i++) {
		struct json *number = json_new_object();
		json_set_sv(number, "number", contact->numbers[i]);
		json_push(numbers, number);
	}
	json_set_int(view, "id", contact->id);
	json_set_sv(view, "first_name", contact->first_name);
	json_set_sv(view, "last_name", contact->last_name);
	json_set(view, "phone_numbers", numbers);
	json_set_sv(view, "email", contact->email);
	json_set(view, "metadata",
		sv_is_null(contact->metadata) ? json_new_null()
					      : json_parse(contact->metadata, NULL));
	json_set_time(view, "created_at", contact->created_at);
	json_set_time(view, "updated_at", contact->updated_at);
	return view;
}
