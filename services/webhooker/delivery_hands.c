/* Changes of a turn leave as one command a partition and kind. */
#include "services/webhooker/delivery_hands.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/attr.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/model/partition.h"

#define DEADLINE_MS 1000
#define PATIENCE_MS 1000 /* of a question, while Redis is not connected */
#define AGAIN_MS    50
#define ALONE_UNIT  65536
#define NAME_SIZE   40
#define KEY_SIZE    24
#define COUNT_TTL_S "86400"

/* One step, so that a death is counted once. */
static struct redis_script ask_script = {
	.source = "local h = redis.call('HGETALL', KEYS[1])\n"
		  "for i = 1, #h, 2 do\n"
		  " redis.call('HINCRBY', KEYS[2], h[i], h[i + 1] == '1' and 65537 or 1)\n"
		  "end\n"
		  "redis.call('DEL', KEYS[1])\n"
		  "redis.call('EXPIRE', KEYS[2], ARGV[1])\n"
		  "return redis.call('HGETALL', KEYS[2])",
};

struct victim { /* a delivery that somebody died with */
	struct id_node node;
	int partition;
	int deaths;
	int deaths_alone;
};

struct change {
	int partition;
	int32_t webhook_id;
	int64_t sequence;
};

struct changes {
	struct change *items;
	int n;
	int cap;
};

struct ask {
	struct delivery_hands *hands;
	int partition;
	bool is_under_way;
	bool is_wanted;
	bool is_stale; /* lost, and perhaps gained again, since it was sent */
	bool is_due;   /* to be sent again by the timer */
	int64_t since_ms;
};

struct delivery_hands {
	struct delivery_hands_options options;
	struct id_table victims; /* webhook id, sequence */
	struct changes taken;
	struct changes given_back;
	struct changes cleared;
	struct ask asks[EVENT_PARTITIONS];
	struct loop_timer *again;
};

static void on_again(void *ctx);

struct delivery_hands *delivery_hands_new(const struct delivery_hands_options *options)
{
	struct delivery_hands *hands = mem_new(struct delivery_hands);

	hands->options = *options;
	id_table_init(&hands->victims);
	hands->again = loop_timer_new(options->loop, "hands_again", on_again, hands);
	for (int p = 0; p < EVENT_PARTITIONS; p++)
		hands->asks[p] = (struct ask){.hands = hands, .partition = p};
	return hands;
}

/* partition < 0: of all. */
static void forget_victims(struct delivery_hands *hands, int partition)
{
	struct id_node *node = id_table_next(&hands->victims, NULL);

	while (node != NULL) {
		struct victim *victim = container_of(node, struct victim, node);
		node = id_table_next(&hands->victims, node);
		if (partition >= 0 && victim->partition != partition)
			continue;
		id_table_remove(&hands->victims, &victim->node);
		mem_free(victim);
	}
}

void delivery_hands_free(struct delivery_hands **hands)
{
	if (*hands == NULL)
		return;
	for (int p = 0; p < EVENT_PARTITIONS; p++)
		redis_conn_forget((*hands)->options.redis, &(*hands)->asks[p]);
	loop_timer_free(&(*hands)->again);
	forget_victims(*hands, -1);
	id_table_deinit(&(*hands)->victims);
	mem_free((*hands)->taken.items);
	mem_free((*hands)->given_back.items);
	mem_free((*hands)->cleared.items);
	mem_free(*hands);
	*hands = NULL;
}

static struct victim *find(const struct delivery_hands *hands, int32_t webhook_id, int64_t sequence)
{
	struct id_node *node = id_table_find(&hands->victims, webhook_id, sequence);

	return node == NULL ? NULL : container_of(node, struct victim, node);
}

/* --- asking --- */

static void add_victim(struct delivery_hands *hands, int partition, struct strview name, int64_t n)
{
	struct strview webhook;
	int64_t webhook_id, sequence;

	if (!sv_split(&name, ':', &webhook) || sv_to_i64(webhook, &webhook_id) != 0 ||
		sv_to_i64(name, &sequence) != 0 ||
		find(hands, (int32_t)webhook_id, sequence) != NULL)
		return;
	struct victim *victim = mem_new(struct victim);
	victim->node.a = webhook_id;
	victim->node.b = sequence;
	victim->partition = partition;
	victim->deaths = (int)(n % ALONE_UNIT);
	victim->deaths_alone = (int)(n / ALONE_UNIT);
	id_table_insert(&hands->victims, &victim->node);
	log_warn("delivery_suspect", log_int("webhook", webhook_id), log_int("sequence", sequence),
		log_int("deaths", victim->deaths), log_int("deaths_alone", victim->deaths_alone));
}

static void send_ask(struct ask *ask);

static void on_asked(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct ask *ask = ctx;
	struct delivery_hands *hands = ask->hands;

	ask->is_under_way = false;
	if (!ask->is_wanted)
		return;
	if (ask->is_stale) {
		send_ask(ask);
		return;
	}
	if (status == REDIS_UNAVAILABLE && clock_mono_ms() - ask->since_ms < PATIENCE_MS) {
		ask->is_due = true;
		loop_timer_arm(hands->again, AGAIN_MS);
		return;
	}
	if (status != REDIS_OK)
		log_warn("hands_unknown", log_int("partition", ask->partition),
			log_text("status", redis_status_name(status)));
	for (int i = 0; i + 1 < redis_reply_len(reply); i += 2) {
		int64_t n = 0;
		if (sv_to_i64(redis_reply_string(redis_reply_at(reply, i + 1)), &n) == 0)
			add_victim(hands, ask->partition,
				redis_reply_string(redis_reply_at(reply, i)), n);
	}
	hands->options.on_asked(hands->options.ctx, ask->partition);
}

static void send_ask(struct ask *ask)
{
	char hands_key[KEY_SIZE], deaths_key[KEY_SIZE];

	(void)snprintf(hands_key, KEY_SIZE, "hands.%d", ask->partition);
	(void)snprintf(deaths_key, KEY_SIZE, "deaths.%d", ask->partition);
	struct strview argv[] = {sv_from(hands_key), sv_from(deaths_key), SV_LIT(COUNT_TTL_S)};
	ask->is_under_way = true;
	ask->is_stale = false;
	ask->is_due = false;
	redis_conn_script(ask->hands->options.redis, &ask_script, 2, (int)array_len(argv), argv,
		DEADLINE_MS, on_asked, ask);
}

static void on_again(void *ctx)
{
	struct delivery_hands *hands = ctx;

	for (int p = 0; p < EVENT_PARTITIONS; p++) {
		if (hands->asks[p].is_due && hands->asks[p].is_wanted)
			send_ask(&hands->asks[p]);
	}
}

void delivery_hands_ask(struct delivery_hands *hands, int partition)
{
	struct ask *ask = &hands->asks[partition];

	ask->is_wanted = true;
	ask->since_ms = clock_mono_ms();
	if (ask->is_under_way)
		ask->is_stale = true;
	else
		send_ask(ask);
}

void delivery_hands_drop(struct delivery_hands *hands, int partition)
{
	hands->asks[partition].is_wanted = false;
	hands->asks[partition].is_due = false;
	forget_victims(hands, partition);
}

/* --- telling --- */

static void changes_add(
	struct changes *changes, int partition, int32_t webhook_id, int64_t sequence)
{
	if (changes->n == changes->cap) {
		changes->cap = changes->cap == 0 ? 64 : changes->cap * 2;
		changes->items =
			mem_realloc(changes->items, (size_t)changes->cap * sizeof(*changes->items));
	}
	changes->items[changes->n++] = (struct change){partition, webhook_id, sequence};
}

void delivery_hands_take(struct delivery_hands *hands, const struct delivery *delivery)
{
	changes_add(&hands->taken, delivery->partition, delivery->webhook_id, delivery->sequence);
}

void delivery_hands_give_back(struct delivery_hands *hands, const struct delivery *delivery)
{
	changes_add(
		&hands->given_back, delivery->partition, delivery->webhook_id, delivery->sequence);
}

/* The command, with the names of all changes of one partition behind it; `value` follows each name
 * when there is one. */
static void send_changes(struct delivery_hands *hands, const struct changes *changes, int partition,
	const char *command, const char *hash, const char *value)
{
	struct strview *argv = mem_array((size_t)changes->n * 2 + 2, sizeof(*argv));
	char(*names)[NAME_SIZE] = mem_array((size_t)changes->n, sizeof(*names));
	char key[KEY_SIZE];
	int argc = 2;

	(void)snprintf(key, KEY_SIZE, "%s.%d", hash, partition);
	argv[0] = sv_from(command);
	argv[1] = sv_from(key);
	for (int i = 0; i < changes->n; i++) {
		const struct change *change = &changes->items[i];
		if (change->partition != partition)
			continue;
		(void)snprintf(names[i], NAME_SIZE, "%" PRId32 ":%" PRId64, change->webhook_id,
			change->sequence);
		argv[argc++] = sv_from(names[i]);
		if (value != NULL)
			argv[argc++] = sv_from(value);
	}
	redis_conn_command(hands->options.redis, argc, argv, DEADLINE_MS, NULL, NULL);
	mem_free(names);
	mem_free(argv);
}

static void flush(struct delivery_hands *hands, struct changes *changes, const char *command,
	const char *hash, const char *value)
{
	bool has_some[EVENT_PARTITIONS] = {false};

	for (int i = 0; i < changes->n; i++)
		has_some[changes->items[i].partition] = true;
	for (int p = 0; p < EVENT_PARTITIONS; p++) {
		if (has_some[p])
			send_changes(hands, changes, p, command, hash, value);
	}
	changes->n = 0;
}

/* In this order: what was given back may have been taken again. */
void delivery_hands_flush(struct delivery_hands *hands)
{
	flush(hands, &hands->given_back, "HDEL", "hands", NULL);
	flush(hands, &hands->cleared, "HDEL", "deaths", NULL);
	flush(hands, &hands->taken, "HSET", "hands", "0");
}

void delivery_hands_take_alone(
	struct delivery_hands *hands, const struct delivery *delivery, redis_done_fn fn, void *ctx)
{
	char key[KEY_SIZE], name[NAME_SIZE];

	delivery_hands_flush(hands);
	(void)snprintf(key, KEY_SIZE, "hands.%d", delivery->partition);
	(void)snprintf(
		name, NAME_SIZE, "%" PRId32 ":%" PRId64, delivery->webhook_id, delivery->sequence);
	struct strview argv[] = {SV_LIT("HSET"), sv_from(key), sv_from(name), SV_LIT("1")};
	redis_conn_command(hands->options.redis, (int)array_len(argv), argv, DEADLINE_MS, fn, ctx);
}

void delivery_hands_forget(struct delivery_hands *hands, const void *ctx)
{
	redis_conn_forget(hands->options.redis, ctx);
}

/* --- deaths --- */

void delivery_hands_deaths(const struct delivery_hands *hands, int32_t webhook_id, int64_t sequence,
	int *ret_deaths, int *ret_deaths_alone)
{
	const struct victim *victim =
		hands->victims.n_nodes == 0 ? NULL : find(hands, webhook_id, sequence);

	*ret_deaths = victim == NULL ? 0 : victim->deaths;
	*ret_deaths_alone = victim == NULL ? 0 : victim->deaths_alone;
}

void delivery_hands_clear(struct delivery_hands *hands, int32_t webhook_id, int64_t sequence)
{
	struct victim *victim =
		hands->victims.n_nodes == 0 ? NULL : find(hands, webhook_id, sequence);

	if (victim == NULL)
		return;
	changes_add(&hands->cleared, victim->partition, webhook_id, sequence);
	id_table_remove(&hands->victims, &victim->node);
	mem_free(victim);
}
