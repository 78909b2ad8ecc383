/* keys.c - one table of the format's keys, and the functions that check their values and fill the rule. */
#include "keys.h"

#include <string.h>

#include "value.h"

static const struct word table_words[] = { { "auto", TABLE_AUTO }, { "none", TABLE_NONE }, { NULL, 0 } };
static const struct word log_words[] = {
	{ "none", LOG_LEVEL_NONE }, { "error", LOG_LEVEL_ERROR }, { "warning", LOG_LEVEL_WARNING },
	{ "info", LOG_LEVEL_INFO }, { "debug", LOG_LEVEL_DEBUG }, { NULL, 0 }
};
static const struct word log_to_words[] = { { "stderr", LOG_TO_STDERR }, { "syslog", LOG_TO_SYSLOG }, { NULL, 0 } };
static const struct word call_words[] = {
	{ "connect", CALL_CONNECT }, { "send", CALL_SEND }, { "bind", CALL_BIND }, { "listen", CALL_LISTEN }, { NULL, 0 }
};
static const struct word protocol_words[] = {
	{ "tcp", PROTOCOL_TCP }, { "udp", PROTOCOL_UDP }, { "sctp", PROTOCOL_SCTP }, { "dccp", PROTOCOL_DCCP },
	{ "udplite", PROTOCOL_UDPLITE }, { "mptcp", PROTOCOL_TCP }, { NULL, 0 }
};
static const struct word family_words[] = { { "ipv4", FAMILY_IPV4 }, { "ipv6", FAMILY_IPV6 }, { NULL, 0 } };
static const struct word action_words[] = {
	{ "assign", ACTION_ASSIGN }, { "pass", ACTION_PASS }, { "deny", ACTION_DENY }, { NULL, 0 }
};
static const struct word choose_words[] = {
	{ "random", CHOOSE_RANDOM }, { "hash", CHOOSE_HASH }, { "double-hash", CHOOSE_DOUBLE_HASH },
	{ "random-increments", CHOOSE_RANDOM_INCREMENTS }, { "sequential", CHOOSE_SEQUENTIAL },
	{ "least-recent", CHOOSE_LEAST_RECENT }, { "stable", CHOOSE_STABLE }, { "kernel", CHOOSE_KERNEL }, { NULL, 0 }
};
static const struct word share_words[] = {
	{ "destination", SHARE_DESTINATION }, { "never", SHARE_NEVER }, { NULL, 0 }
};
static const struct word exhausted_words[] = {
	{ "fail", EXHAUSTED_FAIL }, { "pass", EXHAUSTED_PASS }, { "wait", EXHAUSTED_WAIT }, { NULL, 0 }
};
static const struct word explicit_words[] = {
	{ "keep", EXPLICIT_KEEP }, { "assign", EXPLICIT_ASSIGN }, { "deny", EXPLICIT_DENY }, { NULL, 0 }
};

/* --- [portshim] -------------------------------------------------------------------------------- */

static bool take_table(struct taking *taking, const struct item *item, uint32_t n)
{
	int value = TABLE_AUTO;
	bool good = value_word_or_path(taking, item, TABLE_PATH, &value, &taking->policy->table_path);

	(void)n;
	taking->policy->table = (enum table_kind)value;
	return good;
}

static bool take_log(struct taking *taking, const struct item *item, uint32_t n)
{
	int value = LOG_LEVEL_ERROR;
	bool good = value_word(taking, item, &value);

	(void)n;
	taking->policy->log = (enum log_level)value;
	return good;
}

static bool take_log_to(struct taking *taking, const struct item *item, uint32_t n)
{
	int value = LOG_TO_STDERR;
	bool good = value_word_or_path(taking, item, LOG_TO_PATH, &value, &taking->policy->log_path);

	(void)n;
	taking->policy->log_to = (enum log_target)value;
	return good;
}

static bool take_audit(struct taking *taking, const struct item *item, uint32_t n)
{
	(void)n;
	if (*item->words != '/')
		return value_refuse(taking, item, "is no absolute path; write one that begins with '/'");
	taking->policy->audit_path = value_keep(taking, item->words);
	return taking->policy->audit_path != NULL;
}

/* --- [rule NAME] ------------------------------------------------------------------------------- */

static bool take_program(struct taking *taking, const struct item *item, uint32_t n)
{
	return value_strings(taking, item, n, &taking->rule->program, value_is_glob);
}

static bool take_command(struct taking *taking, const struct item *item, uint32_t n)
{
	return value_strings(taking, item, n, &taking->rule->command, value_is_glob);
}

static bool take_cgroup(struct taking *taking, const struct item *item, uint32_t n)
{
	return value_strings(taking, item, n, &taking->rule->cgroup, value_is_glob);
}

static bool take_env(struct taking *taking, const struct item *item, uint32_t n)
{
	return value_strings(taking, item, n, &taking->rule->env, value_is_env);
}

static bool take_call(struct taking *taking, const struct item *item, uint32_t n)
{
	return value_bits(taking, item, n, &taking->rule->calls);
}

static bool take_protocol(struct taking *taking, const struct item *item, uint32_t n)
{
	return value_bits(taking, item, n, &taking->rule->protocols);
}

static bool take_family(struct taking *taking, const struct item *item, uint32_t n)
{
	return value_bits(taking, item, n, &taking->rule->families);
}

static bool take_to(struct taking *taking, const struct item *item, uint32_t n)
{
	struct target *targets = arena_alloc(taking->arena, n * sizeof(*targets));
	bool good = true;

	taking->no_memory = taking->no_memory || !targets;
	for (uint32_t i = 0; targets && i < n; i++) {
		if (target_parse(&targets[i], item[i].words, value_complain(taking, item[i].words)))
			continue;
		findings_add(taking->findings, SEVERITY_ERROR, item[i].line);
		good = false;
	}
	taking->rule->to = targets;
	taking->rule->n_to = n;
	return good && targets;
}

static bool take_action(struct taking *taking, const struct item *item, uint32_t n)
{
	int value = ACTION_ASSIGN;
	bool good = value_word(taking, item, &value);

	(void)n;
	taking->rule->action = (enum action)value;
	return good;
}

static bool take_ports(struct taking *taking, const struct item *item, uint32_t n)
{
	bool good = true;

	taking->ports = ports_begin(taking->ports, taking->world->kernel, taking->scratch);
	taking->no_memory = taking->no_memory || !taking->ports;
	for (uint32_t i = 0; taking->ports && i < n; i++) {
		if (ports_add(taking->ports, item[i].words, value_complain(taking, NULL)))
			continue;
		findings_add(taking->findings, SEVERITY_ERROR, item[i].line);
		good = false;
	}
	if (!good || !taking->ports)
		return false;
	good = ports_end(taking->ports, &taking->rule->ports, taking->arena, value_complain(taking, NULL));
	taking->no_memory = taking->no_memory || (!good && taking->rule->ports.intervals);
	if (!good && !taking->no_memory)
		findings_add(taking->findings, SEVERITY_ERROR, item->line);
	return good;
}

static bool take_choose(struct taking *taking, const struct item *item, uint32_t n)
{
	int value = CHOOSE_RANDOM;
	bool good = value_word(taking, item, &value);

	(void)n;
	taking->rule->choose = (enum choose)value;
	return good;
}

static bool take_share(struct taking *taking, const struct item *item, uint32_t n)
{
	int value = SHARE_DESTINATION;
	bool good = value_word(taking, item, &value);

	(void)n;
	taking->rule->share = (enum share)value;
	return good;
}

static bool take_cooldown(struct taking *taking, const struct item *item, uint32_t n)
{
	const char *wrong = value_duration(item->words, &taking->rule->cooldown_ms);

	(void)n;
	return wrong ? value_refuse(taking, item, wrong) : true;
}

/* "fail", "pass", "wait 5s" */
static bool take_exhausted(struct taking *taking, const struct item *item, uint32_t n)
{
	int value = EXHAUSTED_FAIL;
	const char *wrong;

	(void)n;
	if (strncmp(item->words, "wait", 4) == 0 && strchr(" \t", item->words[4])) {
		const char *duration = item->words + 4;

		duration += strspn(duration, " \t");
		if (!*duration)
			return value_refuse(taking, item, "does not say how long; write for example wait 5s");
		wrong = value_duration(duration, &taking->rule->wait_ms);
		if (!wrong && taking->rule->wait_ms == 0)
			wrong = "waits no time at all; write fail, or for example wait 5s";
		if (wrong)
			return value_refuse(taking, item, wrong);
		value = EXHAUSTED_WAIT;
	} else if (!value_word(taking, item, &value)) {
		return false;
	}
	taking->rule->exhausted = (enum exhausted)value;
	return true;
}

static bool take_explicit(struct taking *taking, const struct item *item, uint32_t n)
{
	int value = EXPLICIT_KEEP;
	bool good = value_word(taking, item, &value);

	(void)n;
	taking->rule->explicit_port = (enum explicit_port)value;
	return good;
}

static bool take_source(struct taking *taking, const struct item *item, uint32_t n)
{
	struct ip_addr *source = &taking->rule->source;

	(void)n;
	if (!addr_parse(source, item->words))
		return value_refuse(taking, item, "is no address; write one of this host's, alone, as in 192.0.2.10 or 2001:db8::10");
	if (!source->hi && !source->lo)
		return value_refuse(taking, item, "means any address; leave 'source' out, or write one of this host's");
	if (source->family == FAMILY_IPV6 && source->hi >> 54 == 0xfe80 >> 6)
		return value_refuse(taking, item, "is link-local, one on each interface; write a global address of this host's");
	return true;
}

/* --- the table --------------------------------------------------------------------------------- */

static const struct key keys[] = {
	[KEY_TABLE] = { "table", SECTION_PORTSHIM, false, table_words, take_table },
	[KEY_LOG] = { "log", SECTION_PORTSHIM, false, log_words, take_log },
	[KEY_LOG_TO] = { "log-to", SECTION_PORTSHIM, false, log_to_words, take_log_to },
	[KEY_AUDIT] = { "audit", SECTION_PORTSHIM, false, NULL, take_audit },
	[KEY_PROGRAM] = { "program", SECTION_RULE, true, NULL, take_program },
	[KEY_COMMAND] = { "command", SECTION_RULE, true, NULL, take_command },
	[KEY_USER] = { "user", SECTION_RULE, true, NULL, take_user },
	[KEY_GROUP] = { "group", SECTION_RULE, true, NULL, take_group },
	[KEY_CGROUP] = { "cgroup", SECTION_RULE, true, NULL, take_cgroup },
	[KEY_ENV] = { "env", SECTION_RULE, true, NULL, take_env },
	[KEY_CALL] = { "call", SECTION_RULE, true, call_words, take_call },
	[KEY_PROTOCOL] = { "protocol", SECTION_RULE, true, protocol_words, take_protocol },
	[KEY_FAMILY] = { "family", SECTION_RULE, true, family_words, take_family },
	[KEY_TO] = { "to", SECTION_RULE, true, NULL, take_to },
	[KEY_ACTION] = { "action", SECTION_RULE, false, action_words, take_action },
	[KEY_PORTS] = { "ports", SECTION_RULE, true, NULL, take_ports },
	[KEY_CHOOSE] = { "choose", SECTION_RULE, false, choose_words, take_choose },
	[KEY_SHARE] = { "share", SECTION_RULE, false, share_words, take_share },
	[KEY_COOLDOWN] = { "cooldown", SECTION_RULE, false, NULL, take_cooldown },
	[KEY_EXHAUSTED] = { "exhausted", SECTION_RULE, false, exhausted_words, take_exhausted },
	[KEY_EXPLICIT] = { "explicit", SECTION_RULE, false, explicit_words, take_explicit },
	[KEY_SOURCE] = { "source", SECTION_RULE, false, NULL, take_source },
};
_Static_assert(sizeof(keys) / sizeof(keys[0]) == KEYS, "each key has its row");

const struct key *keys_table(size_t *n)
{
	*n = KEYS;
	return keys;
}

const struct key *keys_find(enum section section, const char *name, size_t length)
{
	for (size_t i = 0; i < KEYS; i++)
		if ((keys[i].section & section) && strlen(keys[i].name) == length && memcmp(keys[i].name, name, length) == 0)
			return &keys[i];
	return NULL;
}

bool keys_take(struct taking *taking, const struct key *key, const struct item *item, uint32_t n)
{
	taking->key = key;
	return key->take(taking, item, n);
}
