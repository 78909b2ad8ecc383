/* costs.c - what the calls on the way of a connection cost on this machine. Prints notes; it
 * fails only where it cannot measure. */
#include "fact.h"
#include <time.h>

#define ROUNDS 500

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double samples[ROUNDS];

static void tell(const char *name)
{
	qsort(samples, ROUNDS, sizeof(samples[0]), by_size);
	note(name, "median %.2f us, 10th percentile %.2f, 90th %.2f", samples[ROUNDS / 2], samples[ROUNDS / 10],
	     samples[ROUNDS * 9 / 10]);
}

static int server;

/* One fresh socket a round; `timed` says between which steps the clock runs. */
enum timed { SETSOCKOPT, LATE_CONNECT, BARE_CONNECT, BIND, BIND_TAKEN, BIND_EINVAL, EARLY_CONNECT, CONNECT_CLOSE,
	     UDP_SCRATCH, RANGE_FILE, COOKIE };

static void measure(const char *name, enum timed what)
{
	struct where to = at("127.0.0.1", ONE), from = at("0.0.0.0", 0), taken = at("0.0.0.0", ONE);
	for (int i = 0; i < ROUNDS; i++) {
		int fd = sock(what == UDP_SCRATCH ? "udp4" : "tcp4"), port = RANGE_LO + i;
		bool connected = what == LATE_CONNECT || what == BARE_CONNECT || what == EARLY_CONNECT || what == CONNECT_CLOSE;
		char text[64];
		uint64_t cookie;
		socklen_t len = sizeof(cookie);
		long rc = 0;
		from.u.in.sin_port = htons((uint16_t)(40000 + i));
		if (what == LATE_CONNECT)
			do_range(fd, (unsigned)port, (unsigned)port);
		if (what == EARLY_CONNECT || what == BIND_EINVAL)
			rc |= bind(fd, &from.u.sa, from.len);
		double start = now();
		switch (what) {
		case SETSOCKOPT:
			rc |= strcmp(do_range(fd, (unsigned)port, (unsigned)port), "ok");
			break;
		case BIND:
			rc |= bind(fd, &from.u.sa, from.len);
			break;
		case BIND_EINVAL:
			rc |= bind(fd, &from.u.sa, from.len) == 0;
			break;
		case BIND_TAKEN:
			rc |= bind(fd, &taken.u.sa, taken.len) == 0;
			break;
		case RANGE_FILE: {
			int file = open("/proc/sys/net/ipv4/ip_local_port_range", O_RDONLY | O_CLOEXEC);
			rc |= read(file, text, sizeof(text)) <= 0;
			close(file);
			break;
		}
		case COOKIE:
			rc |= getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
			break;
		default:
			rc |= connect(fd, &to.u.sa, to.len);
			break;
		}
		if (what == CONNECT_CLOSE)
			close_reset(fd);
		samples[i] = now() - start;
		if (rc != 0)
			broken(name);
		if (what != CONNECT_CLOSE)
			close_reset(fd);
		if (connected)
			close(accept4(server, NULL, NULL, SOCK_CLOEXEC));
	}
	tell(name);
}

int main(void)
{
	fact_begin();
	range_set(RANGE_LO, 39999);
	server = serve("tcp4", ONE);
	measure("cost-setsockopt-range", SETSOCKOPT);
	measure("cost-bind", BIND);
	measure("cost-bind-taken", BIND_TAKEN);
	measure("cost-bind-already", BIND_EINVAL);
	measure("cost-connect-bare", BARE_CONNECT);
	measure("cost-connect-late", LATE_CONNECT);
	measure("cost-connect-early", EARLY_CONNECT);
	measure("cost-connect-and-reset", CONNECT_CLOSE);
	measure("cost-udp-scratch-connect", UDP_SCRATCH);
	measure("cost-read-ip_local_port_range", RANGE_FILE);
	measure("cost-cookie", COOKIE);
	return fact_end();
}
