/* Reads dispatch.{session} of every session that is open, and gives what it understood to the
 * claim. */
#ifndef WA_GATEWAY_DISPATCH_INTAKE_H
#define WA_GATEWAY_DISPATCH_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

struct gateway;
struct dispatch_intake;

struct dispatch_intake *dispatch_intake_new(struct gateway *gateway, struct err *err);
void dispatch_intake_free(struct dispatch_intake **intake);
void dispatch_intake_add(struct dispatch_intake *intake, int32_t session_id);
void dispatch_intake_remove(struct dispatch_intake *intake, int32_t session_id);
void dispatch_intake_ack(struct dispatch_intake *intake, int32_t session_id, const char *entry_id);
void dispatch_intake_pause(struct dispatch_intake *intake, bool paused);

#endif
