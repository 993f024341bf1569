/* Reads a person's data. */
#include "services/api/contact_request.h"

#include <string.h>

#include "common/model/phone.h"
#include "services/api/body_reader.h"

#define MAX_NAME_BYTES     256
#define MAX_EMAIL_BYTES    254
#define MAX_METADATA_BYTES 4096

/* One '@' with something on both sides, and a dot-free or dotted domain without spaces: more cannot
 * be known without writing to it. */
static bool email_is_plausible(struct strview email)
{
	const char *at = memchr(email.ptr, '@', email.len);
	if (at == NULL || at == email.ptr || at == email.ptr + email.len - 1)
		return false;
	if (memchr(at + 1, '@', (size_t)(email.ptr + email.len - (at + 1))) != NULL)
		return false;
	return memchr(email.ptr, ' ', email.len) == NULL;
}

static bool read_email(struct body_reader *reader, struct strview *ret_email)
{
	static const struct body_text_rule rule = {BODY_OPTIONAL, MAX_EMAIL_BYTES, true, true};

	if (!body_text(reader, "email", &rule, ret_email))
		return false;
	if (ret_email->len > 0 && !email_is_plausible(*ret_email)) {
		body_reader_fail(reader, "email", "is no email address");
		return false;
	}
	return true;
}

/* One item: {"number": "+49…"}. False with the mistake noted. */
static bool read_number(struct body_reader *outer, size_t index, const struct json *item,
	char ret_phone[PHONE_SIZE])
{
	static const struct body_text_rule rule = {BODY_REQUIRED, 64, true, false};
	struct body_reader reader;
	struct strview text;
	struct err err;
	int before = outer->errors->n;

	if (json_type(item) != JSON_OBJECT) {
		body_reader_fail(outer, pool_printf(outer->pool, "phone_numbers[%zu]", index),
			"must be an object with a number");
		return false;
	}
	body_reader_init(&reader, item, pool_printf(outer->pool, "phone_numbers[%zu].", index),
		outer->pool, outer->errors);
	if (body_text(&reader, "number", &rule, &text) && phone_parse(text, ret_phone, &err) != 0)
		body_reader_fail(&reader, "number", "%s", err.text);
	body_reader_end(&reader);
	return outer->errors->n == before;
}

static bool has_number(const struct strview *numbers, int n_numbers, const char *phone)
{
	for (int i = 0; i < n_numbers; i++) {
		if (sv_eq_cstr(numbers[i], phone))
			return true;
	}
	return false;
}

/* The same number twice in one request is one number. */
static bool read_numbers(
	struct body_reader *reader, enum body_need need, struct store_contact *ret_contact)
{
	const struct json *list;
	char phone[PHONE_SIZE];
	int n = 0;

	if (!body_array(reader, "phone_numbers", need, CONTACT_MAX_NUMBERS, &list))
		return false;
	struct strview *numbers = pool_array(reader->pool, CONTACT_MAX_NUMBERS, sizeof(*numbers));
	for (size_t i = 0; i < json_array_len(list); i++) {
		if (read_number(reader, i, json_array_get(list, i), phone) &&
			!has_number(numbers, n, phone))
			numbers[n++] = sv_from(pool_strdup(reader->pool, phone));
	}
	ret_contact->numbers = numbers;
	ret_contact->n_numbers = n;
	return true;
}

static struct strview or_null(struct strview text)
{
	return text.len > 0 ? text : SV_NULL;
}

int contact_request_read(const struct json *body, bool is_new, struct pool *pool,
	struct field_errors *errors, struct store_contact *ret_contact,
	struct store_contact_set *ret_set)
{
	static const struct body_text_rule name_rule = {BODY_OPTIONAL, MAX_NAME_BYTES, true, true};
	struct store_contact contact = {.metadata = SV_NULL};
	struct store_contact_set set = {0};
	struct body_reader reader;
	int before = errors->n;

	body_reader_init(&reader, body, "", pool, errors);
	set.first_name = body_text(&reader, "first_name", &name_rule, &contact.first_name);
	set.last_name = body_text(&reader, "last_name", &name_rule, &contact.last_name);
	set.email = read_email(&reader, &contact.email);
	set.metadata = body_object_text(&reader, "metadata", MAX_METADATA_BYTES, &contact.metadata);
	set.numbers = read_numbers(&reader, is_new ? BODY_REQUIRED : BODY_OPTIONAL, &contact);
	body_reader_end(&reader);
	if (errors->n > before)
		return -1;
	contact.first_name = or_null(contact.first_name);
	contact.last_name = or_null(contact.last_name);
	contact.email = or_null(contact.email);
	*ret_contact = contact;
	*ret_set = set;
	return 0;
}
