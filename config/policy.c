/* policy.c - a whole policy: read, checked, and laid out as what does not change any more. */
#include "policy.h"

#include <string.h>

#include "read.h"
#include "reading.h"
#include "value.h"

static struct reading *reading_start(const struct policy_world *world, policy_listener *listener, void *context)
{
	struct arena scratch = { NULL };
	struct reading *reading = arena_alloc(&scratch, sizeof(*reading));

	if (!reading) {
		listener(context, SEVERITY_ERROR, 0, "out of memory");
		return NULL;
	}
	reading->scratch = scratch;
	reading->before_any = true;
	findings_start(&reading->findings, listener, context);
	reading->policy.log = LOG_LEVEL_ERROR;
	reading->policy.kernel = world->kernel;
	reading->taking = (struct taking){
		.world = world, .policy = &reading->policy, .arena = &reading->policy.arena, .scratch = &reading->scratch,
		.findings = &reading->findings
	};
	return reading;
}

/* FNV-1a, 64 bits. */
static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *at = data;

	while (size-- > 0)
		hash = (hash ^ *at++) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t identify(const struct rule *rule)
{
	const uint8_t choose = (uint8_t)rule->choose;
	uint64_t id = mix(UINT64_C(0xcbf29ce484222325), rule->name, strlen(rule->name));

	id = mix(id, &choose, 1);
	id = mix(id, &rule->protocols, 1);
	id = mix(id, &rule->cooldown_ms, sizeof(rule->cooldown_ms));
	for (uint32_t i = 0; i < rule->ports.intervals; i++) {
		const struct port_interval *interval = &rule->ports.interval[i];

		id = mix(id, (uint16_t[]){ interval->lo, interval->hi }, 4);
	}
	return id ? id : 1;
}

static void lay_out_rules(struct reading *reading)
{
	struct policy *policy = &reading->policy;
	struct rule *rule = arena_alloc(&policy->arena, reading->rules * sizeof(*rule));

	reading->taking.no_memory = reading->taking.no_memory || !rule;
	if (!rule)
		return;
	policy->rule = rule;
	policy->rules = reading->rules;
	for (struct draft *draft = reading->first; draft; draft = draft->after) {
		*rule = draft->rule;
		rule->id = identify(rule);
		rule++;
		if (draft->rule.ports.uses_kernel || draft->rule.choose == CHOOSE_KERNEL)
			policy->uses_kernel_range = true;
	}
}

/* The policy, if nothing was wrong; the scratch memory is given back in any case. */
static bool reading_finish(struct reading *reading, struct policy *policy)
{
	struct arena scratch;
	bool good;

	lay_out_rules(reading);
	if (reading->taking.no_memory)
		findings_error(&reading->findings, 0, "out of memory");
	good = !reading->findings.errors;
	findings_flush(&reading->findings);
	if (good) {
		*policy = reading->policy;
		arena_seal(&policy->arena);
	} else {
		arena_free(&reading->policy.arena);
	}
	scratch = reading->scratch;
	arena_free(&scratch);
	return good;
}

bool policy_read(struct policy *policy, const char *text, size_t length, const struct policy_world *world,
                 policy_listener *listener, void *context)
{
	static const struct read_events events = {
		.section = reading_section, .value = reading_value, .refused = reading_refused
	};
	struct reading *reading = reading_start(world, listener, context);

	*policy = (struct policy){ 0 };
	if (!reading)
		return false;
	read_lines(text, length, &reading->findings, &events, reading);
	reading_section_end(reading);
	return reading_finish(reading, policy);
}

bool policy_from_ports(struct policy *policy, const char *ports, const struct policy_world *world,
                       policy_listener *listener, void *context)
{
	struct reading *reading = reading_start(world, listener, context);

	*policy = (struct policy){ 0 };
	if (!reading)
		return false;
	reading_rule(reading, "PORTSHIM_PORTS", true, 0);
	reading->taking.key = keys_find(SECTION_RULE, "ports", 5);
	if (reading->draft && !ports_parse(&reading->draft->rule.ports, ports, world->kernel, &reading->policy.arena,
	                                   value_complain(&reading->taking, NULL)))
		findings_add(&reading->findings, SEVERITY_ERROR, 0);
	return reading_finish(reading, policy);
}

void policy_free(struct policy *policy)
{
	arena_free(&policy->arena);
	*policy = (struct policy){ 0 };
}
