/* explain_show.c - prints explanations. */
#define _GNU_SOURCE
#include "tools/explain_show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shim/way.h"
#include "tools/memory.h"
#include "tools/rule_words.h"
#include "tools/utf8.h"

/* --- words ------------------------------------------------------------------------------------------------ */

static const char *decision_word(enum decision decision)
{
	static const char *const words[] = {
		[DECISION_NO_RULE] = "none", [DECISION_NO_PORT] = "no-port", [DECISION_ASSIGN] = "assign",
		[DECISION_PASS] = "pass", [DECISION_DENY] = "deny", [DECISION_PUT_OFF] = "put-off",
	};
	return words[decision];
}

static const char *choose_words(const struct explanation *explanation)
{
	static const char *const words[] = {
		[CHOOSE_RANDOM] = "any free port, each as likely as the other",
		[CHOOSE_HASH] = "begins at a hash of the destination, goes on by one counter (RFC 6056, algorithm 3)",
		[CHOOSE_DOUBLE_HASH] = "begins at a hash of the destination, goes on by one of 16 counters (RFC 6056, algorithm 4)",
		[CHOOSE_RANDOM_INCREMENTS] = "a random step on from the last (RFC 6056, algorithm 5)",
		[CHOOSE_SEQUENTIAL] = "the next one behind the last",
		[CHOOSE_LEAST_RECENT] = "the one that has been unused for longest",
		[CHOOSE_STABLE] = "the same for the same program and destination, while it is free",
		[CHOOSE_KERNEL] = "one of the set that the kernel likes",
	};
	if (explanation->rule->choose == CHOOSE_KERNEL && !explanation->kernel_picks)
		return "the kernel cannot be handed the set for this call: any free port";
	return words[explanation->rule->choose];
}

/* The call that carries the decision out: a bind that was put off becomes another. */
static uint8_t call_of(const struct question *question)
{
	static const uint8_t order[] = { CALL_SEND, CALL_CONNECT, CALL_LISTEN };
	for (size_t i = 0; i < sizeof(order); i++)
		if (question->calls & order[i])
			return order[i];
	return CALL_BIND;
}

static const char *call_word(const struct question *question)
{
	return key_word(KEY_CALL, call_of(question));
}

static char *destination_words(const struct question *question)
{
	return question->has_destination ? endpoint_words(&question->destination) : NULL;
}

/* errno(3): by its number alone a program would have to know the machine. */
static const char *used_up_name(const struct question *question)
{
	switch (way_used_up(call_of(question), question->protocol)) {
	case EADDRINUSE: return "EADDRINUSE";
	case EADDRNOTAVAIL: return "EADDRNOTAVAIL";
	default: return "EAGAIN";
	}
}

enum { DURATION_ROOM = 32 };

static void duration_put(char words[DURATION_ROOM], uint64_t ms)
{
	if (ms % 1000)
		snprintf(words, DURATION_ROOM, "%" PRIu64 ".%03us", ms / 1000, (unsigned int)(ms % 1000));
	else
		snprintf(words, DURATION_ROOM, "%" PRIu64 "s", ms / 1000);
}

/* What happens when no port is free. */
static char *exhausted_words(const struct explanation *explanation)
{
	const struct rule *rule = explanation->rule;
	const char *name = used_up_name(&explanation->question);
	const char *call = call_word(&explanation->question);
	char duration[DURATION_ROOM];
	switch (rule->exhausted) {
	case EXHAUSTED_PASS:
		return memory_words("the kernel chooses another port");
	case EXHAUSTED_WAIT:
		duration_put(duration, rule->wait_ms);
		return memory_words("%s() waits up to %s for one, then fails with %s; on a non-blocking socket it does not wait",
		                    call, duration, name);
	default:
		return memory_words("%s() fails with %s", call, name);
	}
}

/* What becomes of a bind() to a port that the program names; NULL: it is kept. */
static const char *explicit_words(const struct explanation *explanation)
{
	if (explanation->question.calls != CALL_BIND)
		return NULL;
	switch (explanation->rule->explicit_port) {
	case EXPLICIT_ASSIGN: return "a port that the program names is replaced by one of these";
	case EXPLICIT_DENY: return "a port that the program names is refused with EPERM";
	default: return NULL;
	}
}

static const char *put_off_why(const struct rule *rule)
{
	return rule->n_to ? "it has 'to', and a bind() has no destination yet" :
	                    "it names the calls that have a destination, and not bind";
}

static bool is_counted(const struct explanation *explanation, const struct told *told)
{
	return told->counted && explanation->free_ports.known;
}

/* --- for people -------------------------------------------------------------------------------------------- */

static void title_print(const struct explanation *explanation, const struct told *told)
{
	const struct question *question = &explanation->question;
	const struct patient *patient = &told->subject->patient;
	char *to = destination_words(question), *user = user_words(told->subject->identity.user);
	bool fast = question->protocol == PROTOCOL_TCP && question->calls & CALL_SEND;
	printf("%s: %s()%s, %s over %s", patient->shown, call_word(question), fast ? " with MSG_FASTOPEN" : "",
	       key_word(KEY_PROTOCOL, question->protocol), key_word(KEY_FAMILY, question->family));
	if (to)
		printf(", to %s", to);
	printf("; user %s\n", user);
	free(to);
	free(user);
}

/* "rule web (FILE:12): words" */
static void rule_print(const struct rule *rule, const struct told *told, const char *words)
{
	char *name = utf8_cleaned(rule->name), *policy = utf8_cleaned(told->policy);
	if (rule->line)
		printf("rule %s (%s:%d): %s\n", name, policy, rule->line, words);
	else
		printf("rule %s: %s\n", name, words);
	free(policy);
	free(name);
}

static void missed_print(const struct explanation *explanation, const struct told *told)
{
	for (size_t i = 0; i < explanation->n_missed; i++) {
		const struct missed *missed = &explanation->missed[i];
		rule_print(missed->rule, told, "does not decide");
		for (unsigned int bit = 1; bit < CONDITIONS_END; bit <<= 1) {
			if (!(missed->conditions & bit))
				continue;
			char *words = condition_words(missed->rule, (enum condition)bit, &told->subject->patient.facts,
			                              &explanation->question);
			printf("    %s\n", words);
			free(words);
		}
	}
}

static void line_print(const char *name, const char *words)
{
	printf("    %-10s %s\n", name, words);
}

static void ways_print(const struct explanation *explanation)
{
	for (size_t i = 0; i < explanation->ways; i++) {
		const struct way *way = &explanation->way[i];
		printf("    %-10s ", way->name ? "way" : "left out");
		if (way->name)
			printf("%s, %s: ", way->name, way->shared ? "shared between destinations" : "exclusive");
		printf("%" PRIu32 " %s, %s\n", way->ports, way->ports == 1 ? "port" : "ports", way->why);
	}
}

static void free_print(const struct explanation *explanation, const struct told *told)
{
	const struct free_ports *counts = &explanation->free_ports;
	char *to = destination_words(&explanation->question);
	bool shares = way_shares(explanation->rule, &explanation->question);
	if (!is_counted(explanation, told))
		line_print("free", "not known: the kernel does not tell of such sockets here");
	else if (shares)
		printf("    %-10s %" PRIu32 " towards %s, %" PRIu32 " that nobody uses at all\n", "free", counts->towards, to,
		       counts->whole);
	else
		printf("    %-10s %" PRIu32 " that nobody uses\n", "free", counts->whole);
	free(to);
}

static void assigned_print(const struct explanation *explanation, const struct told *told)
{
	const struct rule *rule = explanation->rule;
	char *ports = ports_words(&rule->ports), *exhausted = exhausted_words(explanation);
	const char *named = explicit_words(explanation);
	char duration[DURATION_ROOM];
	printf("    %-10s %s: %" PRIu32 " in all\n", "ports", ports, rule->ports.count);
	ways_print(explanation);
	printf("    %-10s %s: %s\n", "choose", key_word(KEY_CHOOSE, (int)rule->choose), choose_words(explanation));
	duration_put(duration, rule->cooldown_ms);
	if (rule->cooldown_ms)
		printf("    %-10s a port that came back less than %s ago goes last\n", "cooldown", duration);
	if (rule->source.family) {
		char *source = address_words(&rule->source);
		printf("    %-10s bound to %s where the program binds no address itself\n", "source", source);
		free(source);
	}
	free_print(explanation, told);
	line_print("exhausted", exhausted);
	if (named)
		line_print("explicit", named);
	free(ports);
	free(exhausted);
}

static void decision_print(const struct explanation *explanation, const struct told *told)
{
	const struct rule *rule = explanation->rule;
	char *words;
	switch (explanation->decision) {
	case DECISION_NO_PORT:
		printf("    such a call gives no socket a port: it passes, whatever a rule says\n");
		break;
	case DECISION_NO_RULE:
		puts("no rule concerns the call: the kernel chooses the port");
		break;
	case DECISION_ASSIGN:
		rule_print(rule, told, "decides: a port of its set is assigned");
		assigned_print(explanation, told);
		break;
	case DECISION_PASS:
		rule_print(rule, told, "decides: the call is left alone, and the kernel chooses the port");
		break;
	case DECISION_DENY:
		rule_print(rule, told, "decides: the call is refused with EPERM");
		break;
	case DECISION_PUT_OFF:
		words = memory_words("puts the port off: %s", put_off_why(rule));
		rule_print(rule, told, words);
		line_print("until", "connect(), send() or listen() decides, or the program asks for the socket's name");
		free(words);
		break;
	}
}

void explanation_print(const struct explanation *explanation, const struct told *told)
{
	title_print(explanation, told);
	missed_print(explanation, told);
	decision_print(explanation, told);
}

/* --- for programs ------------------------------------------------------------------------------------------- */

/* NULL is null; the words are freed. */
static void words_json(struct json *json, const char *key, char *words)
{
	json_words(json, key, words);
	free(words);
}

static void missed_json(struct json *json, const struct explanation *explanation, const struct told *told)
{
	json_open(json, "missed", '[');
	for (size_t i = 0; i < explanation->n_missed; i++) {
		const struct missed *missed = &explanation->missed[i];
		json_open(json, NULL, '{');
		json_words(json, "rule", missed->rule->name);
		json_number(json, "line", (uint64_t)missed->rule->line);
		json_open(json, "conditions", '[');
		for (unsigned int bit = 1; bit < CONDITIONS_END; bit <<= 1) {
			if (!(missed->conditions & bit))
				continue;
			json_open(json, NULL, '{');
			json_words(json, "condition", condition_key((enum condition)bit));
			words_json(json, "words", condition_words(missed->rule, (enum condition)bit,
			                                          &told->subject->patient.facts, &explanation->question));
			json_close(json, '}');
		}
		json_close(json, ']');
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void ways_json(struct json *json, const struct explanation *explanation)
{
	json_open(json, "ways", '[');
	for (size_t i = 0; i < explanation->ways; i++) {
		const struct way *way = &explanation->way[i];
		json_open(json, NULL, '{');
		json_words(json, "way", way->name);
		if (way->name)
			json_bool(json, "shared", way->shared);
		json_number(json, "ports", way->ports);
		json_words(json, "why", way->why);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void free_json(struct json *json, const struct explanation *explanation, const struct told *told)
{
	const struct free_ports *counts = &explanation->free_ports;
	json_open(json, "free", '{');
	if (is_counted(explanation, told) && way_shares(explanation->rule, &explanation->question))
		json_number(json, "towards", counts->towards);
	else
		json_words(json, "towards", NULL);
	if (is_counted(explanation, told))
		json_number(json, "whole", counts->whole);
	else
		json_words(json, "whole", NULL);
	json_close(json, '}');
}

static void assigned_json(struct json *json, const struct explanation *explanation, const struct told *told)
{
	const struct rule *rule = explanation->rule;
	json_open(json, "assign", '{');
	words_json(json, "ports", ports_words(&rule->ports));
	json_number(json, "count", rule->ports.count);
	ways_json(json, explanation);
	json_words(json, "choose", key_word(KEY_CHOOSE, (int)rule->choose));
	json_bool(json, "kernel_picks", explanation->kernel_picks);
	json_thousandths(json, "cooldown", rule->cooldown_ms);
	free_json(json, explanation, told);
	json_words(json, "exhausted", key_word(KEY_EXHAUSTED, (int)rule->exhausted));
	json_thousandths(json, "wait", rule->wait_ms);
	json_words(json, "errno", used_up_name(&explanation->question));
	json_words(json, "explicit", key_word(KEY_EXPLICIT, (int)rule->explicit_port));
	json_close(json, '}');
}

void explanation_json(struct json *json, const struct explanation *explanation, const struct told *told)
{
	const struct question *question = &explanation->question;
	json_open(json, NULL, '{');
	json_words(json, "call", call_word(question));
	json_words(json, "protocol", key_word(KEY_PROTOCOL, question->protocol));
	json_words(json, "family", key_word(KEY_FAMILY, question->family));
	words_json(json, "destination", destination_words(question));
	json_words(json, "decision", decision_word(explanation->decision));
	json_words(json, "rule", explanation->rule ? explanation->rule->name : NULL);
	if (explanation->rule)
		json_number(json, "line", (uint64_t)explanation->rule->line);
	else
		json_words(json, "line", NULL);
	missed_json(json, explanation, told);
	if (explanation->rule && explanation->decision == DECISION_ASSIGN)
		assigned_json(json, explanation, told);
	json_close(json, '}');
}
