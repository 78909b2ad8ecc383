/* policy.c - any bytes as a policy: every finding is one line with a place in the file; what is accepted reads, when it is printed,
 * as the same policy again, without a finding; and what it decides is what its rules say one by one. */
#define _GNU_SOURCE
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/print_policy.h"

struct heard {
	int errors, lines, last;
};

static void hear(void *context, enum severity severity, int line, const char *words)
{
	struct heard *heard = context;

	heard->errors += severity == SEVERITY_ERROR;
	HOLDS(line >= 0 && line <= heard->lines && (line == 0 || line >= heard->last));
	HOLDS(*words && !strpbrk(words, "\n\r\033"));
	heard->last = line ? line : heard->last;
}

static bool read_it(struct policy *policy, const char *text, size_t size, int *findings)
{
	static const struct policy_world world = {
		.kernel = { 32768, 60999 }, .passwd = "root:x:0:0::/:/bin/sh\nann:x:1000:1000::/:/bin/sh\n", .group = "wheel:x:10:ann\n",
	};
	struct heard heard = { .lines = 1 };
	bool good;

	for (size_t i = 0; i < size; i++)
		heard.lines += text[i] == '\n';
	good = policy_read(policy, text, size, &world, hear, &heard);
	HOLDS(good == !heard.errors);
	*findings = heard.errors;
	return good;
}

static bool same_string(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_strings(const struct string_list *a, const struct string_list *b)
{
	bool same = a->n == b->n;

	for (uint32_t i = 0; same && i < a->n; i++)
		same = same_string(a->item[i], b->item[i]);
	return same;
}

static bool same_ids(const struct id_list *a, const struct id_list *b)
{
	return a->n == b->n && (!a->n || memcmp(a->item, b->item, a->n * sizeof(*a->item)) == 0);
}

static bool same_addr(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family == b->family && a->hi == b->hi && a->lo == b->lo;
}

static bool same_targets(const struct rule *a, const struct rule *b)
{
	bool same = a->n_to == b->n_to;

	for (uint32_t i = 0; same && i < a->n_to; i++)
		same = same_addr(&a->to[i].net, &b->to[i].net) && a->to[i].mask_hi == b->to[i].mask_hi &&
		       a->to[i].mask_lo == b->to[i].mask_lo && a->to[i].port_lo == b->to[i].port_lo &&
		       a->to[i].port_hi == b->to[i].port_hi;
	return same;
}

static bool same_ports(const struct port_set *a, const struct port_set *b)
{
	bool same = a->intervals == b->intervals && a->count == b->count && a->uses_kernel == b->uses_kernel;

	for (uint32_t i = 0; same && i < a->intervals; i++)
		same = a->interval[i].lo == b->interval[i].lo && a->interval[i].hi == b->interval[i].hi &&
		       a->interval[i].before == b->interval[i].before && a->interval[i].named == b->interval[i].named;
	return same;
}

static void is_same_rule(const struct rule *a, const struct rule *b)
{
	HOLDS(same_string(a->name, b->name) && a->id == b->id);
	HOLDS(same_strings(&a->program, &b->program) && same_strings(&a->command, &b->command));
	HOLDS(same_strings(&a->cgroup, &b->cgroup) && same_strings(&a->env, &b->env));
	HOLDS(same_ids(&a->user, &b->user) && same_ids(&a->group, &b->group));
	HOLDS(a->calls == b->calls && a->protocols == b->protocols && a->families == b->families);
	HOLDS(same_targets(a, b) && a->action == b->action && same_ports(&a->ports, &b->ports));
	HOLDS(a->choose == b->choose && a->share == b->share && a->cooldown_ms == b->cooldown_ms);
	HOLDS(a->exhausted == b->exhausted && a->wait_ms == b->wait_ms && a->explicit_port == b->explicit_port);
	HOLDS(same_addr(&a->source, &b->source));
}

static void is_same(const struct policy *a, const struct policy *b)
{
	HOLDS(a->rules == b->rules && a->table == b->table && a->log == b->log && a->log_to == b->log_to);
	HOLDS(same_string(a->table_path, b->table_path) && same_string(a->log_path, b->log_path));
	HOLDS(same_string(a->audit_path, b->audit_path) && a->uses_kernel_range == b->uses_kernel_range);
	for (uint32_t i = 0; i < a->rules; i++)
		is_same_rule(&a->rule[i], &b->rule[i]);
}

/* A set is sorted, without gaps that are none, and counts right. */
static void is_sound(const struct rule *rule)
{
	const struct port_set *set = &rule->ports;
	uint32_t count = 0;

	HOLDS(rule->id && *rule->name && rule->line > 0);
	HOLDS((rule->action == ACTION_ASSIGN) == (set->count > 0));
	for (uint32_t i = 0; i < set->intervals; i++) {
		const struct port_interval *at = &set->interval[i];

		HOLDS(at->lo >= 1 && at->lo <= at->hi && at->before == count);
		HOLDS(!i || at->lo > at[-1].hi);
		HOLDS(ports_nth(set, count, NULL) == at->lo && ports_contain(set, at->hi));
		count += at->hi - at->lo + 1u;
	}
	HOLDS(count == set->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy policy, again;
	char *text = NULL;
	size_t length;
	FILE *out;
	int findings;

	if (!read_it(&policy, (const char *)data, size, &findings))
		return 0;
	out = open_memstream(&text, &length);
	HOLDS(out);
	policy_print(out, &policy);
	HOLDS(fclose(out) == 0);
	for (uint32_t i = 0; i < policy.rules; i++)
		is_sound(&policy.rule[i]);
	if (!read_it(&again, text, length, &findings)) {
		fprintf(stderr, "--- printed\n%s", text);
		HOLDS(!"what was printed is read");
	}
	is_same(&policy, &again);
	policy_free(&again);
	policy_free(&policy);
	free(text);
	return 0;
}
