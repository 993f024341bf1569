/* The media store that the settings name. */
#include "common/daemon/media_store.h"

#include "common/base/strview.h"

int media_store_open(struct media_store *store, struct loop *loop, const struct settings *settings,
	struct err *err)
{
	struct object_store_options options = {
		.endpoint = setting_text(settings, SETTING_S3_ENDPOINT),
		.bucket = setting_text(settings, SETTING_S3_BUCKET),
		.region = setting_text(settings, SETTING_S3_REGION),
		.access_key = setting_text(settings, SETTING_S3_ACCESS_KEY),
		.secret_key = setting_text(settings, SETTING_S3_SECRET_KEY),
		.timeout_ms = setting_ms(settings, SETTING_MEDIA_TIMEOUT),
	};

	*store = (struct media_store){
		.is_wanted = sv_eq_cstr(sv_from(setting_text(settings, SETTING_MEDIA_STORE)), "s3"),
	};
	if (options.endpoint[0] == '\0')
		return store->is_wanted ? err_set(err, "WA_MEDIA_STORE=s3 needs WA_S3_ENDPOINT")
					: 0;
	store->objects = object_store_new(loop, &options, err);
	return store->objects != NULL ? 0 : err_prefix(err, "WA_S3_…");
}

void media_store_close(struct media_store *store)
{
	object_store_free(&store->objects);
}
