/* test_completions.c - completions: what the command offers, and that bash, zsh and fish take it, each in its own way. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/tools/show.h"
#include "tools/help_text.h"

/* `portshim` is the one that was built, also within the shells. */
static void enter(void)
{
	static char path[PATH_MAX + 200], here[PATH_MAX];
	world_enter();
	cr_assert(realpath(built(""), here));
	snprintf(path, sizeof(path), "%s:/usr/bin", here);
	setenv("PATH", path, 1);
	setenv("TERM", "dumb", 1);
}

TestSuite(completions, .init = enter, .fini = world_leave, .timeout = 120);

#define OFFERED(...) SHOW("complete", "--", __VA_ARGS__)

#define EXPECT_OFFER(words, ...) do {                                                   \
	OFFERED(__VA_ARGS__);                                                           \
	EXPECT_DONE();                                                                  \
	cr_expect_str_eq(shown.out, words, "%s", #__VA_ARGS__);                         \
} while (0)

static const char *policy(void)
{
	return file_make("policy", "[rule web]\nports = 1\n[rule weblog]\nports = 2\n[rule db]\nports = 3\n");
}

/* --- what the command says ---------------------------------------------------------------------------------- */

Test(completions, subcommands)
{
	EXPECT_OFFER("run\tstart a program with its local ports under a policy\n", "ru");
	EXPECT_OFFER("status\tshow who has which port, and how full each set is\n", "help", "status");
	EXPECT_OFFER("--help\tlist the subcommands\n--version\tprint the version\n", "--");
	EXPECT_OFFER("", "nonsense", "");
	EXPECT_OFFER("", "help", "status", "");
	OFFERED("");
	EXPECT_HAS("explain\t");
	EXPECT_HAS("version\t");
	EXPECT_LACKS("complete"); /* nobody types it */
	SHOW("complete");
	EXPECT_DONE();
	cr_expect_str_empty(shown.out);
	SHOW("help");
	EXPECT_LACKS("complete");
}

Test(completions, options_are_those_of_the_help)
{
	EXPECT_OFFER("--mode=\tpreload: by the library; supervise: from outside, for what no library reaches\n", "run", "--m");
	EXPECT_OFFER("-s\tthe same as --mode=supervise\n", "run", "-s");
	EXPECT_OFFER("--rule=\tthis rule only\n", "status", "--json", "--ru");
	EXPECT_OFFER("--table=\tthe table\n", "status", "--ta");
	OFFERED("status", "");
	EXPECT_HAS("--json\t");
	OFFERED("explain", "-");
	EXPECT_HAS("--env=\tas if this were in its environment; may be repeated\n");
	EXPECT_HAS("-6\t");
}

Test(completions, values)
{
	char config[300];
	snprintf(config, sizeof(config), "--config=%s", policy());
	EXPECT_OFFER("--mode=auto\n--mode=preload\n--mode=supervise\n", "run", "--mode=");
	EXPECT_OFFER("supervise\n", "run", "--mode", "s");
	EXPECT_OFFER("--log=none\n--log=error\n--log=warning\n--log=info\n--log=debug\n", "run", "--log=");
	EXPECT_OFFER("--call=bind\n", "explain", "--call=b");
	EXPECT_OFFER("sctp\n", "explain", "--json", "s");
	EXPECT_OFFER("windows\nwindows-xp\n", "run", "-p", "win");
	EXPECT_OFFER("web\nweblog\n", "status", "-c", policy(), "-r", "web");
	EXPECT_OFFER("--rule=db\n", "status", config, "--rule=d");
	EXPECT_OFFER("root\n", "explain", "--user", "root");
	EXPECT_OFFER("--env=TERM=\n", "explain", "--env=TERM");
	EXPECT_OFFER("\tfiles\n", "run", "--config=/etc/p");
	EXPECT_OFFER("\tfiles\n", "run", "-c", "");
	EXPECT_OFFER("", "top", "-n", "");
	EXPECT_OFFER("", "run", "--nonsense=");
	/* a broken or absent policy has no rules, and says nothing */
	EXPECT_OFFER("", "status", "-c", file_make("broken", "[rule a]\nports = none\n"), "-r", "");
	EXPECT_OFFER("", "status", "-c", "/no/such/file", "-r", "");
}

Test(completions, processes)
{
	char pid[16], words[64];
	snprintf(pid, sizeof(pid), "%d", getpid());
	OFFERED("doctor", pid);
	snprintf(words, sizeof(words), "%s\ttest_completion", pid);
	EXPECT_HAS(words);
	OFFERED("explain", "--pid", "2");
	EXPECT_LACKS("kthreadd");
}

/* From the place on where a command can stand, it is another's turn. */
Test(completions, commands)
{
	EXPECT_OFFER("\tcommand 1\n", "run", "");
	EXPECT_OFFER("\tcommand 3\n", "run", "-p", "1", "cu");
	EXPECT_OFFER("\tcommand 4\n", "run", "-p", "1", "--", "cu");
	EXPECT_OFFER("\tcommand 2\n", "run", "--mode=auto", "curl", "--lo");
	EXPECT_OFFER("\tcommand 3\n", "run", "--mode", "auto", "curl", "--lo", "x");
	EXPECT_OFFER("\tcommand 1\n", "doctor", "cu");
	EXPECT_OFFER("", "explain", "tcp", "192.0.2.1:");
	EXPECT_OFFER("\tcommand 3\n", "explain", "tcp", "192.0.2.1:443", "cu");
	EXPECT_OFFER("\tcommand 4\n", "explain", "tcp", "192.0.2.1:443", "--", "cu");
}

/* Names that a shell would take for several, or for more than a word. */
Test(completions, odd_names)
{
	const char *config = file_make("odd", "[rule two words]\nports = 1\n[rule $(id);x]\nports = 2\n");
	EXPECT_OFFER("two words\n$(id);x\n", "status", "-c", config, "-r", "");
	OFFERED("status", "-c", config, "-r", "\377\033[", "\n");
	cr_expect(exited(&shown, 0));
}

/* --- the form of a help ------------------------------------------------------------------------------------- */

Test(completions, a_help_is_read)
{
	struct help help;
	help_read(&help, "Usage: portshim x [-c FILE | -p PORTS] [OPTION...] nft|json [--from=A]... [FILE...]\n"
	                 "                  [--further]\n"
	                 "       portshim x [--] COMMAND [ARGUMENT...]\n\nWords, -c and --more:\n\n"
	                 "  -c, --config=FILE   the file\n                      and more\n      --json  all\n  -6, --ipv6\n"
	                 "                      of IPv6\n  -b\n\nExit code: 0\n");
	cr_assert_eq(help.usages, 2);
	cr_assert_eq(help.usage[0].arguments, 2);
	cr_expect_str_eq(help.usage[0].argument[0], "nft|json");
	cr_expect_str_eq(help.usage[0].argument[1], "FILE");
	cr_expect(help.usage[0].repeats);
	cr_expect_str_eq(help.usage[1].argument[0], "COMMAND");
	cr_assert_eq(help.options, 4);
	cr_expect_str_eq(help_lettered(&help, 'c')->words, "the file");
	cr_expect_str_eq(help_named(&help, "config", 6)->value, "FILE");
	cr_expect_str_eq(help_named(&help, "json", 4)->words, "all");
	cr_expect_eq(help_named(&help, "json", 4)->letter, 0);
	cr_expect_str_eq(help_lettered(&help, '6')->words, "of IPv6");
	cr_expect_str_empty(help_lettered(&help, 'b')->name);
	cr_expect_null(help_named(&help, "more", 4));
	cr_expect_null(help_named(&help, "", 0));
	cr_expect_null(help_lettered(&help, 0));
	help_free(&help);
}

/* --- the shells ---------------------------------------------------------------------------------------------- */

static const char *file_of(const char *name)
{
	static char paths[4][PATH_MAX + 64], here[PATH_MAX];
	static int next;
	char *path = paths[next++ % 4];
	cr_assert(getcwd(here, sizeof(here)));
	snprintf(path, sizeof(paths[0]), "%s/tools/completions/%s", here, name);
	return path;
}

Test(completions, bash)
{
	const char *config = policy();
	char rules[300], odd[300], file[300], expected[2000];
	snprintf(rules, sizeof(rules), "portshim status -c %s -r web", config);
	snprintf(odd, sizeof(odd), "portshim status -c %s -r ", file_make("odd", "[rule two words]\nports = 1\n"));
	snprintf(file, sizeof(file), "portshim run --config=%.*s", (int)strlen(config) - 2, config);
	show_run((const char *const[]){ "bash", "--norc", "tests/tools/completion.bash", file_of("portshim.bash"), "portshim ru",
	                                "portshim run --mod", "portshim run --mode=", "portshim run --mode=s", "portshim run --mode s", rules,
	                                odd, file, "portshim run --mode=auto -p 1-2 -- git pus", "portshim run redis-cl",
	                                "portshim explain tcp 192.0.2.1:443 git pus", NULL });
	EXPECT_DONE();
	snprintf(expected, sizeof(expected), "portshim ru:<run>\nportshim run --mod:<--mode=>\n"
	         "portshim run --mode=:<auto><preload><supervise>\nportshim run --mode=s:<supervise>\nportshim run --mode s:<supervise>\n"
	         "%s:<web><weblog>\n%s:<two\\ words>\n%s:<%s>\nportshim run --mode=auto -p 1-2 -- git pus:<push >\n"
	         "portshim run redis-cl:<redis-cli>\nportshim explain tcp 192.0.2.1:443 git pus:<push >\n", rules, odd, file, config);
	cr_expect_str_eq(shown.out, expected);
}

/* A terminal, and a shell that is typed into. */
Test(completions, zsh)
{
	const char *config = policy();
	char rules[300], odd[300], file[300], expected[2000];
	shell("mkdir %s && cp %s %s/_portshim", file_path("functions"), file_of("portshim.zsh"), file_path("functions"));
	snprintf(rules, sizeof(rules), "portshim status -c %s -r d", config);
	snprintf(odd, sizeof(odd), "portshim status -c %s -r ", file_make("odd", "[rule two words]\nports = 1\n"));
	snprintf(file, sizeof(file), "portshim run --config=%.*s", (int)strlen(config) - 2, config);
	show_run((const char *const[]){ "zsh", "-f", "tests/tools/completion.zsh", file_path("functions"), "portshim ru", "portshim run --mod",
	                                "portshim run --mode=s", rules, odd, file, "portshim run --mode=auto -- git pus",
	                                "portshim run redis-cl", "portshim explain tcp 192.0.2.1:443 git pus", NULL });
	EXPECT_DONE();
	snprintf(expected, sizeof(expected), "portshim ru:portshim run \nportshim run --mod:portshim run --mode=\n"
	         "portshim run --mode=s:portshim run --mode=supervise \n%s:%sb \n%s:%stwo\\ words \n%s:portshim run --config=%s \n"
	         "portshim run --mode=auto -- git pus:portshim run --mode=auto -- git push \n"
	         "portshim run redis-cl:portshim run redis-cli \n"
	         "portshim explain tcp 192.0.2.1:443 git pus:portshim explain tcp 192.0.2.1:443 git push \n",
	         rules, rules, odd, odd, file, config);
	cr_expect_str_eq(shown.out, expected);
}

static void fish(const char *line, const char *expected)
{
	char words[1000], home[PATH_MAX];
	snprintf(words, sizeof(words), "source %s; complete -C '%s'", file_of("portshim.fish"), line);
	snprintf(home, sizeof(home), "HOME=%s", file_path("")); /* it keeps files there */
	shown = (struct run){ .bare = true, .env = { home } };
	run_program(&shown, (const char *const[]){ "fish", "-c", words, NULL });
	EXPECT_DONE();
	cr_expect(strncmp(shown.out, expected, strlen(expected)) == 0 && (*expected || !shown.out[0]), "%s: %s", line, shown.out);
}

Test(completions, fish)
{
	const char *config = policy();
	char line[400], words[400];
	fish("portshim ru", "run\tstart a program");
	fish("portshim run --mod", "--mode=\tpreload");
	fish("portshim run --mode=s", "--mode=supervise\n");
	snprintf(line, sizeof(line), "portshim status -c %s -r web", config);
	fish(line, "web\nweblog\n");
	snprintf(line, sizeof(line), "portshim run --config=%.*s", (int)strlen(config) - 2, config);
	snprintf(words, sizeof(words), "--config=%s\n", config);
	fish(line, words);
	snprintf(line, sizeof(line), "portshim run -c %.*s", (int)strlen(config) - 2, config);
	snprintf(words, sizeof(words), "%s\n", config);
	fish(line, words);
	fish("portshim run --mode=auto -- git pus", "push\t");
	fish("portshim run redis-cl", "redis-cli\t");
	fish("portshim explain tcp 192.0.2.1:443 git pus", "push\t");
	fish("/no/such/portshim ru", "");
}
