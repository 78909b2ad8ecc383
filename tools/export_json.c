/* export_json.c - `portshim export json`: the whole policy, for other programs. The format is that of portshim-export(1). */
#include "tools/export_plan.h"
#include "tools/json.h"
#include "tools/rule_words.h"

static void strings_print(struct json *json, const char *key, const struct string_list *list)
{
	json_open(json, key, '[');
	for (uint32_t i = 0; i < list->n; i++)
		json_words(json, NULL, list->item[i]);
	json_close(json, ']');
}

static void ids_print(struct json *json, const char *key, const struct id_list *list)
{
	json_open(json, key, '[');
	for (uint32_t i = 0; i < list->n; i++)
		json_number(json, NULL, list->item[i]);
	json_close(json, ']');
}

static void bits_print(struct json *json, const char *name, enum key_id key, unsigned int bits)
{
	json_open(json, name, '[');
	for (unsigned int bit = 1; bit <= bits; bit <<= 1)
		if (bits & bit)
			json_words(json, NULL, key_word(key, (int)bit));
	json_close(json, ']');
}

static void target_print(struct json *json, const struct target *target)
{
	unsigned int prefix = (unsigned int)(__builtin_popcountll(target->mask_hi) + __builtin_popcountll(target->mask_lo));
	const struct net address = { .addr = target->net, .prefix = 128 };
	json_open(json, NULL, '{');
	json_words(json, "address", target->net.family ? net_words(&address).at : NULL);
	if (target->net.family)
		json_number(json, "prefix", prefix);
	else
		json_words(json, "prefix", NULL);
	json_number(json, "first_port", target->port_lo);
	json_number(json, "last_port", target->port_hi);
	json_close(json, '}');
}

static void ports_print(struct json *json, const struct port_set *set)
{
	json_open(json, "ports", '[');
	for (uint32_t i = 0; i < set->intervals; i++) {
		json_open(json, NULL, '{');
		json_number(json, "first", set->interval[i].lo);
		json_number(json, "last", set->interval[i].hi);
		json_bool(json, "named", set->interval[i].named);
		json_close(json, '}');
	}
	json_close(json, ']');
}

/* What holds of the process and the call. */
static void conditions_print(struct json *json, const struct rule *rule)
{
	strings_print(json, "program", &rule->program);
	strings_print(json, "command", &rule->command);
	ids_print(json, "user", &rule->user);
	ids_print(json, "group", &rule->group);
	strings_print(json, "cgroup", &rule->cgroup);
	strings_print(json, "env", &rule->env);
	bits_print(json, "call", KEY_CALL, rule->calls);
	bits_print(json, "protocol", KEY_PROTOCOL, rule->protocols);
	bits_print(json, "family", KEY_FAMILY, rule->families);
	json_open(json, "to", '[');
	for (uint32_t i = 0; i < rule->n_to; i++)
		target_print(json, &rule->to[i]);
	json_close(json, ']');
}

static void rule_print(struct json *json, const struct rule *rule)
{
	bool assigns = rule->action == ACTION_ASSIGN;
	const struct net source = { .addr = rule->source, .prefix = 128 };
	json_open(json, NULL, '{');
	json_words(json, "rule", rule->name);
	json_number(json, "line", (uint64_t)rule->line);
	conditions_print(json, rule);
	json_words(json, "action", key_word(KEY_ACTION, (int)rule->action));
	if (assigns) {
		ports_print(json, &rule->ports);
		json_number(json, "count", rule->ports.count);
		json_words(json, "choose", key_word(KEY_CHOOSE, (int)rule->choose));
		json_words(json, "share", key_word(KEY_SHARE, (int)rule->share));
		json_number(json, "cooldown_ms", rule->cooldown_ms);
		json_words(json, "exhausted", key_word(KEY_EXHAUSTED, (int)rule->exhausted));
		json_number(json, "wait_ms", rule->wait_ms);
		json_words(json, "explicit", key_word(KEY_EXPLICIT, (int)rule->explicit_port));
		json_words(json, "source", rule->source.family ? net_words(&source).at : NULL);
	}
	json_close(json, '}');
}

bool export_json(const struct export *export)
{
	const struct policy *policy = export->policy;
	struct json json = { .to = export->to };
	json_open(&json, NULL, '{');
	json_words(&json, "policy", export->name);
	json_words(&json, "table", policy->table == TABLE_PATH ? policy->table_path : key_word(KEY_TABLE, (int)policy->table));
	json_words(&json, "log", key_word(KEY_LOG, (int)policy->log));
	json_words(&json, "log_to", policy->log_to == LOG_TO_PATH ? policy->log_path : key_word(KEY_LOG_TO, (int)policy->log_to));
	json_words(&json, "audit", policy->audit_path);
	json_open(&json, "rules", '[');
	for (uint32_t i = 0; i < policy->rules; i++)
		rule_print(&json, &policy->rule[i]);
	json_close(&json, ']');
	json_close(&json, '}');
	return true;
}
