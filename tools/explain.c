/* explain.c - `portshim explain`: which rule would decide a call, why no earlier one does, and what comes of it. */
#define _GNU_SOURCE
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/bind.h"
#include "tools/commands.h"
#include "tools/explain_show.h"
#include "tools/memory.h"
#include "tools/message.h"
#include "tools/policy_file.h"
#include "tools/rule_words.h"
#include "tools/table_file.h"

enum { DESTINATIONS_MAX = 2 }; /* one of each family */

struct destinations {
	struct endpoint to[DESTINATIONS_MAX];
	size_t n;
};

struct options {
	const char *config, *ports;
	struct assumed assumed;
	char **env;
	size_t n_env;
	uint32_t pid;                /* 0: a command */
	uint8_t call, protocol;
	bool ipv6, json, help;
	struct destinations to;
	char **command;
};

static void usage_print(void)
{
	fputs("Usage: portshim explain [OPTION...] PROTOCOL ADDRESS:PORT [--] COMMAND [ARGUMENT...]\n"
	      "       portshim explain [OPTION...] --pid=PID PROTOCOL ADDRESS:PORT\n\n"
	      "Says which rule decides a call, why no earlier one does, which ports it gives, and how.\n"
	      "Nothing is started, nothing is sent but the look-up of a name.\n\n"
	      "PROTOCOL is tcp, udp, sctp, dccp or udplite. IPv6 addresses stand in brackets. For --call=bind and\n"
	      "--call=listen write - in the place of ADDRESS:PORT, or nothing.\n\n"
	      "  -c, --config=FILE   the policy file (without -c and -p: the one that the program would find)\n"
	      "  -p, --ports=PORTS   a policy of one rule: these ports, for example 20000-20099,!20050\n"
	      "      --pid=PID       a process instead of a command\n"
	      "      --user=USER     as if it ran as this user, by name or number, with the user's groups\n"
	      "      --group=GROUP   as if this were its group\n"
	      "      --cgroup=PATH   as if it were in this cgroup\n"
	      "      --env=NAME=VALUE\n"
	      "                      as if this were in its environment; may be repeated\n"
	      "      --call=CALL     connect (default), send, bind or listen; bind with an address: a bind() to\n"
	      "                      port 0, then a connect()\n"
	      "  -6, --ipv6          of a call without an address: on an IPv6 socket\n"
	      "      --json          one JSON object\n"
	      "  -h, --help          show this\n\n"
	      "Exit code: 0; 1 if there is no such process or command; 2 for wrong usage or an invalid policy.\n", stdout);
}

static bool usage_wrong(const char *words, const char *what)
{
	say_error("explain: %s%s; see 'portshim explain --help'", words, what);
	return false;
}

/* --- the destination ----------------------------------------------------------------------------------------- */

/* "ADDRESS" and "PORT" of "ADDRESS:PORT", brackets taken off; to be freed. NULL: it is none. */
static char *split(const char *words, const char **port)
{
	const char *colon = strrchr(words, ':');
	uint64_t number;
	if (!colon || colon == words || !text_to_number(colon + 1, strlen(colon + 1), UINT16_MAX, &number) || number == 0)
		return NULL;
	bool bracketed = words[0] == '[' && colon[-1] == ']';
	char *host = bracketed ? memory_words("%.*s", (int)(colon - words) - 2, words + 1) :
	                         memory_words("%.*s", (int)(colon - words), words);
	if (host[0] == '\0' || (strchr(host, ':') != NULL) != bracketed) {
		free(host);
		return NULL;
	}
	*port = colon + 1;
	return host;
}

/* The first of each family, v4-mapped as IPv4 and 0.0.0.0 and :: as loopback, as the library has them. */
static void keep_address(struct destinations *to, const struct addrinfo *found)
{
	struct endpoint endpoint;
	if (!name_read(&endpoint, found->ai_addr, found->ai_addrlen, found->ai_family == AF_INET6))
		return;
	for (size_t i = 0; i < to->n; i++)
		if (to->to[i].addr.family == endpoint.addr.family)
			return;
	if (to->n < DESTINATIONS_MAX)
		to->to[to->n++] = endpoint;
}

/* Numeric if it can be; else a name. */
static int look_up(struct addrinfo **found, const char *host, const char *port)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
	                          .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	int error = getaddrinfo(host, port, &hints, found);
	if (error != EAI_NONAME)
		return error;
	hints.ai_flags = AI_NUMERICSERV;
	return getaddrinfo(host, port, &hints, found);
}

static bool destination_read(struct destinations *to, const char *words)
{
	struct addrinfo *found = NULL;
	const char *port;
	char *host = split(words, &port);
	if (!host)
		return usage_wrong("no address and port, as in 192.0.2.1:443, [2001:db8::1]:443 or host:443: ", words);
	int error = look_up(&found, host, port);
	free(host);
	for (const struct addrinfo *at = error ? NULL : found; at; at = at->ai_next)
		keep_address(to, at);
	if (!error)
		freeaddrinfo(found);
	if (to->n > 0)
		return true;
	say_error("explain: %s: %s; write its address", words, error ? gai_strerror(error) : "has no IP address");
	return false;
}

/* --- the command line ------------------------------------------------------------------------------------------ */

static bool call_read(struct options *options, const char *name)
{
	int call = 0;
	if (!key_value(KEY_CALL, name, &call))
		return usage_wrong("--call must be connect, send, bind or listen, not ", name);
	options->call = (uint8_t)call;
	return true;
}

static bool pid_read(struct options *options, const char *words)
{
	uint64_t pid;
	if (!text_to_number(words, strlen(words), INT32_MAX, &pid) || pid == 0)
		return usage_wrong("--pid must be the number of a process, not ", words);
	options->pid = (uint32_t)pid;
	return true;
}

static bool env_add(struct options *options, char *variable)
{
	if (variable[0] == '=' || !strchr(variable, '='))
		return usage_wrong("--env must be NAME=VALUE, not ", variable);
	options->env[options->n_env++] = variable;
	return true;
}

/* Whether the call may be without a destination, and this word, the one behind PROTOCOL, is none. */
static bool is_without(const struct options *options, const char *word)
{
	const char *port;
	char *host = word ? split(word, &port) : NULL;
	bool is_address = host != NULL;
	free(host);
	return options->call & (CALL_BIND | CALL_LISTEN) && !is_address;
}

/* PROTOCOL, ADDRESS:PORT and the command. */
static bool words_read(struct options *options, char **word)
{
	int protocol = 0;
	if (!*word)
		return usage_wrong("no protocol", "");
	if (!key_value(KEY_PROTOCOL, *word, &protocol))
		return usage_wrong("the protocol must be tcp, udp, sctp, dccp or udplite, not ", *word);
	options->protocol = (uint8_t)protocol;
	word++;
	if (is_without(options, *word)) {
		if (*word && strcmp(*word, "-") == 0)
			word++;
	} else if (options->call == CALL_LISTEN) {
		return usage_wrong("a listen() has no destination: write - in its place, not ", *word);
	} else if (!*word) {
		return usage_wrong("no destination", "");
	} else if (!destination_read(&options->to, *word++)) {
		return false;
	}
	if (*word && strcmp(*word, "--") == 0)
		word++;
	options->command = word;
	if (options->pid && *word)
		return usage_wrong("--pid and a command exclude each other: ", *word);
	return options->pid || *word || usage_wrong("no command; name one, or a process with --pid", "");
}

static bool option_read(struct options *options, int option, char **argv)
{
	switch (option) {
	case 'c': options->config = optarg; return true;
	case 'p': options->ports = optarg; return true;
	case 'P': return pid_read(options, optarg);
	case 'u': options->assumed.user = optarg; return true;
	case 'g': options->assumed.group = optarg; return true;
	case 'C': options->assumed.cgroup = optarg; return true;
	case 'e': return env_add(options, optarg);
	case 'k': return call_read(options, optarg);
	case '6': options->ipv6 = true; return true;
	case 'j': options->json = true; return true;
	case 'h': options->help = true; return true;
	case ':': return usage_wrong("a value is missing after ", argv[optind - 1]);
	default: return usage_wrong("no such option: ", argv[optind > 1 ? optind - 1 : 1]);
	}
}

static bool options_read(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' }, { "ports", required_argument, NULL, 'p' },
		{ "pid", required_argument, NULL, 'P' },    { "user", required_argument, NULL, 'u' },
		{ "group", required_argument, NULL, 'g' },  { "cgroup", required_argument, NULL, 'C' },
		{ "env", required_argument, NULL, 'e' },    { "call", required_argument, NULL, 'k' },
		{ "ipv6", no_argument, NULL, '6' },         { "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },         { NULL, 0, NULL, 0 },
	};
	*options = (struct options){ .call = CALL_CONNECT };
	options->env = memory_zeroed((size_t)argc + 1, sizeof(*options->env));
	options->assumed.env = options->env;
	opterr = 0;
	optind = 0;
	for (int option; (option = getopt_long(argc, argv, "+:c:p:6h", known, NULL)) != -1;)
		if (!option_read(options, option, argv))
			return false;
	if (options->help)
		return true;
	if (options->config && options->ports)
		return usage_wrong("--config and --ports exclude each other: give one of them", "");
	return words_read(options, argv + optind);
}

/* --- the policy, the table ----------------------------------------------------------------------------------- */

/* The one that is named, or the one that the program would find. */
static bool policy_load(struct policy_file *loaded, const struct options *options, const struct subject *subject)
{
	static struct location location;
	const char *config = options->config, *ports = options->ports;
	const struct reader reader = subject_reader(subject);
	if (!config && !ports && subject->patient.supervisor) {
		say_error("process %u has the policy of its supervisor, process %u; name it with --config", options->pid,
		          subject->patient.supervisor);
		return false;
	}
	if (!config && !ports) {
		patient_policy(&subject->patient, &location);
		config = location.found == FOUND_FILE ? location.path : NULL;
		ports = location.found == FOUND_PORTS ? location.ports : NULL;
	}
	if (config || ports)
		return policy_file_load(loaded, config, ports, &reader);
	say_error("no policy: the program's environment has neither PORTSHIM_CONF nor PORTSHIM_PORTS, and there is none in "
	          "the usual places; name one with --config, or ports with --ports");
	return false;
}

/* What is free is counted by it; where it cannot be seen, by the kernel's list alone. */
static const struct table *table_find(const struct policy *policy, const struct subject *subject)
{
	static struct table_file file;
	const struct table *table = NULL;
	int error = 0;
	if (!subject->other_network && table_file_of(&file, policy, subject->identity.user, subject->root) == EXIT_SUCCESS)
		table = table_file_look(&file, &error);
	if (error)
		say_warning("the table %s cannot be looked at: %s; what is free is counted by the kernel's sockets alone",
		            file.shown, strerror(-error));
	return table;
}

/* --- what is asked ------------------------------------------------------------------------------------------------ */

/* A bind that is followed by a connect() is two questions. */
static struct question question_of(const struct options *options, const struct subject *subject, const struct endpoint *to,
                                   uint8_t calls)
{
	struct question question = {
		.calls = calls,
		.protocol = options->protocol,
		.family = options->ipv6 ? FAMILY_IPV6 : FAMILY_IPV4,
		.has_destination = to && calls != CALL_BIND,
		.identity = &subject->identity,
	};
	if (to) {
		question.destination = *to;
		question.family = to->addr.family;
	}
	if (calls == CALL_SEND && options->protocol == PROTOCOL_TCP)
		question.calls |= CALL_CONNECT; /* MSG_FASTOPEN; no other send gives a stream a port */
	return question;
}

struct telling {
	struct circumstances of;
	struct told told;
	struct json json;
	bool as_json, follows;
};

static bool tell(struct telling *telling, const struct question *question, enum decision *decision)
{
	struct explanation explanation;
	if (!explanation_make(&explanation, &telling->of, question)) {
		say_error("memory is out");
		return false;
	}
	*decision = explanation.decision;
	if (!telling->as_json && telling->follows)
		putchar('\n');
	telling->follows = true;
	if (telling->as_json)
		explanation_json(&telling->json, &explanation, &telling->told);
	else
		explanation_print(&explanation, &telling->told);
	explanation_free(&explanation);
	return true;
}

/* Of a bind that is put off, also what the connect() behind it comes to. */
static bool tell_one(struct telling *telling, const struct options *options, const struct endpoint *to)
{
	enum decision decision;
	struct question question = question_of(options, telling->told.subject, to, options->call);
	if (!tell(telling, &question, &decision))
		return false;
	if (options->call != CALL_BIND || !to || decision != DECISION_PUT_OFF)
		return true;
	question = question_of(options, telling->told.subject, to, CALL_CONNECT | CALL_BIND);
	return tell(telling, &question, &decision);
}

static bool tell_all(struct telling *telling, const struct options *options)
{
	bool good = true;
	if (options->to.n == 0)
		return tell_one(telling, options, NULL);
	for (size_t i = 0; i < options->to.n && good; i++)
		good = tell_one(telling, options, &options->to.to[i]);
	return good;
}

static bool explain(struct telling *telling, const struct options *options)
{
	char *way = subject_way(telling->told.subject);
	if (options->json) {
		json_open(&telling->json, NULL, '{');
		json_words(&telling->json, "program", telling->told.subject->patient.facts.executable);
		json_words(&telling->json, "policy", telling->told.policy);
		json_number(&telling->json, "user", telling->told.subject->identity.user);
		json_words(&telling->json, "way", way);
		json_open(&telling->json, "calls", '[');
	}
	bool good = tell_all(telling, options);
	if (options->json) {
		json_close(&telling->json, ']');
		json_close(&telling->json, '}');
	} else {
		printf("\n%s\n", way);
	}
	free(way);
	return good;
}

static int explain_subject(const struct subject *subject, const struct options *options)
{
	struct policy_file loaded;
	if (!policy_load(&loaded, options, subject))
		return EXIT_USAGE;
	if (subject->other_network)
		say_warning("process %u is in another network namespace, which this user may not enter: what is said of ways "
		            "and of free ports is true of this one; run this as root", options->pid);
	struct telling telling = {
		.of = { .policy = &loaded.policy, .facts = &subject->patient.facts, .may_bind_low = subject->may_bind_low,
		        .table = table_find(&loaded.policy, subject) },
		.told = { .subject = subject, .policy = loaded.name, .counted = !subject->other_network },
		.json = { .to = stdout },
		.as_json = options->json,
	};
	bool good = explain(&telling, options);
	table_file_leave(telling.of.table);
	policy_file_free(&loaded);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int explain_main(int argc, char **argv)
{
	struct options options;
	struct subject subject;
	bool good = options_read(&options, argc, argv);
	int code = good ? EXIT_SUCCESS : EXIT_USAGE;
	if (good && options.help)
		usage_print();
	if (good && !options.help)
		code = subject_meet(&subject, options.pid, options.command, &options.assumed);
	if (good && !options.help && code == EXIT_SUCCESS) {
		code = explain_subject(&subject, &options);
		subject_free(&subject);
	}
	free(options.env);
	return code;
}
