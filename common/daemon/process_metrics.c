/* Metrics of the process itself. */
#include "common/daemon/process_metrics.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/strbuf.h"

#define LAG_PERIOD_MS 250

struct process_metrics {
	struct loop_timer *timer;
	struct metric *lag;
	int64_t due_us;
	double start_s;
};

static double resident_bytes(void *ctx)
{
	long total, resident = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	(void)ctx;
	if (file == NULL)
		return 0;
	if (fscanf(file, "%ld %ld", &total, &resident) != 2)
		resident = 0;
	fclose(file);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

/* What the program has allocated and not freed. Beside what is resident it tells a leak from memory
 * that the allocator keeps. */
static double heap_bytes(void *ctx)
{
	(void)ctx;
	struct mallinfo2 heap = mallinfo2();
	return (double)heap.uordblks + (double)heap.hblkhd;
}

static double open_fds(void *ctx)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	(void)ctx;
	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n - 3; /* ".", ".." and the one that we read them with */
}

static double max_fds(void *ctx)
{
	struct rlimit limit;

	(void)ctx;
	return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (double)limit.rlim_cur : 0;
}

static double cpu_seconds(void *ctx)
{
	struct timespec used;

	(void)ctx;
	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
		return 0;
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static double start_time(void *ctx)
{
	const struct process_metrics *process = ctx;

	return process->start_s;
}

static void next_lag(struct process_metrics *process)
{
	process->due_us = clock_mono_us() + (int64_t)LAG_PERIOD_MS * 1000;
	loop_timer_arm(process->timer, LAG_PERIOD_MS);
}

static void on_lag(void *ctx)
{
	struct process_metrics *process = ctx;
	int64_t late_us = clock_mono_us() - process->due_us;

	metric_observe_ms(process->lag, late_us > 0 ? (double)late_us / 1000 : 0);
	next_lag(process);
}

struct process_metrics *process_metrics_new(
	struct loop *loop, struct metrics *metrics, const char *service)
{
	struct process_metrics *process = mem_new(struct process_metrics);
	struct strbuf name = STRBUF_INIT;

	process->start_s = (double)clock_wall_ms() / 1000;
	metrics_gauge_fn(metrics, "process_resident_memory_bytes", "",
		"Resident memory size in bytes.", resident_bytes, NULL);
	metrics_gauge_fn(metrics, "process_heap_bytes", "",
		"Bytes that are allocated and not freed.", heap_bytes, NULL);
	metrics_gauge_fn(metrics, "process_open_fds", "", "Number of open file descriptors.",
		open_fds, NULL);
	metrics_gauge_fn(metrics, "process_max_fds", "", "Maximum number of open file descriptors.",
		max_fds, NULL);
	metrics_gauge_fn(metrics, "process_cpu_seconds_total", "",
		"Total user and system CPU time spent in seconds.", cpu_seconds, NULL);
	metrics_gauge_fn(metrics, "process_start_time_seconds", "",
		"Start time of the process since unix epoch in seconds.", start_time, process);
	strbuf_printf(&name, "wa_%s_loop_lag_seconds", service);
	process->lag = metrics_histogram(metrics, strbuf_cstr(&name), "",
		"How much later than it should the loop ran a timer, sampled four times a second.");
	strbuf_deinit(&name);
	process->timer = loop_timer_new(loop, "loop_lag", on_lag, process);
	next_lag(process);
	return process;
}

void process_metrics_free(struct process_metrics **process)
{
	if (*process == NULL)
		return;
	loop_timer_free(&(*process)->timer);
	mem_free(*process);
	*process = NULL;
}
