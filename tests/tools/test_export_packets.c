/* test_export_packets.c - what the rules of `portshim export` do to packets is what the policy says of them: random policies
 * that a firewall can hold wholly, loaded on a host, and packets of several users, from several ports, to several places,
 * each compared with what the policy's own match says. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>

#include "config/policy.h"
#include "tests/tools/packets.h"

#define FAR4_TOO "10.99.0.3"
#define FAR6_TOO "fd00:99::3"

enum { USERS = 3, PROTOCOLS = 2, PLACES = 5, PORTS = 4, POLICIES = 30 };

static const uid_t users[USERS] = { 0, 1234, 4321 };
static const struct { const char *address; uint16_t port; } places[PLACES] = {
	{ FAR4, 5000 }, { FAR4, 5001 }, { FAR4_TOO, 5000 }, { FAR6, 5000 }, { FAR6_TOO, 5001 },
};
static const uint16_t ports[PORTS] = { 20005, 20055, 20105, 30000 };
static int server[PROTOCOLS][PLACES];

typedef uint8_t outcomes[USERS][PROTOCOLS][PLACES][PORTS];

TestSuite(export_packets, .init = world_enter, .fini = world_leave, .timeout = 300);

/* --- packets --- */

/* In a process of its own, since it becomes that user. */
static void attempt_all(uid_t user, uint8_t of_user[PROTOCOLS][PLACES][PORTS])
{
	pid_t child = fork();
	int status;

	cr_assert(child >= 0);
	if (child == 0) {
		if (!become(user, user, user))
			_exit(1);
		for (unsigned int i = 0; i < PROTOCOLS; i++)
			for (unsigned int j = 0; j < PLACES; j++)
				for (unsigned int k = 0; k < PORTS; k++)
					of_user[i][j][k] = (uint8_t)attempt(server[i][j], i == 0, places[j].address,
					                                    places[j].port, ports[k]);
		_exit(0);
	}
	cr_assert(waitpid(child, &status, 0) == child && status == 0);
}

/* --- what the policy says --- */

static void heard(void *context, enum severity severity, int line, const char *words)
{
	cr_assert(severity != SEVERITY_ERROR, "line %d: %s\n%s", line, words, (const char *)context);
}

static enum outcome verdict(const struct view *view, uid_t user, unsigned int protocol, unsigned int place, uint16_t port)
{
	const struct identity identity = { .user = user, .group = user };
	struct question question = {
		.calls = CALL_CONNECT, .protocol = protocol == 0 ? PROTOCOL_TCP : PROTOCOL_UDP, .has_destination = true,
		.identity = &identity,
	};

	cr_assert(addr_parse(&question.destination.addr, places[place].address));
	question.destination.port = places[place].port;
	question.family = question.destination.addr.family;
	const struct rule *rule = view_match(view, &question);
	if (!rule || rule->action == ACTION_DENY)
		return REFUSED;
	return rule->action == ACTION_PASS || ports_contain(&rule->ports, port) ? LET_OUT : REFUSED;
}

static void compare(const char *text, outcomes *seen)
{
	const struct policy_world world = { .kernel = { 40000, 40999 } };
	const struct facts facts = { .executable = "", .started_as = "", .command = "", .environment = "", .cgroup = "" };
	struct policy policy;
	struct view view;

	cr_assert(policy_read(&policy, text, strlen(text), &world, heard, (void *)text));
	cr_assert(view_make(&view, &policy, &facts));
	for (unsigned int u = 0; u < USERS; u++)
		for (unsigned int i = 0; i < PROTOCOLS; i++)
			for (unsigned int j = 0; j < PLACES; j++)
				for (unsigned int k = 0; k < PORTS; k++)
					cr_expect_eq((*seen)[u][i][j][k], verdict(&view, users[u], i, j, ports[k]),
					             "user %u, %s from %u to %s port %u: outcome %u\n%s", users[u],
					             i ? "udp" : "tcp", ports[k], places[j].address, places[j].port,
					             (*seen)[u][i][j][k], text);
	view_free(&view);
	policy_free(&policy);
}

/* --- policies --- */

static const char *one_of(const char *const words[], unsigned int n)
{
	return words[(unsigned int)random() % n];
}

#define ONE_OF(...) one_of((const char *const[]){ __VA_ARGS__ }, \
	(unsigned int)(sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *)))

/* A rule of random conditions; an empty line where one is absent. */
static void rule_add(char *text, size_t size, unsigned int number)
{
	size_t at = strlen(text);
	const char *action = ONE_OF("", "", "", "action = pass", "action = deny");
	const char *to = ONE_OF("", "to = " FAR4 ":5000", "to = 10.99.0.0/24, [" FAR6 "]:5000",
	                        "to = *:5001, [fd00:99::/64]:5000-5001",
	                        "to = 10.99.0.2/31:5000, " FAR4 ":5000, " FAR4 ":5001, 10.0.0.0/8:4000-5000",
	                        "to = " FAR4_TOO ", [" FAR6_TOO "]");
	const char *family = ONE_OF("", "", "family = ipv4", "family = ipv6");
	const char *user = ONE_OF("", "", "user = 1234", "user = 0, 4321", "user = 4321");
	const char *protocol = ONE_OF("", "protocol = tcp", "protocol = udp");
	const char *set = ONE_OF("ports = 20000-20049", "ports = 20000-20149, !20050-20099", "ports = 20050-20059",
	                         "ports = 20105", "ports = 30000, 20005");

	if (to[0] && !strchr(to, '[')) /* a rule that never matches is refused */
		family = "";
	snprintf(text + at, size - at, "[rule r%u]\n%s\n%s\n%s\n%s\n%s\n%s\n", number, user, protocol, family, to, action,
	         action[0] ? "" : set);
}

static void policy_make(char *text, size_t size)
{
	unsigned int rules = 1 + (unsigned int)random() % 6;

	text[0] = '\0';
	for (unsigned int i = 0; i < rules; i++)
		rule_add(text, size, i);
}

static void far_addresses(void)
{
	shell("ip addr add " FAR4_TOO "/24 dev far && ip addr add " FAR6_TOO "/64 dev far nodad");
}

static void lay(void)
{
	wire_lay();
	far_do(far_addresses);
	for (unsigned int i = 0; i < PLACES; i++) {
		server[0][i] = far_tcp(places[i].address, places[i].port);
		server[1][i] = far_udp(places[i].address, places[i].port);
	}
}

static void compare_random_policies(unsigned int seed, const char *load)
{
	static char text[8192];
	outcomes *seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert(seen != MAP_FAILED);
	lay();
	srandom(seed);
	for (unsigned int i = 0; i < POLICIES; i++) {
		policy_make(text, sizeof(text));
		shell(load, file_make("policy", text));
		for (unsigned int u = 0; u < USERS; u++)
			attempt_all(users[u], (*seen)[u]);
		compare(text, seen);
	}
}

Test(export_packets, nft)
{
	char load[512];

	snprintf(load, sizeof(load), "%s export nft -c %%s | nft -f -", built("portshim"));
	compare_random_policies(1, load);
}

/* As portshim-export(1) has it: the old jump goes first. */
static void compare_iptables(const char *kind)
{
	char load[1000];

	snprintf(load, sizeof(load),
	         "policy=%%s; for ip in iptables ip6tables; do"
	         " $ip-%s -D OUTPUT -j PORTSHIM-OUT 2>/dev/null;"
	         " %s export $ip -c $policy | $ip-%s-restore --noflush || exit; done", kind, built("portshim"), kind);
	compare_random_policies(2, load);
}

Test(export_packets, iptables_nft)
{
	compare_iptables("nft");
}

Test(export_packets, iptables_legacy)
{
	compare_iptables("legacy");
}
