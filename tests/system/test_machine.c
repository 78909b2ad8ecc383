/* test_machine.c - a machine under the library does all that it does without: it starts, people log in, it installs
 * packages, serves and forwards; and what rules concern leaves from their ports. Each script of tests/system/ runs in
 * two machines that differ in nothing but /etc/ld.so.preload and what belongs to it. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/machine.h"
#include "tests/lib/world.h"

#define POLICY \
	"[rule ann]\nuser = ann\nprogram = curl\nports = 20700-20799\n" \
	"[rule curl]\nprogram = curl\nports = 20000-20099\n" \
	"[rule apt]\nprogram = /usr/lib/apt/methods/http\nports = 20100-20199\n" \
	"[rule ssh]\nprogram = ssh\ncall = connect\nports = 20200-20299\n" \
	"[rule sshd]\nprogram = sshd\ncall = connect\nports = 20300-20399\n" \
	"[rule sshd-remote]\nprogram = sshd\ncall = bind\nports = 20800-20899\n" \
	"[rule psql]\nprogram = psql\nports = 20400-20499\n" \
	"[rule postgres]\nprogram = postgres\ncall = connect\nports = 20500-20599\n" \
	"[rule nginx]\nprogram = nginx\ncall = connect\nports = 20600-20699\n"

struct part {
	const char *script, *services;
	int ports;          /* lines in /ports, at least */
	const char *tables; /* the users who have one */
};

static const struct part parts[] = {
	{ "login", "", 0, "" },
	{ "apt", "nginx", 2, "root" },
	{ "ssh", "nginx sshd", 8, "root ann ben" },
	{ "cron", "nginx cron", 1, "ann" },
	{ "postgres", "postgres", 3, "root postgres" },
	{ "nginx", "nginx", 18, "root www-data" },
};

#define PARTS (sizeof(parts) / sizeof(parts[0]))

TestSuite(machine, .init = world_enter, .fini = world_leave);

/* The rule's range, or the kernel's; in a bare machine always the kernel's. */
static bool port_fits(const struct machine *machine, const char *rule, int port)
{
	char section[80];
	const char *at;
	int lo, hi;

	snprintf(section, sizeof(section), "[rule %s]\n", rule);
	at = strstr(POLICY, section);
	if (machine->bare || !at)
		return is_ephemeral(port);
	return sscanf(strstr(at, "ports = "), "ports = %d-%d", &lo, &hi) == 2 && port >= lo && port <= hi;
}

static void ports_fit(const struct machine *machine, const struct part *part)
{
	const char *text = machine_text(machine, "/ports");
	int n = 0, port, length;
	char rule[64];

	for (; sscanf(text, "%63s %d\n%n", rule, &port, &length) == 2; text += length, n++)
		cr_expect(port_fits(machine, rule, port), "%s%s from port %d", machine->bare ? "bare, " : "", rule, port);
	cr_expect(n >= part->ports && *text == '\0', "%d ports, then %s", n, text);
}

/* One for each user who had a port given, each of that user alone; nothing else. */
static void tables_fit(const struct machine *machine, const struct part *part)
{
	static struct run run;
	char user[32], name[96], words[128] = "";
	const char *text = run.out;
	int length, mode;

	run = (struct run){ 0 };
	machine_run(machine, &run, "cd /dev/shm && ls -A | sort -t - -k 2 -n | xargs -r stat -c '%U %a %n'");
	for (; sscanf(text, "%31s %d %95s\n%n", user, &mode, name, &length) == 3; text += length) {
		if (strncmp(name, "PostgreSQL.", 11) == 0)
			continue;
		cr_expect(strncmp(name, "portshim-", 9) == 0 && mode == 600, "%s", text);
		snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s%s", *words ? " " : "", user);
	}
	cr_expect_str_eq(words, machine->bare ? "" : part->tables);
}

static bool is_of_portshim(const char *path)
{
	return strstr(path, "portshim") || strcmp(path, "./etc/ld.so.preload") == 0;
}

/* What one list has and the other lacks. */
static void lists_fit(const char *what, const char *list, const char *other)
{
	char line[256], wanted[260];
	int length;

	for (; sscanf(list, "%255[^\n]\n%n", line, &length) == 1; list += length) {
		snprintf(wanted, sizeof(wanted), "%s\n", line);
		cr_expect(strstr(other, wanted) || is_of_portshim(line), "%s: %s", what, line);
	}
}

static void part_run(struct machine *machine, struct run *run, const struct part *part)
{
	char line[64];

	machine_boot(machine, part->services);
	snprintf(line, sizeof(line), "sh /machine/%s.sh", part->script);
	machine_run(machine, run, line);
	ports_fit(machine, part);
	tables_fit(machine, part);
}

ParameterizedTestParameters(machine, works)
{
	static int index[PARTS];

	for (size_t i = 0; i < PARTS; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, PARTS);
}

ParameterizedTest(int *index, machine, works)
{
	const struct part *part = &parts[*index];
	static struct machine bare = { .bare = true }, machine = { .policy = POLICY };
	static struct run bare_run, run;

	part_run(&bare, &bare_run, part);
	part_run(&machine, &run, part);
	cr_assert(exited(&bare_run, 0), "bare: %s%s%s", bare_run.out, bare_run.err, machine_text(&bare, "/../console"));
	story_same(part->script, &bare_run, &run);
	cr_expect_str_eq(machine_text(&machine, "/../console"), machine_text(&bare, "/../console"));
	lists_fit("a file too many", machine_changes(&machine), machine_changes(&bare));
	lists_fit("no such file", machine_changes(&bare), machine_changes(&machine));
	machine_end(&machine);
	machine_end(&bare);
}
