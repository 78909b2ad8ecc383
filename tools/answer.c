/* answer.c - joins the living and those who had, and shows them. */
#define _GNU_SOURCE
#include "tools/answer.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/columns.h"
#include "tools/json.h"
#include "tools/memory.h"
#include "tools/screen.h"
#include "tools/utf8.h"

/* ---- joined ------------------------------------------------------------------------------------------ */

/* Whether it is towards these. */
static bool is_asked_for(const struct live *live, const struct had_query *query)
{
	return (!query->protocols || live->row.protocol & query->protocols) &&
	       (!query->has_moment || !live->since || live->since <= query->moment.to) &&
	       (!query->has_to || (live->row.to.addr.family && target_covers(&query->to, &live->row.to)));
}

static bool same_address(const char *words, const struct ip_addr *addr)
{
	struct ip_addr read;
	return addr_parse(&read, words) && read.family == addr->family && read.hi == addr->hi && read.lo == addr->lo;
}

/* Whether the port may be the living's by that assignment. One that bound first may have connected later; one that the table
 * does not know may have its port from a rule (choose = kernel), but since when is not known then. */
static bool may_be_of(const struct had *had, const struct live *live, bool has_moment)
{
	const struct row *row = &live->row;
	if (had->port != row->local.port || had->protocol != row->protocol ||
	    (live->since ? had->moment > live->since + WHEN_SECOND : has_moment || had->pid != row->pid))
		return false;
	if (had->local[0] && address_is_one(&row->local.addr) && !same_address(had->local, &row->local.addr))
		return false;
	if (had->remote[0] == '\0' || had->call == CALL_SEND)
		return true;
	return row->to.addr.family && had->remote_port == row->to.port && same_address(had->remote, &row->to.addr);
}

static void answer_add(struct answers *answers, const struct live *live, const struct had *had)
{
	answers->answer = memory_for_one(answers->answer, answers->n, &answers->room, sizeof(*answers->answer));
	answers->answer[answers->n++] = (struct answer){ .live = live, .had = had };
}

/* One of the living whose assignment that is, and that has none yet: the assignments come newest first. */
static bool join(struct answers *answers, size_t living, const struct had *had, bool has_moment)
{
	for (size_t i = 0; i < living; i++)
		if (!answers->answer[i].had && may_be_of(had, answers->answer[i].live, has_moment)) {
			answers->answer[i].had = had;
			return true;
		}
	return false;
}

/* Those of `had` that were assigned after the moment, or the others. */
static void had_add(struct answers *answers, size_t living, const struct had_list *had, const struct span *at, bool after)
{
	for (size_t i = 0; i < had->n; i++) {
		const struct had *item = had->item[i];
		if ((at && item->moment > at->to) != after || join(answers, living, item, at != NULL))
			continue;
		if (answers->n - living < had->query.last)
			answer_add(answers, NULL, item);
		else
			answers->more++;
	}
}

void answers_make(struct answers *answers, const struct live_list *live, const struct had_list *had,
                  const struct span *at)
{
	*answers = (struct answers){ .n = 0 };
	for (size_t i = 0; i < live->n; i++)
		if (is_asked_for(&live->live[i], &had->query))
			answer_add(answers, &live->live[i], NULL);
	size_t living = answers->n;
	had_add(answers, living, had, at, false);
	if (at)
		had_add(answers, living, had, at, true);
}

void answers_free(struct answers *answers)
{
	free(answers->answer);
	*answers = (struct answers){ .n = 0 };
}

/* ---- words ------------------------------------------------------------------------------------------- */

#define ENDPOINT_SIZE 128

/* "192.0.2.1:443", "[2001:db8::1]:443"; the port alone where there is no address. */
static const char *endpoint_words(const char *address, uint16_t port, char buffer[ENDPOINT_SIZE])
{
	bool six = strchr(address, ':') != NULL;
	if (address[0])
		snprintf(buffer, ENDPOINT_SIZE, "%s%.64s%s:%u", six ? "[" : "", address, six ? "]" : "", port);
	else
		snprintf(buffer, ENDPOINT_SIZE, "%u", port);
	return buffer;
}

/* "" where there is none. */
static const char *address_words(const struct ip_addr *addr, char buffer[64])
{
	struct text text = { .at = buffer, .size = 64 };
	text_clear(&text);
	if (address_is_one(addr))
		text_add_addr(&text, addr, false);
	return buffer;
}

/* What is known of an answer, from whichever knows more of it. "" and 0: not known. */
struct told {
	int64_t moment;
	const char *rule, *program, *call, *state, *socket, *protocol;
	char local[64], remote[64];
	uint16_t port, remote_port;
	uint32_t pid, user;
	bool has_user;
};

static void tell_had(struct told *told, const struct had *had)
{
	told->moment = had->moment;
	told->rule = had->rule;
	told->program = had->program;
	told->call = audit_call_name(had->call);
	told->protocol = protocol_name(had->protocol);
	snprintf(told->local, sizeof(told->local), "%s", had->local);
	snprintf(told->remote, sizeof(told->remote), "%s", had->remote);
	told->port = had->port;
	told->remote_port = had->remote_port;
	told->pid = had->pid;
	told->user = had->user;
	told->has_user = had->user != UINT32_MAX;
}

static void tell_live(struct told *told, const struct live *live)
{
	const struct row *row = &live->row;
	told->state = row_state_name(row->state);
	told->socket = row->socket ? sockets_state(row->protocol, row->socket) : "";
	told->protocol = protocol_name(row->protocol);
	told->port = row->local.port;
	if (!told->moment)
		told->moment = live->since;
	if (live->rule[0])
		told->rule = live->rule;
	if (live->program)
		told->program = live->program;
	if (address_is_one(&row->local.addr))
		address_words(&row->local.addr, told->local);
	if (row->to.addr.family) {
		address_words(&row->to.addr, told->remote);
		told->remote_port = row->to.port;
	}
	if (row->pid)
		told->pid = row->pid;
	if (row->inode) {
		told->user = row->user;
		told->has_user = true;
	}
}

static void tell(struct told *told, const struct answer *answer)
{
	*told = (struct told){ .rule = "", .program = "", .call = "", .state = "", .socket = "", .protocol = "?" };
	if (answer->had)
		tell_had(told, answer->had);
	if (answer->live)
		tell_live(told, answer->live);
}

/* ---- for people -------------------------------------------------------------------------------------- */

static const char *or_dash(const char *words)
{
	return *words ? words : "-";
}

static void user_add(struct columns *columns, const struct told *told)
{
	const struct passwd *user = told->has_user ? getpwuid(told->user) : NULL; // NOLINT(concurrency-mt-unsafe)
	if (user)
		columns_add(columns, "%s", user->pw_name);
	else if (told->has_user)
		columns_add(columns, "%" PRIu32, told->user);
	else
		columns_add(columns, "-");
}

/* How long before the moment it was assigned. */
static void before_add(struct columns *columns, int64_t moment, const struct span *at)
{
	static const struct { int64_t seconds; char unit; } units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' } };
	int64_t seconds = (at->from - moment) / WHEN_SECOND;
	if (!moment)
		columns_add(columns, "-");
	else if (moment > at->to)
		columns_add(columns, "after");
	else if (moment >= at->from)
		columns_add(columns, "then");
	else if (seconds < 100)
		columns_add(columns, "%" PRId64 ".%" PRId64 "s", seconds, (at->from - moment) / (WHEN_SECOND / 10) % 10);
	else
		for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
			if (seconds >= units[i].seconds * 2 || units[i].unit == 'm') {
				columns_add(columns, "%" PRId64 "%c", seconds / units[i].seconds, units[i].unit);
				break;
			}
}

static void rows_print(const struct answers *answers, const struct span *at, FILE *to)
{
	static const struct column column[] = {
		{ "BEFORE", COLUMN_RIGHT }, { "ASSIGNED", COLUMN_LEFT }, { "PROTO", COLUMN_LEFT }, { "LOCAL", COLUMN_LEFT },
		{ "DESTINATION", COLUMN_LEFT }, { "NOW", COLUMN_LEFT }, { "CALL", COLUMN_LEFT }, { "PID", COLUMN_RIGHT },
		{ "USER", COLUMN_LEFT }, { "PROGRAM", COLUMN_LEFT }, { "RULE", COLUMN_LEFT },
	};
	struct columns columns = { .column = column + !at, .n = sizeof(column) / sizeof(*column) - !at };
	char buffer[ENDPOINT_SIZE], when[WHEN_SIZE];
	for (size_t i = 0; i < answers->n; i++) {
		struct told told;
		tell(&told, &answers->answer[i]);
		if (at)
			before_add(&columns, told.moment, at);
		columns_add(&columns, "%s", told.moment ? when_words(told.moment, when) : "-");
		columns_add(&columns, "%s", told.protocol);
		columns_add(&columns, "%s", endpoint_words(told.local, told.port, buffer));
		columns_add(&columns, "%s", told.remote[0] ? endpoint_words(told.remote, told.remote_port, buffer) : "*");
		columns_add(&columns, "%s", told.state[0] ? told.state : "?");
		columns_add(&columns, "%s", or_dash(told.call));
		if (told.pid)
			columns_add(&columns, "%" PRIu32, told.pid);
		else
			columns_add(&columns, "-");
		user_add(&columns, &told);
		columns_add(&columns, "%s", or_dash(told.program));
		columns_add(&columns, "%s", or_dash(told.rule));
	}
	columns_print(&columns, to);
}

static void nobody_print(const struct asked_about *about, FILE *to)
{
	fprintf(to, about->at ? "nobody is known to have had port%s %s then: " : "nobody has port%s %s: ",
	        strchr(about->ports, '-') ? "s" : "", about->ports);
	if (about->evidence->files)
		fprintf(to, "%s, and the audit (%" PRIu64 " lines) has no such assignment\n",
		        about->at ? "who has it now, if anybody, came later" : "no socket has it", about->had->lines);
	else
		fprintf(to, "%s, and there is no audit: name one with --audit=FILE, or let the policy keep one "
		            "(audit = PATH)\n", about->at ? "who has it now, if anybody, came later" : "no socket has it");
}

/* What the lines do not say of themselves. */
static void notes_print(const struct answers *answers, const struct asked_about *about, FILE *to)
{
	bool open = false, stale = false;
	for (size_t i = 0; i < answers->n; i++) {
		const struct live *live = answers->answer[i].live;
		open |= !live;
		stale |= live && live->row.state == ROW_STALE;
	}
	if (stale)
		fputs("\nstale: had the port by the table, and the kernel has no such socket now; when it gave the port back is not known\n",
		      to);
	if (open)
		fputs(about->at ? "\n?: was assigned the port, and no assignment after that and before the time asked for shows "
		                  "that it had given it back; when it did is not known\n"
		                : "\n?: was assigned the port, and has it no more as far as can be seen from here\n", to);
	if (answers->more)
		fprintf(to, "%zu more, older: -n shows more of them\n", answers->more);
	if (about->had->cut)
		fputs("the oldest are left out, there are too many: ask for fewer ports, or with --to\n", to);
	if (!about->evidence->files)
		fputs(stale ? "there is no audit: what is shown is who has it now, and who had it last by the table\n"
		            : "there is no audit: what is shown is who has it now\n", to);
}

static void text_print(const struct answers *answers, const struct asked_about *about, FILE *to)
{
	if (!answers->n) {
		nobody_print(about, to);
		return;
	}
	rows_print(answers, about->at, to);
	notes_print(answers, about, to);
}

void answers_print(const struct answers *answers, const struct asked_about *about, FILE *to)
{
	char *text = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&text, &size);
	if (!memory) {
		text_print(answers, about, to);
		return;
	}
	text_print(answers, about, memory);
	fclose(memory);
	screen_print_cut(text, screen_size(fileno(to)).columns, to);
	free(text);
}

/* ---- for programs ------------------------------------------------------------------------------------ */

static void words_json(struct json *json, const char *key, const char *words)
{
	json_words(json, key, *words ? words : NULL);
}

static void number_json(struct json *json, const char *key, bool known, uint64_t number)
{
	if (known)
		json_number(json, key, number);
	else
		json_words(json, key, NULL);
}

static void answer_json(struct json *json, const struct answer *answer)
{
	char when[WHEN_SIZE];
	struct told told;
	tell(&told, answer);
	json_open(json, NULL, '{');
	json_words(json, "time", told.moment ? when_stamp(told.moment, when) : NULL);
	words_json(json, "now", told.state);
	words_json(json, "socket", told.socket);
	json_bool(json, "audited", answer->had != NULL);
	words_json(json, "rule", told.rule);
	number_json(json, "pid", told.pid, told.pid);
	words_json(json, "program", told.program);
	number_json(json, "user", told.has_user, told.user);
	words_json(json, "call", told.call);
	json_words(json, "protocol", told.protocol);
	words_json(json, "local_address", told.local);
	json_number(json, "local_port", told.port);
	words_json(json, "remote_address", told.remote);
	number_json(json, "remote_port", told.remote[0], told.remote_port);
	json_close(json, '}');
}

void answers_json(const struct answers *answers, const struct asked_about *about, FILE *to)
{
	char when[WHEN_SIZE];
	struct json json = { .to = to };
	json_open(&json, NULL, '{');
	json_words(&json, "ports", about->ports);
	json_words(&json, "from", about->at ? when_stamp(about->at->from, when) : NULL);
	json_words(&json, "to", about->at ? when_stamp(about->at->to, when) : NULL);
	json_open(&json, "audit", '[');
	for (size_t i = 0; i < about->evidence->files; i++)
		json_words(&json, NULL, about->evidence->file[i].path);
	json_close(&json, ']');
	json_number(&json, "lines", about->evidence->entries);
	json_number(&json, "passed_over", about->evidence->foreign);
	json_number(&json, "more", answers->more);
	json_open(&json, "answers", '[');
	for (size_t i = 0; i < answers->n; i++)
		answer_json(&json, &answers->answer[i]);
	json_close(&json, ']');
	json_close(&json, '}');
}
