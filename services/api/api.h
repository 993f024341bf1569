/* The api process: what its parts share. */
#ifndef WA_API_API_H
#define WA_API_API_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/secret_box.h"
#include "common/base/url_guard.h"
#include "common/daemon/daemon.h"
#include "common/daemon/media_store.h"
#include "common/io/http_server.h"
#include "common/io/redis_conn.h"
#include "common/io/stream_writer.h"
#include "common/model/media_link.h"
#include "services/api/cursor.h"

struct api_store;
struct backlog;
struct wind_down;
struct key_cache;
struct key_use;
struct message_accept;
struct request_stats;
struct system_health;

/* The one global thing of the service; made and freed in main.c. Members are owned. */
struct api {
	struct daemon *daemon;
	struct loop *loop;
	bool development;
	bool has_baileys;           /* sessions of that engine can be made */
	struct strview admin_token; /* borrowed from the settings; empty: none */
	struct cursor_key cursor_key;
	struct pool *pool;
	struct secret_box *secrets;
	struct media_links *media_links;
	struct media_store media_store;
	int64_t fetching_bytes;          /* of files that are on their way from the object store */
	struct media_sweep *media_sweep; /* NULL: there is no object store */
	struct url_guard *guard;
	struct api_store *store;
	struct redis_conn *redis;
	struct stream_writer *streams;
	struct http_server *server;
	struct key_cache *keys;
	struct key_use *key_use;
	struct backlog *backlog;
	struct message_accept *accept;
	struct wind_down *wind_down;
	struct system_health *system_health;
	struct request_stats *stats;
	struct health_part *postgres_part;
	struct health_part *redis_part;
	struct loop_timer *drain_timer;
	int64_t drain_until_ms; /* monotonic */
};

#endif
