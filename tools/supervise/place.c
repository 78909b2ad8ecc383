/* place.c - what the supervisor is itself. */
#define _GNU_SOURCE
#include "tools/supervise/place.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config/facts.h"
#include "config/locate.h"
#include "shim/bind.h"
#include "shim/kernel.h"
#include "shim/log.h"
#include "shim/real.h"
#include "shim/session.h"
#include "shim/table.h"
#include "tools/supervise/birth.h"
#include "tools/supervise/client.h"
#include "tools/supervise/status.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif
#define LOW_PORTS_FILE "/proc/sys/net/ipv4/ip_unprivileged_port_start"

static uint64_t own_network;   /* 0: unknown */
static unsigned int low_ports = 1024;
static bool binds_low_ports;
static struct filter_wants watched; /* by the filter of this process's tree */

static const char *judge(const struct policy *policy);

static uint64_t cookie_of(int fd, int option)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, option, &cookie, &len) == 0 ? cookie : 0;
}

static void ask_low_ports(void)
{
	struct status status;
	struct arena arena = { 0 };
	size_t length;
	uint64_t number;
	int error;
	const char *words = locate_read(&arena, LOW_PORTS_FILE, &length, &error);

	if (words && text_to_number(words, strcspn(words, "\n"), 65536, &number))
		low_ports = (unsigned int)number;
	arena_free(&arena);
	binds_low_ports = !status_read(&status, (uint32_t)getpid()) ||
	                  status_number(&status, "CapEff", 16) >> CAP_NET_BIND_SERVICE & 1;
}

bool place_prepare(void)
{
	const struct session *session;
	int fd;

	real_stay_raw();
	real.bind = place_bind;
	facts_keep(0, NULL, environ);
	session_judge_by(judge);
	session = session_get();
	if (!session->text && !session->ports)
		return false;
	fd = (int)syscall(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		own_network = cookie_of(fd, SO_NETNS_COOKIE);
		table_get(&session->policy, fd, false);
		close(fd);
	}
	ask_low_ports();
	return true;
}

/* Whether a bind() can be put off for this rule: then its port may be given by any later call, and asked for before. */
static bool defers(const struct rule *rule)
{
	return rule->n_to || (rule->calls & (CALL_CONNECT | CALL_SEND) && !(rule->calls & CALL_BIND));
}

/* The usual way, or (`born`) where the ports of a socket are decided when it is made. */
static void wants_for(const struct policy *policy, bool born, struct filter_wants *wants)
{
	bool late = false, sends;
	uint8_t calls = 0;

	for (uint32_t i = 0; i < policy->rules; i++) {
		calls |= policy->rule[i].calls;
		late = late || defers(&policy->rule[i]);
	}
	sends = !born && (late || calls & CALL_SEND);
	*wants = (struct filter_wants){ .kind = { false } };
	wants->kind[NOTIFIED_CONNECT] = !born && (late || calls & CALL_CONNECT);
	wants->kind[NOTIFIED_BIND] = late || calls & CALL_BIND;
	wants->kind[NOTIFIED_LISTEN] = late || calls & CALL_LISTEN;
	wants->kind[NOTIFIED_SENDTO] = wants->kind[NOTIFIED_SENDMSG] = wants->kind[NOTIFIED_SENDMMSG] = sends;
	wants->kind[NOTIFIED_GETSOCKNAME] = late;
	wants->kind[NOTIFIED_SOCKET] = born;
	wants->kind[NOTIFIED_LANDLOCK] = true;
	wants->kind[NOTIFIED_IO_URING] = true;
}

void place_wants(struct filter_wants *wants)
{
	const struct policy *policy = &session_get()->policy;

	wants_for(policy, birth_is_right(policy, kernel_now()), wants);
	watched = *wants;
}

/* The filter stays what it was at the start: calls that were of no concern then are not notified now. */
static const char *judge(const struct policy *policy)
{
	bool born = birth_is_in_force();
	struct filter_wants wants;

	if (born && (!birth_fits(policy, kernel_now()) || policy->log >= LOG_LEVEL_INFO))
		return "under a supervisor the ports of these programs' sockets are decided when they are made, since the policy at "
		       "their start was one for that; this one is not: start them again";
	wants_for(policy, born, &wants);
	for (int kind = 0; kind < NOTIFIED_KINDS; kind++)
		if (wants.kind[kind] && !watched.kind[kind])
			return "under a supervisor, which watches no calls but those that the policy at the start had rules for; this one "
			       "has rules for others: start the programs again";
	return NULL;
}

bool place_cookie(int fd, uint64_t *cookie)
{
	*cookie = cookie_of(fd, SO_COOKIE);
	return *cookie != 0;
}

bool place_is_elsewhere(int fd)
{
	return !own_network || cookie_of(fd, SO_NETNS_COOKIE) != own_network;
}

int place_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	uint16_t port = name_is_inet(addr, len) ? name_port(addr) : 0;

	if (caller && binds_low_ports && port && port < low_ports &&
	    !client_binds_low_ports(((struct asking *)caller)->client, caller->elsewhere)) {
		errno = EACCES;
		return -1;
	}
	return (int)syscall(SYS_bind, fd, addr, len);
}

/* Ended, whether or not somebody has waited for it. Where descriptors are short, nobody can look. */
static bool is_gone(uint32_t tid, int error)
{
	struct status status;
	const char *state = status_read(&status, tid) ? status_words(&status, "State") : "";

	state += strspn(state, "\t ");
	return (*state == '\0' && error != -EMFILE && error != -ENFILE) || *state == 'Z' || *state == 'X';
}

void place_refuse(uint32_t tid, int error)
{
	static _Atomic uint32_t last;
	char words[512];
	struct text text = { .at = words, .size = sizeof(words) };

	if (error == -ESRCH || is_gone(tid, error) || atomic_exchange(&last, tid) == tid || !log_wants(LOG_LEVEL_ERROR))
		return;
	text_add(&text, "portshim: process ");
	text_add_number(&text, tid);
	text_add(&text, ": its network calls are refused: ");
	text_add(&text, error == -EPROTO ? "the policy is broken in the kernel's present port range" : strerror(-error));
	if (error == -EACCES || error == -EPERM)
		text_add(&text, "; it keeps others from looking into it (prctl(2), PR_SET_DUMPABLE), which takes CAP_SYS_PTRACE then");
	log_send(LOG_LEVEL_ERROR, &text);
}
