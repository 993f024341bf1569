/* LD_PRELOAD for a server whose disk is slow: fsync() and fdatasync() take as many milliseconds
   longer as stand in the file that SLOW_FSYNC_FILE names, if it is there. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void be_slow(void)
{
	const char *path = getenv("SLOW_FSYNC_FILE");
	FILE *file = path != NULL ? fopen(path, "re") : NULL;
	long wait_ms = 0;

	if (file == NULL)
		return;
	if (fscanf(file, "%ld", &wait_ms) == 1 && wait_ms > 0)
		nanosleep(&(struct timespec){wait_ms / 1000, wait_ms % 1000 * 1000000}, NULL);
	(void)fclose(file);
}

static int pass_on(const char *name, int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);

	be_slow();
	return real(fd);
}

int fsync(int fd)
{
	return pass_on("fsync", fd);
}

int fdatasync(int fd)
{
	return pass_on("fdatasync", fd);
}
