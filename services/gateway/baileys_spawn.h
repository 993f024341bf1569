/* Starting the worker's program with one end of a socket pair as its descriptor 3. */
#ifndef WA_GATEWAY_BAILEYS_SPAWN_H
#define WA_GATEWAY_BAILEYS_SPAWN_H

#include <sys/types.h>

#include "common/base/attr.h"
#include "common/base/err.h"

struct baileys_program {
	const char *node;    /* found in PATH when it has no slash */
	const char *folder;  /* where main.mjs is */
	const char *ca_file; /* further certificates to trust; "" none */
	int memory_mb;       /* of its JavaScript heap */
};

/* 0 with its process id and our end of the pair (non-blocking), or -1 with err. Its environment
 * holds no secret, its standard streams go nowhere, and it is killed when we die. */
int baileys_spawn(const struct baileys_program *program, pid_t *ret_pid, int *ret_fd,
	struct err *err) MUST_CHECK;

#endif
