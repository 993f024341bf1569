/* The parts that must work for a process to be ready. */
#include "common/daemon/health.h"

#include <sys/queue.h>

#include "common/base/json.h"
#include "common/base/log.h"
#include "common/base/mem.h"

struct health_part {
	TAILQ_ENTRY(health_part) in_health;
	char *name;
	enum { PART_UNKNOWN, PART_UP, PART_DOWN } state;
	struct err err; /* why it is down */
};

struct health {
	TAILQ_HEAD(, health_part) parts;
	bool is_draining;
};

struct health *health_new(void)
{
	struct health *health = mem_new(struct health);

	TAILQ_INIT(&health->parts);
	return health;
}

void health_free(struct health **health)
{
	struct health_part *part;

	if (*health == NULL)
		return;
	while ((part = TAILQ_FIRST(&(*health)->parts)) != NULL) {
		TAILQ_REMOVE(&(*health)->parts, part, in_health);
		mem_free(part->name);
		mem_free(part);
	}
	mem_free(*health);
	*health = NULL;
}

struct health_part *health_part_new(struct health *health, const char *name)
{
	struct health_part *part = mem_new(struct health_part);

	part->name = mem_strdup(name);
	err_set(&part->err, "not up yet");
	TAILQ_INSERT_TAIL(&health->parts, part, in_health);
	return part;
}

void health_part_set(struct health_part *part, bool up, const struct err *err)
{
	bool is_change = part->state != (up ? PART_UP : PART_DOWN);

	part->state = up ? PART_UP : PART_DOWN;
	err_set(&part->err, "%s", up ? "" : err != NULL ? err->text : "down");
	if (!is_change)
		return;
	if (up)
		log_info("health_change", log_text("part", part->name), log_bool("up", true));
	else
		log_warn("health_change", log_text("part", part->name), log_bool("up", false),
			log_err(&part->err));
}

bool health_part_is_up(const struct health_part *part)
{
	return part->state == PART_UP;
}

bool health_is_ready(const struct health *health)
{
	const struct health_part *part;

	TAILQ_FOREACH(part, &health->parts, in_health)
	if (part->state != PART_UP)
		return false;
	return !health->is_draining;
}

void health_set_draining(struct health *health)
{
	health->is_draining = true;
}

void health_format(const struct health *health, struct strbuf *out)
{
	const struct health_part *part;
	const char *between = "\n";

	strbuf_printf(out, "{\"ready\":%s,\"draining\":%s,\"parts\":[",
		health_is_ready(health) ? "true" : "false", health->is_draining ? "true" : "false");
	TAILQ_FOREACH(part, &health->parts, in_health)
	{
		strbuf_append_cstr(out, between);
		strbuf_append_cstr(out, "{\"name\":");
		json_escape(sv_from(part->name), out);
		strbuf_append_cstr(out, part->state == PART_UP ? ",\"up\":true" : ",\"up\":false");
		if (part->state != PART_UP) {
			strbuf_append_cstr(out, ",\"error\":");
			json_escape(sv_from(part->err.text), out);
		}
		strbuf_append_char(out, '}');
		between = ",\n";
	}
	strbuf_append_cstr(out, "]}\n");
}

void health_format_metrics(const struct health *health, struct strbuf *out)
{
	const struct health_part *part;

	strbuf_printf(out,
		"# HELP wa_ready Whether /ready says 200\n"
		"# TYPE wa_ready gauge\n"
		"wa_ready %d\n"
		"# HELP wa_part_up Whether a part that the process needs is up\n"
		"# TYPE wa_part_up gauge\n",
		health_is_ready(health));
	TAILQ_FOREACH(part, &health->parts, in_health)
	strbuf_printf(out, "wa_part_up{part=\"%s\"} %d\n", part->name, part->state == PART_UP);
}
