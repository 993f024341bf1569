/* The parts that must work for a process to be ready: /ready answers 200 when all are up, else 503
 * with a line per part. */
#ifndef WA_DAEMON_HEALTH_H
#define WA_DAEMON_HEALTH_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/base/strbuf.h"

struct health;
struct health_part;

struct health *health_new(void);
void health_free(struct health **health);
/* Down until set; owned by health. */
struct health_part *health_part_new(struct health *health, const char *name);
/* Logs a change (at=health_change part=… up=…), once; err may be NULL. */
void health_part_set(struct health_part *part, bool up, const struct err *err);
bool health_part_is_up(const struct health_part *part);
bool health_is_ready(const struct health *health);
void health_set_draining(struct health *health);                     /* never ready again */
void health_format(const struct health *health, struct strbuf *out); /* JSON */
/* The same for Prometheus: wa_ready, and wa_part_up{part="…"}; names of parts need no escaping. */
void health_format_metrics(const struct health *health, struct strbuf *out);

#endif
