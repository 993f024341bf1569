/* The folder is looked at once a step, its files are read when it has changed. */
#include "common/io/marked_step.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/attr.h"
#include "common/base/check.h"
#include "common/base/clock.h"

#define ARMS_MAX   64
#define PATH_SIZE  512
#define PREFIX_LEN (sizeof("marked_step.") - 1)
/* Two changes within one tick of the file system's clock look like one. */
#define TICK_NS 20000000

struct arm {
	char file[64];
	char step[64];
	char subject[128]; /* "": any */
	int hit;           /* the how-manieth */
	int hits;          /* so far */
	bool stops;        /* else kills */
	bool stays;
	bool is_there; /* while the folder is read */
};

static struct {
	const char *folder; /* NULL: none is named */
	const char *instance;
	bool is_looked_up;
	struct timespec changed;
	struct arm arms[ARMS_MAX];
	int n_arms;
} steps;

static bool is_us(const char *who)
{
	size_t len = strlen(who);
	if (strcmp(who, "*") == 0 || strcmp(who, steps.instance) == 0)
		return true;
	return strncmp(who, steps.instance, len) == 0 && steps.instance[len] == '-';
}

static bool arm_parse(const char *line, struct arm *arm)
{
	char who[64], what[8], how[8];
	arm->subject[0] = '\0';
	int n = sscanf(line, "%63s %63s %d %7s %7s %127s", who, arm->step, &arm->hit, what, how,
		arm->subject);
	arm->stops = n >= 5 && strcmp(what, "stop") == 0;
	arm->stays = n >= 5 && strcmp(how, "always") == 0;
	return n >= 5 && is_us(who);
}

static struct arm *arm_find(const char *file)
{
	for (int i = 0; i < steps.n_arms; i++) {
		if (strcmp(steps.arms[i].file, file) == 0)
			return &steps.arms[i];
	}
	return NULL;
}

static void arm_read(const char *file)
{
	char path[PATH_SIZE], line[512];
	struct arm *known = arm_find(file);
	if (known != NULL) {
		known->is_there = true;
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/%s", steps.folder, file);
	FILE *in = fopen(path, "re");
	if (in == NULL)
		return; /* somebody else has fired it */
	bool has_line = fgets(line, sizeof(line), in) != NULL;
	(void)fclose(in);
	struct arm arm = {.is_there = true};
	(void)snprintf(arm.file, sizeof(arm.file), "%s", file);
	if (has_line && steps.n_arms < ARMS_MAX && arm_parse(line, &arm))
		steps.arms[steps.n_arms++] = arm;
}

static void forget_absent(void)
{
	int n = 0;
	for (int i = 0; i < steps.n_arms; i++) {
		if (steps.arms[i].is_there)
			steps.arms[n++] = steps.arms[i];
	}
	steps.n_arms = n;
}

static void read_folder(void)
{
	DIR *folder = opendir(steps.folder);
	if (folder == NULL)
		return;
	for (int i = 0; i < steps.n_arms; i++)
		steps.arms[i].is_there = false;
	const struct dirent *entry;
	while ((entry = readdir(folder)) != NULL) {
		const char *dot = strrchr(entry->d_name, '.');
		if (dot != NULL && strcmp(dot, ".arm") == 0 && strlen(entry->d_name) < 64)
			arm_read(entry->d_name);
	}
	(void)closedir(folder);
	forget_absent();
}

static void look(void)
{
	struct stat st;
	if (!steps.is_looked_up) {
		steps.is_looked_up = true;
		steps.folder = getenv("MARKED_STEPS");
		steps.instance = getenv("WA_INSTANCE");
	}
	if (steps.folder == NULL || steps.instance == NULL || stat(steps.folder, &st) != 0)
		return;
	int64_t age_ns = (clock_wall_ms() / 1000 - st.st_mtim.tv_sec) * INT64_C(1000000000) +
			 clock_wall_ms() % 1000 * 1000000 - st.st_mtim.tv_nsec;
	if (age_ns > TICK_NS && st.st_mtim.tv_sec == steps.changed.tv_sec &&
		st.st_mtim.tv_nsec == steps.changed.tv_nsec)
		return;
	steps.changed = st.st_mtim;
	read_folder();
}

/* Whether it is ours to fire. */
static bool arm_take(const struct arm *arm)
{
	char from[PATH_SIZE], to[PATH_SIZE];
	(void)snprintf(from, sizeof(from), "%s/%s", steps.folder, arm->file);
	(void)snprintf(to, sizeof(to), "%s/%.*s.fired.%d", steps.folder,
		(int)(strlen(arm->file) - strlen(".arm")), arm->file, (int)getpid());
	if (!arm->stays)
		return rename(from, to) == 0;
	int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0)
		(void)close(fd);
	return true;
}

static void arm_fire(struct arm *arm)
{
	int signal_number = arm->stops ? SIGSTOP : SIGKILL;
	bool is_ours = arm_take(arm);
	if (!arm->stays)
		*arm = steps.arms[--steps.n_arms];
	if (is_ours)
		(void)kill(getpid(), signal_number);
}

void marked_step_reach(const char *name, struct strview subject)
{
	look();
	for (int i = 0; i < steps.n_arms; i++) {
		struct arm *arm = &steps.arms[i];
		bool fits = strcmp(arm->step, name + PREFIX_LEN) == 0 &&
			    (arm->subject[0] == '\0' || sv_eq_cstr(subject, arm->subject));
		if (fits && ++arm->hits == arm->hit) {
			arm_fire(arm);
			return; /* the list has changed */
		}
	}
}

void marked_step_reach_number(const char *name, int64_t number)
{
	char subject[24];
	(void)snprintf(subject, sizeof(subject), "%lld", (long long)number);
	marked_step_reach(name, sv_from(subject));
}
