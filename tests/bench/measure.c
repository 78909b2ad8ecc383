/* measure.c - programs started for the benchmark, what they cost, and medians of that. */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

/* --- series --- */

/* Set by a signal: the programs that run end by it, and what was made is tidied up at the next result. */
static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
	(void)signal_number;
	stopped = 1;
}

void stop_on_signals(void)
{
	signal(SIGINT, stop);
	signal(SIGTERM, stop);
}

void series_add(struct series *series, double ns)
{
	errno = EINTR;
	if (stopped)
		fail("stopped");
	if (series->n < ROUNDS_MAX)
		series->ns[series->n++] = ns;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, int n)
{
	if (n == 0)
		return NAN;
	qsort(values, (size_t)n, sizeof(*values), compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double series_us(const struct series *series)
{
	struct series sorted = *series;

	return median(sorted.ns, sorted.n) / 1000;
}

double series_ratio(const struct series *a, const struct series *b)
{
	double ratios[ROUNDS_MAX];
	int n = a->n < b->n ? a->n : b->n;

	for (int i = 0; i < n; i++)
		ratios[i] = a->ns[i] / b->ns[i];
	return median(ratios, n);
}

int rounds_of(int usual)
{
	const char *words = getenv("BENCH_ROUNDS");
	int rounds = words ? usual * atoi(words) / 100 : usual;

	return rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
}

double wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* --- programs --- */

void become(const char *const argv[], const char *policy)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (policy) {
		setenv("LD_PRELOAD", built("libportshim.so"), 1);
		setenv("PORTSHIM_CONF", policy, 1);
	}
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

/* The server has the first processor, the client the last: they never take each other's turn. */
static void take_last_processor(void)
{
	cpu_set_t one;
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	CPU_ZERO(&one);
	CPU_SET((size_t)(n - 1), &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static void start_load(const struct load *load)
{
	char count[24], lo[12], hi[12];
	const char *argv[16] = { built("tests/bench/load"), load->how, count, ADDRESS, SERVER_PORT, lo, hi };

	snprintf(count, sizeof(count), "%ld", load->count);
	snprintf(lo, sizeof(lo), "%d", load->lo);
	snprintf(hi, sizeof(hi), "%d", load->hi);
	for (int i = 0; i < 4 && load->options[i]; i++)
		argv[7 + i] = load->options[i];
	take_last_processor();
	become(argv, load->policy);
}

struct cost load_run(const struct load *load)
{
	struct cost cost = { 0 };
	char text[256];
	ssize_t length;
	int out[2], status;
	pid_t pid = -1;

	if (pipe(out) < 0 || (pid = fork()) < 0)
		fail("fork");
	if (pid == 0) {
		dup2(out[1], 1);
		start_load(load);
	}
	close(out[1]);
	length = read(out[0], text, sizeof(text) - 1);
	text[length > 0 ? length : 0] = '\0';
	close(out[0]);
	waitpid(pid, &status, 0);
	if (status != 0 || sscanf(text, "%lf %lf %lf %lf", &cost.call, &cost.first, &cost.start, &cost.rss) < 3) {
		errno = ECHILD;
		fail(load->how);
	}
	server_settle();
	return cost;
}
