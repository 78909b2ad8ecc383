/* protocols.h - servers and clients of SCTP, DCCP and UDP-Lite.
 *
 * Not every kernel has them. The tests are for those that do; where PORTSHIM_PROTOCOLS is set (tests/oldkernel/) one that is
 * missing is a failure. */
#ifndef PORTSHIM_TESTS_PROTOCOLS_H
#define PORTSHIM_TESTS_PROTOCOLS_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define SERVICE 42 /* DCCP: what is asked for */
#define LO 20000
#define HI 20009

static struct run run;

static inline bool has(int type, int protocol)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, protocol);

	cr_assert(fd >= 0 || !getenv("PORTSHIM_PROTOCOLS"), "this kernel lacks protocol %d", protocol);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static inline void own(void)
{
	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
}

/* A server on the wildcard address of its family, which hears the other family as well. */
static inline int serve(int type, int protocol, int port)
{
	struct sockaddr_in6 name = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, protocol);
	uint32_t service = htonl(SERVICE);

	cr_assert(fd >= 0);
	if (protocol == IPPROTO_DCCP)
		cr_assert(setsockopt(fd, 269, 2, &service, sizeof(service)) == 0); /* SOL_DCCP, DCCP_SOCKOPT_SERVICE */
	cr_assert(bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
	cr_assert(type == SOCK_DGRAM || listen(fd, 64) == 0);
	return fd;
}

static inline bool is_ours(int port)
{
	return port >= LO && port <= HI;
}

/* Runs the steps under the library or, where PORTSHIM_TEST_MODE says so, a supervisor. */
#define PLAY(policy_, ...)                                                                                     \
	do {                                                                                                   \
		run = (struct run){ .policy = (policy_) };                                                     \
		run_program(&run, (const char *const[]){ built("tests/probes/many_homed"), __VA_ARGS__, NULL }); \
		cr_assert(exited(&run, 0), "status 0x%x\n%s%s", (unsigned int)run.status, run.out, run.err);   \
	} while (0)

/* The same, and until the next pause. */
#define START(policy_, ...)                                                                                    \
	do {                                                                                                   \
		run = (struct run){ .policy = (policy_) };                                                     \
		run_start(&run, (const char *const[]){ built("tests/probes/many_homed"), __VA_ARGS__, NULL });   \
		run_until_paused(&run);                                                                        \
	} while (0)

static inline void end(void)
{
	run_go_on(&run);
	run_end(&run);
	cr_assert(exited(&run, 0), "status 0x%x\n%s%s", (unsigned int)run.status, run.out, run.err);
}

static inline void came_to(const char *step, const char *result)
{
	cr_expect_str_eq(result_of(&run, step), result, "%s = %s, not %s, in\n%s%s", step, result_of(&run, step), result, run.out, run.err);
}

#endif
