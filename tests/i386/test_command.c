/* test_command.c - `portshim run` and `doctor` with programs of both word sizes: both libraries, one of them, a broken one. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <elf.h>
#include <errno.h>

#include "tests/tools/spawn.h"
#include "tools/reach.h"

#define LIB64 "lib/x86_64-linux-gnu"
#define NARROW "i386/tests/probes/run_show"

/* What 32-bit programs ask for, and the folder that it puts for "$LIB". */
static const char *lib32(void)
{
	static char real[PATH_MAX];
	cr_assert(realpath("/lib/ld-linux.so.2", real));
	*strrchr(real, '/') = '\0';
	return real + (strncmp(real, "/usr/", 5) == 0 ? 5 : 1);
}

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
	char command[4 * PATH_MAX];
	va_list arguments;
	va_start(arguments, format);
	cr_assert_lt(vsnprintf(command, sizeof(command), format, arguments), (int)sizeof(command));
	va_end(arguments);
	cr_assert_eq(system(command), 0, "%s", command);
}

/* A copy of the command in FOLDER/bin, and of the 64-bit library where LD_PRELOAD's $LIB finds it. */
static void setup(void)
{
	folder_make();
	unsetenv("PORTSHIM_CONF");
	unsetenv("LD_PRELOAD");
	setenv("PORTSHIM_PORTS", "20000", 1);
	shell("cd %s && mkdir -p bin " LIB64 " %s && cp %s bin && cp %s " LIB64 " && ln -s ../" LIB64 "/libportshim.so bin",
	      folder, lib32(), built("portshim"), built("libportshim.so"));
}

static void add_narrow(const char *library)
{
	shell("cp %s %s/%s/libportshim.so", library, folder, lib32());
}

TestSuite(command, .init = setup, .fini = folder_remove, .timeout = 60);

#define COMMAND(...) spawn(inside("bin/portshim"), (const char *const[]){ "portshim", __VA_ARGS__, NULL })
#define RUN_NARROW() COMMAND("run", "--mode=preload", built(NARROW), "library", "LD_PRELOAD=")

static bool kernel_runs_narrow(void)
{
	pid_t child;
	int status, error = posix_spawn(&child, built(NARROW), NULL, NULL, (char *[]){ NULL }, environ);
	if (error)
		cr_assert_eq(error, ENOEXEC);
	else
		cr_assert_eq(waitpid(child, &status, 0), child);
	return !error;
}

/* The program's own words; or, of a kernel that starts none such, that it does not. */
static void expect_narrow(struct outcome outcome, const char *words)
{
	if (kernel_runs_narrow()) {
		cr_expect_eq(outcome.code, 0);
		cr_expect_str_eq(outcome.output, words, "%s%s", outcome.output, outcome.errors);
	} else {
		cr_expect_eq(outcome.code, 126);
		cr_expect(strstr(outcome.errors, "cannot be executed: Exec format error"), "%s", outcome.errors);
	}
}

Test(command, one_path_for_both)
{
	char words[PATH_MAX + 64];
	add_narrow(built("i386/libportshim.so"));
	put(words, sizeof(words), "library in\nLD_PRELOAD=%s/$LIB/libportshim.so\n", folder);
	EXPECT_SILENT(COMMAND("run", built("tests/probes/run_show"), "library", "LD_PRELOAD="), 0, words);
	struct outcome outcome = RUN_NARROW();
	expect_narrow(outcome, words);
	cr_expect(!kernel_runs_narrow() || outcome.errors[0] == '\0', "%s", outcome.errors);
}

/* What is inherited reaches programs of either word size, through each other. */
Test(command, each_starts_the_other)
{
	struct outcome outcome;
	add_narrow(built("i386/libportshim.so"));
	outcome = COMMAND("run", "sh", "-c", "\"$0\" library; \"$1\" library; exec \"$0\" library", built("tests/probes/run_show"),
	                  built(NARROW));
	if (kernel_runs_narrow())
		cr_expect_str_eq(outcome.output, "library in\nlibrary in\nlibrary in\n", "%s", outcome.errors);
	else
		cr_expect_str_eq(outcome.output, "library in\nlibrary in\n", "%s", outcome.errors);
}

/* The loader of the other word size, run by name. */
Test(command, by_the_loaders_name)
{
	add_narrow(built("i386/libportshim.so"));
	expect_narrow(COMMAND("run", "/lib/ld-linux.so.2", built(NARROW), "library"), "library in\n");
}

/* With the 64-bit library alone it is named as it always was, and 32-bit programs are warned of. */
Test(command, of_one_word_size)
{
	char words[PATH_MAX + 64];
	struct outcome outcome;
	put(words, sizeof(words), "library in\nLD_PRELOAD=%s/bin/libportshim.so\n", folder);
	EXPECT_SILENT(COMMAND("run", built("tests/probes/run_show"), "library", "LD_PRELOAD="), 0, words);
	outcome = RUN_NARROW();
	cr_expect(strstr(outcome.errors, "portshim: warning: "), "%s", outcome.errors);
	cr_expect(strstr(outcome.errors, "other word size"), "%s", outcome.errors);
	cr_expect(!strstr(outcome.output, "library in"), "%s", outcome.output);
}

/* Not a library for 32-bit programs: as if there were none. */
Test(command, of_the_wrong_kind)
{
	add_narrow(built("libportshim.so"));
	cr_expect(strstr(RUN_NARROW().errors, "other word size"));
	shell(": > %s/%s/libportshim.so", folder, lib32());
	cr_expect(strstr(RUN_NARROW().errors, "other word size"));
}

/* Its header is sound, and yet the loader does not take it. A 64-bit program does not mind. */
Test(command, that_the_loader_ignores)
{
	Elf32_Half one = 1;
	char path[PATH_MAX];
	add_narrow(built("i386/libportshim.so"));
	put(path, sizeof(path), "%s/%s/libportshim.so", folder, lib32());
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	cr_assert_eq(pwrite(fd, &one, sizeof(one), offsetof(Elf32_Ehdr, e_phnum)), (ssize_t)sizeof(one));
	close(fd);
	if (kernel_runs_narrow())
		EXPECT_REFUSED(RUN_NARROW(), 125, "was not taken by the dynamic loader");
	else
		cr_expect_eq(RUN_NARROW().code, 126);
	EXPECT_SILENT(COMMAND("run", built("tests/probes/run_show"), "library"), 0, "library in\n");
}

/* The library in a folder that is neither of a loader's: no $LIB can mean it. */
Test(command, elsewhere)
{
	char words[PATH_MAX + 64];
	shell("cd %s && rm -r lib && cp --remove-destination %s bin", folder, built("libportshim.so"));
	shell("mkdir -p %s/%s", folder, lib32());
	add_narrow(built("i386/libportshim.so"));
	put(words, sizeof(words), "LD_PRELOAD=%s/bin/libportshim.so\n", folder);
	EXPECT_SILENT(COMMAND("run", built("tests/probes/run_show"), "LD_PRELOAD="), 0, words);
}

/* A program that the kernel does not start is not read by a shell instead. */
Test(command, that_the_kernel_does_not_know)
{
	Elf64_Ehdr header = { .e_type = ET_EXEC, .e_machine = EM_AARCH64, .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
	                      ELFCLASS64, ELFDATA2LSB, EV_CURRENT } };
	struct outcome outcome = COMMAND("run", file_make("foreign", &header, sizeof(header), 0755));
	cr_expect_eq(outcome.code, 126);
	cr_expect(strstr(outcome.errors, "cannot be executed: Exec format error"), "%s", outcome.errors);
}

Test(command, doctor_knows_both)
{
	struct outcome outcome = COMMAND("doctor", built(NARROW));
	cr_expect_eq(outcome.code, 0);
	cr_expect(strstr(outcome.output, "other word size (32 or 64 bits): portshim run supervises it"), "%s", outcome.output);
	add_narrow(built("i386/libportshim.so"));
	outcome = COMMAND("doctor", built(NARROW));
	cr_expect_eq(outcome.code, 0, "%s%s", outcome.output, outcome.errors);
	cr_expect(strstr(outcome.output, "ok  program"), "%s", outcome.output);
	cr_expect(strstr(outcome.output, lib32()), "%s", outcome.output);
}

static enum reach_verdict verdict_of(const char *command)
{
	struct reach reach;
	reach_find(&reach, command);
	return reach.verdict;
}

/* What else keeps a program out of reach does so in either word size. */
Test(command, other_reasons)
{
	cr_expect_eq(verdict_of(built(NARROW)), REACH_OTHER_WORD);
	cr_expect_eq(verdict_of("/lib/ld-linux.so.2"), REACH_OTHER_WORD);
	cr_expect_eq(verdict_of(built("i386/tests/probes/static_hello")), REACH_STATIC);
	shell("cp %s %s/setuid && chown 65534 %s/setuid && chmod 4755 %s/setuid", built(NARROW), folder, folder, folder);
	cr_expect_eq(verdict_of(inside("setuid")), REACH_SETUID);
}

/* A loader with another "$LIB" would look elsewhere. */
Test(command, another_loader)
{
	struct reach reach = { .verdict = REACH_OTHER_WORD };
	struct library library = { .other = "/there" };
	shell("cp /lib/ld-linux.so.2 %s/ld.so", folder);
	put(reach.loader, sizeof(reach.loader), "%s/ld.so", folder);
	cr_expect_not(reach_extend(&reach, &library));
	cr_expect_eq(reach.verdict, REACH_OTHER_WORD);
	put(reach.loader, sizeof(reach.loader), "/lib/ld-linux.so.2");
	cr_expect(reach_extend(&reach, &library));
	cr_expect_eq(reach.verdict, REACH_YES);
}

/* `make install-lib32` puts both where `run` finds them, and `make uninstall` takes all away. From a copy: it is for other places
 * than what was built. */
Test(command, installed)
{
	static const char make[] = "env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s DESTDIR=%s/root PREFIX=/usr BUILD=%s %s";
	char build[PATH_MAX];
	put(build, sizeof(build), "%s/build", folder);
	shell("mkdir -p %s/i386 && cd %s && cp -a config shim tools exports.map engine.a libdir portshim libportshim.so inih-i386 %s && "
	      "cd i386 && cp -a config shim exports.map libportshim.so %s/i386", build, built("."), build, build);
	shell(make, folder, build, "install-lib32");
	shell("test ! -L %s/root/usr/%s/libportshim.so", folder, lib32());
	expect_narrow(spawn(inside("root/usr/bin/portshim"), (const char *const[]){ "portshim", "run", built(NARROW), "library", NULL }),
	              "library in\n");
	shell(make, folder, build, "uninstall");
	shell("test -z \"$(find %s/root ! -type d)\"", folder);
}
