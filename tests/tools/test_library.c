/* test_library.c - the library is found without a setting, keeps company with others in LD_PRELOAD, and where it
 * is not taken by the loader, nothing is started. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <elf.h>
#include <link.h>

#include "tests/tools/folder.h"
#include "tests/tools/spawn.h"
#include "tools/library.h"

static void setup(void)
{
	folder_make();
	unsetenv("PORTSHIM_CONF");
	unsetenv("PORTSHIM_DISABLE");
	unsetenv("PORTSHIM_LOG");
	unsetenv("LD_PRELOAD");
	setenv("PORTSHIM_PORTS", "20000", 1);
}

TestSuite(library, .init = setup, .fini = folder_remove, .timeout = 60);

static void expect_list(const char *present, const char *expected)
{
	char *list = library_preload_list("/own/libportshim.so", present);
	cr_expect_str_eq(list, expected);
	free(list);
}

Test(library, stands_first_and_once_in_the_list)
{
	expect_list(NULL, "/own/libportshim.so");
	expect_list("", "/own/libportshim.so");
	expect_list(" : ", "/own/libportshim.so");
	expect_list("/a.so", "/own/libportshim.so:/a.so");
	expect_list("a.so b.so::/c.so", "/own/libportshim.so:a.so:b.so:/c.so");
	expect_list("/a.so:/own/libportshim.so:b.so", "/own/libportshim.so:/a.so:b.so");
	expect_list("/other/libportshim.so libportshim.so", "/own/libportshim.so");
	expect_list("/a/notlibportshim.so:/libportshim.so.old",
	            "/own/libportshim.so:/a/notlibportshim.so:/libportshim.so.old");
}

Test(library, stands_behind_what_connects_through_it)
{
	expect_list("/lib/libproxychains.so.4", "/lib/libproxychains.so.4:/own/libportshim.so");
	expect_list("/a.so:libproxychains4.so /libproxychains.so.4/b.so", "libproxychains4.so:/own/libportshim.so:/a.so:"
	            "/libproxychains.so.4/b.so");
}

Test(library, keeps_company_and_comes_in_once)
{
	char text[2 * PATH_MAX], expected[2 * PATH_MAX];
	put(text, sizeof(text), "%s:%s", preloaded(), "libm.so.6");
	put(expected, sizeof(expected), "LD_PRELOAD=%s\n", text);
	setenv("LD_PRELOAD", "libm.so.6", 1);
	EXPECT_SILENT(PORTSHIM("run", built("tests/probes/run_show"), "LD_PRELOAD="), 0, expected);
	EXPECT_SILENT(PORTSHIM("run", built("portshim"), "run", built("tests/probes/run_show"), "LD_PRELOAD="), 0,
	              expected);
}

/* A copy of the tool in FOLDER/SUB. */
static const char *tool_copy(const char *sub)
{
	static char tool[PATH_MAX];
	char command[3 * PATH_MAX];
	put(tool, sizeof(tool), "%s/%s/portshim", folder, sub);
	put(command, sizeof(command), "mkdir -p '%s/%s' && cp '%s' '%s'", folder, sub, built("portshim"), tool);
	cr_assert_eq(system(command), 0);
	return tool;
}

static size_t library_read(char **bytes)
{
	FILE *file = fopen(built("libportshim.so"), "re");
	size_t room = (size_t)32 << 20;
	*bytes = malloc(room);
	cr_assert(file && *bytes);
	size_t size = fread(*bytes, 1, room, file);
	fclose(file);
	cr_assert(size > sizeof(ElfW(Ehdr)) && size < room);
	return size;
}

Test(library, is_not_looked_for_where_nobody_can_tell)
{
	struct outcome outcome = spawn("/usr/bin/unshare", (const char *const[]){
		"unshare", "-m", "/bin/sh", "-c", "mount -t tmpfs none /proc && exec \"$0\" run true", tool_copy("bin"), NULL });
	cr_expect_eq(outcome.code, 125);
	cr_expect(strstr(outcome.errors, "and without /proc it is not known where else to look"), "%s", outcome.errors);
}

#define RUN_TRUE(tool) spawn(tool, (const char *const[]){ "portshim", "run", "true", NULL })

Test(library, is_found_in_lib_beside_bin)
{
	const char *tool = tool_copy("bin");
	struct outcome outcome = RUN_TRUE(tool);
	if (outcome.code == 0)
		folder_skip("portshim is installed on this host");
	cr_expect_eq(outcome.code, 125);
	cr_expect(strstr(outcome.errors, "libportshim.so is neither in "), "%s", outcome.errors);
	char *bytes;
	size_t size = library_read(&bytes);
	mkdir(inside("lib"), 0755);
	file_make("lib/libportshim.so", bytes, size, 0644);
	free(bytes);
	EXPECT_SILENT(RUN_TRUE(tool), 0, "");
}

Test(library, must_be_a_shared_object_for_this_machine)
{
	const char *tool = tool_copy("bin");
	char *bytes;
	size_t size = library_read(&bytes);
	ElfW(Ehdr) *header = (void *)bytes;
	file_make("bin/libportshim.so", "text", 4, 0644);
	EXPECT_REFUSED(RUN_TRUE(tool), 125, "not a sound ELF file");
	header->e_machine ^= 0x55;
	file_make("bin/libportshim.so", bytes, size, 0644);
	EXPECT_REFUSED(RUN_TRUE(tool), 125, "another machine");
	header->e_machine ^= 0x55;
	header->e_type = ET_EXEC;
	file_make("bin/libportshim.so", bytes, size, 0644);
	EXPECT_REFUSED(RUN_TRUE(tool), 125, "not a shared object");
	free(bytes);
}

/* Its header is sound, and yet the loader ignores it: without the proof the program would run without policy. */
Test(library, that_the_loader_ignores_starts_nothing)
{
	const char *tool = tool_copy("bin");
	char *bytes;
	size_t size = library_read(&bytes);
	ElfW(Ehdr) *header = (void *)bytes;
	header->e_phnum = 1;
	file_make("bin/libportshim.so", bytes, size, 0644);
	EXPECT_REFUSED(RUN_TRUE(tool), 125, "was not taken by the dynamic loader");
	free(bytes);
}

Test(library, whose_path_ld_preload_cannot_name_starts_nothing)
{
	char *bytes;
	size_t size = library_read(&bytes);
	const char *tool = tool_copy("a folder");
	file_make("a folder/libportshim.so", bytes, size, 0644);
	EXPECT_REFUSED(RUN_TRUE(tool), 125, "cannot name");
	tool = tool_copy("a:folder");
	file_make("a:folder/libportshim.so", bytes, size, 0644);
	EXPECT_REFUSED(RUN_TRUE(tool), 125, "cannot name");
	free(bytes);
}

Test(library, of_another_version_is_told)
{
	const char *tool = tool_copy("bin");
	char *bytes;
	size_t size = library_read(&bytes);
	bool changed = false;
	for (char *at = bytes; (at = memmem(at, size - (size_t)(at - bytes), PORTSHIM_VERSION, sizeof(PORTSHIM_VERSION)));
	     at++, changed = true)
		at[0] = '9';
	cr_assert(changed);
	file_make("bin/libportshim.so", bytes, size, 0644);
	EXPECT_WARNED(RUN_TRUE(tool), "", "is version 9");
	free(bytes);
}
