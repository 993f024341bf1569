/* A customer's endpoint: its row of `webhooks` and its signing secrets, opened. */
#ifndef WA_WEBHOOKER_ENDPOINT_H
#define WA_WEBHOOKER_ENDPOINT_H

#include "common/base/secret_box.h"
#include "services/webhooker/id_table.h"
#include "services/webhooker/outlet.h"
#include "services/webhooker/signature.h"
#include "services/webhooker/webhooker_store.h"

struct endpoint {
	struct id_node node; /* webhook id, 0 */
	int32_t webhook_id;
	enum outlet_state state; /* OUTLET_UNKNOWN until it was read */
	char *url;               /* owned; NULL until it was read */
	bool is_failing;         /* failing_since is set in its row, or is about to be */
	int64_t failing_for_ms;  /* when the row was read */
	bool is_disabling;       /* its row is about to say so: what is read until then is old */
	int n_secrets;
	struct signature_secret secrets[SIGNATURE_SECRETS_MAX]; /* newest first */
	struct err fault;     /* why it has none that can be used; "" */
	struct strbuf sealed; /* the secrets as they stand in Postgres, to see a change */
};

struct endpoint *endpoint_new(int32_t webhook_id);
void endpoint_free(struct endpoint **endpoint); /* wipes */
/* Take over what n_rows rows from `first` on say, all of them its own. True when its secrets could
 * not be used and that is news. */
bool endpoint_take_rows(struct endpoint *endpoint, const struct secret_box *box,
	const struct pg_result *result, int first, int n_rows);
/* There is no row of it. */
void endpoint_take_absence(struct endpoint *endpoint);

#endif
