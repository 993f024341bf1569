/* What the parts tell each other, through the process. */
#include "services/webhooker/webhooker.h"

#include "common/base/clock.h"
#include "common/io/marked_step.h"

/* --- what comes in --- */

static enum delivery_intake take_in(struct webhooker *webhooker, const struct delivery_facts *facts)
{
	enum delivery_intake intake = delivery_queue_add(webhooker->queue, facts, clock_mono_ms());

	endpoint_set_want(webhooker->endpoints, facts->webhook_id);
	if (intake == DELIVERY_UNWANTED)
		endpoint_close_want(webhooker->close, facts->webhook_id);
	if (intake == DELIVERY_TAKEN)
		loop_turn_request(webhooker->pump_turn);
	return intake;
}

void webhooker_on_event(void *ctx, int partition, const struct event_entry *entry)
{
	struct delivery_facts facts = {
		.sequence = entry->sequence,
		.created_at_wall_ms = entry->created_at,
		.tenant_id = (int32_t)entry->tenant_id,
		.contact_id = (int32_t)entry->contact_id,
		.partition = partition,
		.event_type = (int)entry->type,
	};

	for (int i = 0; i < entry->webhook_ids.n; i++) {
		facts.webhook_id = (int32_t)entry->webhook_ids.items[i];
		(void)take_in(ctx, &facts);
	}
}

enum delivery_intake webhooker_on_row(void *ctx, const struct delivery_facts *facts)
{
	return take_in(ctx, facts);
}

void webhooker_on_entries_lost(void *ctx, int partition)
{
	struct webhooker *webhooker = ctx;

	open_sweep_reload(webhooker->sweep, partition);
}

void webhooker_on_generation_lost(void *ctx)
{
	struct webhooker *webhooker = ctx;

	for (int p = 0; p < EVENT_PARTITIONS; p++)
		open_sweep_reload(webhooker->sweep, p);
}

/* --- partitions --- */

void webhooker_on_partition_gained(void *ctx, int partition)
{
	struct webhooker *webhooker = ctx;

	MARKED_STEP_NUMBER("webhooker_partition_gained", partition);
	webhooker->is_loaded[partition] = false;
	webhooker->is_asked[partition] = false;
	event_intake_add(webhooker->intake, partition);
	open_sweep_add(webhooker->sweep, partition);
	delivery_hands_ask(webhooker->hands, partition);
	if (partition == 0)
		janitor_set_on_duty(webhooker->janitor, true);
}

void webhooker_on_partition_loaded(void *ctx, int partition)
{
	struct webhooker *webhooker = ctx;

	webhooker->is_loaded[partition] = true;
	if (webhooker->is_asked[partition])
		partition_owner_loaded(webhooker->owner, partition);
}

void webhooker_on_hands_asked(void *ctx, int partition)
{
	struct webhooker *webhooker = ctx;

	webhooker->is_asked[partition] = true;
	if (webhooker->is_loaded[partition])
		partition_owner_loaded(webhooker->owner, partition);
}

void webhooker_on_unclaimed(void *ctx, const struct delivery *delivery)
{
	struct webhooker *webhooker = ctx;

	if (webhooker->hands != NULL) /* it goes before the queue does */
		delivery_hands_give_back(webhooker->hands, delivery);
}

void webhooker_on_partition_open(void *ctx, int partition)
{
	struct webhooker *webhooker = ctx;

	delivery_queue_open_partition(webhooker->queue, partition, clock_mono_ms());
	loop_turn_request(webhooker->pump_turn);
}

static void stop_intake(struct webhooker *webhooker, int partition)
{
	event_intake_remove(webhooker->intake, partition);
	open_sweep_remove(webhooker->sweep, partition);
	delivery_hands_drop(webhooker->hands, partition);
	if (partition == 0)
		janitor_set_on_duty(webhooker->janitor, false);
}

void webhooker_on_partition_closing(void *ctx, int partition)
{
	struct webhooker *webhooker = ctx;

	stop_intake(webhooker, partition);
	delivery_queue_close_partition(webhooker->queue, partition, clock_mono_ms());
	loop_turn_request(webhooker->pump_turn);
}

static void on_sending_dropped(void *ctx, struct delivery *delivery)
{
	(void)ctx;
	delivery_send_cancel(delivery);
}

void webhooker_on_partition_dropped(void *ctx, int partition)
{
	struct webhooker *webhooker = ctx;

	stop_intake(webhooker, partition);
	delivery_queue_drop_partition(webhooker->queue, partition, on_sending_dropped, NULL);
}

int webhooker_on_partitions_asked(void *ctx, int64_t ret_partitions[])
{
	struct webhooker *webhooker = ctx;

	return partition_owner_list(webhooker->owner, ret_partitions);
}

int64_t webhooker_on_epoch_asked(void *ctx, int partition)
{
	struct webhooker *webhooker = ctx;

	return partition_owner_epoch(webhooker->owner, partition);
}

int64_t webhooker_on_look_back_asked(void *ctx, int partition)
{
	struct webhooker *webhooker = ctx;

	return open_sweep_look_back_ms(webhooker->sweep, partition, clock_mono_ms());
}

/* --- endpoints, ends --- */

void webhooker_on_endpoint_change(void *ctx, int32_t webhook_id, enum outlet_state state)
{
	struct webhooker *webhooker = ctx;

	if (state == OUTLET_GONE)
		endpoint_close_want(webhooker->close, webhook_id);
	loop_turn_request(webhooker->pump_turn);
}

void webhooker_on_attempt_end(void *ctx, const struct store_end *end)
{
	struct webhooker *webhooker = ctx;

	webhooker_metrics_note(webhooker->metrics, end);
	loop_turn_request(webhooker->pump_turn);
}

void webhooker_on_change(void *ctx)
{
	struct webhooker *webhooker = ctx;

	loop_turn_request(webhooker->pump_turn);
}
