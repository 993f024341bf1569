/* One endpoint, from its rows. */
#include "services/webhooker/endpoint.h"

#include "common/base/mem.h"

struct endpoint *endpoint_new(int32_t webhook_id)
{
	struct endpoint *endpoint = mem_new(struct endpoint);

	endpoint->node.a = webhook_id;
	endpoint->webhook_id = webhook_id;
	return endpoint;
}

static void drop_secrets(struct endpoint *endpoint)
{
	for (int i = 0; i < endpoint->n_secrets; i++)
		signature_secret_deinit(&endpoint->secrets[i]);
	endpoint->n_secrets = 0;
	endpoint->fault.text[0] = '\0';
}

void endpoint_free(struct endpoint **endpoint)
{
	if (*endpoint == NULL)
		return;
	drop_secrets(*endpoint);
	strbuf_deinit(&(*endpoint)->sealed);
	mem_free((*endpoint)->url);
	mem_free(*endpoint);
	*endpoint = NULL;
}

static int open_secret(const struct secret_box *box, struct strview public_id,
	struct strview sealed, struct signature_secret *ret_secret, struct err *err)
{
	struct strbuf context = STRBUF_INIT, text = STRBUF_INIT;

	strbuf_append_cstr(&context, "webhook:");
	strbuf_append_sv(&context, public_id);
	int result = secret_box_open(box, strbuf_view(&context), sealed, &text, err);
	if (result == 0)
		result = signature_secret_init(ret_secret, strbuf_view(&text), err);
	if (text.data != NULL)
		mem_wipe(text.data, text.cap);
	strbuf_deinit(&text);
	strbuf_deinit(&context);
	return result;
}

/* One that cannot be opened is left out: the others sign. */
static void open_secrets(struct endpoint *endpoint, const struct secret_box *box,
	const struct pg_result *result, int first, int n_rows)
{
	drop_secrets(endpoint);
	(void)err_set(&endpoint->fault, "it has no signing secret");
	for (int row = first; row < first + n_rows && endpoint->n_secrets < SIGNATURE_SECRETS_MAX;
		row++) {
		struct store_endpoint from;
		store_endpoint_row(result, row, &from);
		if (!sv_is_null(from.sealed) &&
			open_secret(box, from.public_id, from.sealed,
				&endpoint->secrets[endpoint->n_secrets], &endpoint->fault) == 0)
			endpoint->n_secrets++;
	}
	if (endpoint->n_secrets > 0)
		endpoint->fault.text[0] = '\0';
}

static bool secrets_have_changed(
	struct endpoint *endpoint, const struct pg_result *result, int first, int n_rows)
{
	struct strbuf sealed = STRBUF_INIT;

	for (int row = first; row < first + n_rows; row++) {
		struct store_endpoint from;
		store_endpoint_row(result, row, &from);
		strbuf_printf(&sealed, "%zu:", from.sealed.len);
		strbuf_append_sv(&sealed, from.sealed);
	}
	bool have_changed = !sv_eq(strbuf_view(&sealed), strbuf_view(&endpoint->sealed));
	strbuf_deinit(&endpoint->sealed);
	endpoint->sealed = sealed;
	return have_changed;
}

static enum outlet_state state_of(const struct store_endpoint *row)
{
	if (row->is_deleted || row->is_disabled)
		return OUTLET_GONE;
	return row->is_active ? OUTLET_OPEN : OUTLET_PAUSED;
}

bool endpoint_take_rows(struct endpoint *endpoint, const struct secret_box *box,
	const struct pg_result *result, int first, int n_rows)
{
	struct store_endpoint row;

	store_endpoint_row(result, first, &row);
	endpoint->state = state_of(&row);
	endpoint->is_failing = row.is_failing;
	endpoint->failing_for_ms = row.failing_for_ms;
	if (endpoint->url == NULL || !sv_eq_cstr(row.url, endpoint->url)) {
		mem_free(endpoint->url);
		endpoint->url = mem_strndup(row.url.ptr, row.url.len);
	}
	if (!secrets_have_changed(endpoint, result, first, n_rows))
		return false;
	open_secrets(endpoint, box, result, first, n_rows);
	return endpoint->n_secrets == 0 && endpoint->state == OUTLET_OPEN;
}

void endpoint_take_absence(struct endpoint *endpoint)
{
	endpoint->state = OUTLET_GONE;
	endpoint->is_failing = false;
}
