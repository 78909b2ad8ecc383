/* match.c - which rule decides a call: view_match(), which walks a process's narrowed view, against the policy read from its
 * beginning, one condition after the other, patterns by fnmatch(3). The input: 48 bytes that make process and call, then the policy. */
#define _GNU_SOURCE
#include <fnmatch.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "config/policy.h"

static void hear(void *context, enum severity severity, int line, const char *words)
{
	(void)context, (void)severity, (void)line, (void)words;
}

/* Patterns with what fnmatch(3) knows and the policy does not: left out. */
static bool is_common(const char *pattern)
{
	return !strstr(pattern, "[:") && !strstr(pattern, "[=") && !strstr(pattern, "[.") && !strstr(pattern, "[^");
}

static bool all_common(const struct string_list *list)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (!is_common(list->item[i]))
			return false;
	return true;
}

static bool fits(const char *pattern, const char *words)
{
	return fnmatch(pattern, words, 0) == 0;
}

static bool program_fits(const char *pattern, const char *path)
{
	const char *slash = strrchr(path, '/');

	return *path && fits(pattern, strchr(pattern, '/') || !slash ? path : slash + 1);
}

/* --- the plain way ----------------------------------------------------------------------------- */

static bool process_fits(const struct rule *rule, const struct facts *facts)
{
	bool program = !rule->program.n, command = !rule->command.n, cgroup = !rule->cgroup.n, env = !rule->env.n;

	for (uint32_t i = 0; i < rule->program.n; i++)
		program = program || program_fits(rule->program.item[i], facts->executable) ||
		          program_fits(rule->program.item[i], facts->started_as);
	for (uint32_t i = 0; i < rule->command.n; i++)
		command = command || fits(rule->command.item[i], facts->command);
	for (uint32_t i = 0; i < rule->cgroup.n; i++)
		cgroup = cgroup || fits(rule->cgroup.item[i], facts->cgroup);
	for (uint32_t i = 0; i < rule->env.n; i++) {
		const char *equals = strchr(rule->env.item[i], '=');
		char name[256];
		const char *value;

		snprintf(name, sizeof(name), "%.*s", (int)(equals - rule->env.item[i]), rule->env.item[i]);
		value = facts_variable_in(facts, name);
		env = env || (value && fits(equals + 1, value));
	}
	return program && command && cgroup && env;
}

static bool address_fits(const struct target *target, const struct endpoint *to)
{
	if (to->port < target->port_lo || to->port > target->port_hi)
		return false;
	if (!target->net.family)
		return true;
	return target->net.family == to->addr.family && !((to->addr.hi ^ target->net.hi) & target->mask_hi) &&
	       !((to->addr.lo ^ target->net.lo) & target->mask_lo);
}

static bool call_fits(const struct rule *rule, const struct question *question)
{
	bool to = !rule->n_to, user = !rule->user.n, group = !rule->group.n;

	for (uint32_t i = 0; i < rule->n_to; i++)
		to = to || (question->has_destination && address_fits(&rule->to[i], &question->destination));
	for (uint32_t i = 0; i < rule->user.n; i++)
		user = user || rule->user.item[i] == question->identity->user;
	for (uint32_t i = 0; i < rule->group.n; i++) {
		group = group || rule->group.item[i] == question->identity->group;
		for (size_t g = 0; g < question->identity->n_groups; g++)
			group = group || rule->group.item[i] == question->identity->groups[g];
	}
	return rule->calls & question->calls && rule->protocols & question->protocol && rule->families & question->family &&
	       (!rule->source.family || rule->source.family == question->family) && to && user && group;
}

/* --- the input ------------------------------------------------------------------------------------ */

static const char *one_of(struct bytes *bytes, const char *const words[], size_t n)
{
	return words[bytes_take(bytes, 1) % n];
}
#define ONE_OF(bytes, ...) one_of(bytes, (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static struct facts process_of(struct bytes *bytes)
{
	return (struct facts){
		.executable = ONE_OF(bytes, "", "/usr/bin/curl", "/opt/erp/bin/erp", "/a", "a/b[c]"),
		.started_as = ONE_OF(bytes, "", "curl", "/opt/erp/bin/start.sh", "*"),
		.command = ONE_OF(bytes, "", "curl -s http://example.org/", "a b", "x,y ;z"),
		.environment = ONE_OF(bytes, "\0", "HOME=/root\0TAG=a\0", "TAG=\0", "TAG=b\0TAG=a\0"),
		.cgroup = ONE_OF(bytes, "\0", "/system.slice/erp.service\0", "/\0"),
	};
}

/* A call as the library asks: one or two calls, one protocol, the family of the destination. */
static struct question call_of(struct bytes *bytes, const struct identity *identity)
{
	struct question question = {
		.calls = (uint8_t)(1u << bytes_take(bytes, 1) % 4), .protocol = (uint8_t)(1u << bytes_take(bytes, 1) % 5),
		.family = bytes_take(bytes, 1) & 1 ? FAMILY_IPV4 : FAMILY_IPV6, .identity = identity,
	};

	question.has_destination = question.calls & (CALL_CONNECT | CALL_SEND);
	if (question.has_destination) {
		question.destination.port = (uint16_t)bytes_take(bytes, 2);
		question.destination.addr.family = question.family;
		question.destination.addr.hi = question.family == FAMILY_IPV6 ? bytes_take(bytes, 8) : 0;
		question.destination.addr.lo = bytes_take(bytes, question.family == FAMILY_IPV6 ? 8 : 4);
	}
	return question;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct policy_world world = { .kernel = { 32768, 60999 }, .passwd = "", .group = "" };
	struct bytes bytes = { data, size < 48 ? size : 48 };
	struct facts facts = process_of(&bytes);
	gid_t groups[2] = { (gid_t)bytes_take(&bytes, 1) % 3, (gid_t)bytes_take(&bytes, 1) % 3 };
	struct identity identity = {
		(uid_t)bytes_take(&bytes, 1) % 3, (gid_t)bytes_take(&bytes, 1) % 3, groups, bytes_take(&bytes, 1) % 3,
	};
	struct question question = call_of(&bytes, &identity);
	const struct rule *plain = NULL, *found;
	struct policy policy;
	struct view view;

	if (size < 48 || !policy_read(&policy, (const char *)data + 48, size - 48, &world, hear, NULL))
		return 0;
	HOLDS(view_make(&view, &policy, &facts));
	found = view_match(&view, &question);
	for (uint32_t i = 0; i < policy.rules; i++) {
		const struct rule *rule = &policy.rule[i];

		if (!all_common(&rule->program) || !all_common(&rule->command) || !all_common(&rule->cgroup) || !all_common(&rule->env))
			goto out;
		if (!plain && process_fits(rule, &facts) && call_fits(rule, &question))
			plain = rule;
	}
	HOLDS(found == plain);
out:
	view_free(&view);
	policy_free(&policy);
	return 0;
}
