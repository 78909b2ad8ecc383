/* test_reach.c - which programs the loader preloads the library into: scripts, ELF files of every kind
 * (made here, byte by byte), hostile ones among them. */
#include <criterion/criterion.h>

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <sys/wait.h>

#include "tests/tools/folder.h"
#include "tools/elf_file.h"
#include "tools/reach.h"

TestSuite(reach, .init = folder_make, .fini = folder_remove, .timeout = 60);

static const char *script_make(const char *name, const char *text)
{
	return text_make(name, text, 0755);
}

/* ---- ELF files made here ------------------------------------------------------------------------- */

struct image {
	ElfW(Ehdr) header;
	ElfW(Phdr) segment[2];
	ElfW(Shdr) section[3];
	char loader[64], names[64];
	struct { ElfW(Nhdr) header; char owner[4], words[8]; } note;
};

static void own_loader(char *path, size_t size)
{
	struct elf_file own;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(elf_open(&own, fd), 0);
	cr_assert(elf_loader(&own, path, size));
	elf_close(&own);
	close(fd);
}

/* A program as this one: class, byte order and machine from /proc/self/exe; its loader, unless NULL. */
static struct image image_make(uint16_t type, const char *loader, const char *section)
{
	struct image image = { .header = { .e_type = 0 } };
	ElfW(Ehdr) *header = &image.header;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	cr_assert(read_exactly(fd, 0, header, sizeof(*header)));
	close(fd);
	header->e_type = type;
	header->e_phoff = offsetof(struct image, segment);
	header->e_phnum = 2;
	header->e_shoff = offsetof(struct image, section);
	header->e_shnum = 3;
	header->e_shstrndx = 2;
	if (loader) {
		put(image.loader, sizeof(image.loader), "%s", loader);
		image.segment[0] = (ElfW(Phdr)){ .p_type = PT_INTERP, .p_offset = offsetof(struct image, loader),
		                                 .p_filesz = strlen(loader) + 1 };
	}
	put(image.names + 1, sizeof(image.names) - 1, "%s", section);
	image.section[1].sh_name = 1;
	image.section[2] = (ElfW(Shdr)){ .sh_offset = offsetof(struct image, names), .sh_size = sizeof(image.names) };
	image.note.header = (ElfW(Nhdr)){ .n_namesz = 4, .n_descsz = 8, .n_type = 4 };
	return image;
}

static struct image usual_image(const char *section)
{
	char loader[64];
	own_loader(loader, sizeof(loader));
	return image_make(ET_DYN, loader, section);
}

static void note_add(struct image *image, const char *owner)
{
	put(image->note.owner, sizeof(image->note.owner), "%s", owner);
	image->segment[1] = (ElfW(Phdr)){ .p_type = PT_NOTE, .p_offset = offsetof(struct image, note),
	                                  .p_filesz = sizeof(image->note) };
}

static const char *image_write(const char *name, const struct image *image)
{
	return file_make(name, image, sizeof(*image), 0755);
}

/* The verdict on a command, and that there are words for it exactly where it starts out of reach. */
static enum reach_verdict verdict_of(const char *command)
{
	struct reach reach;
	char words[2048];
	reach_find(&reach, command);
	reach_words(&reach, words, sizeof(words));
	cr_expect_eq(words[0] != '\0', reach.verdict >= REACH_STATIC, "%s: %d '%s'", command, reach.verdict, words);
	cr_expect(!words[0] || strncmp(words, reach.interpreter[0] ? reach.interpreter : reach.path, 4) == 0);
	return reach.verdict;
}

#define EXPECT_VERDICT(command, verdict) cr_expect_eq(verdict_of(command), verdict, "%s", command)

/* ---- how a command is found ---------------------------------------------------------------------- */

Test(reach, finds_a_dynamic_program_in_path)
{
	struct reach reach;
	reach_find(&reach, "ls");
	cr_expect_eq(reach.verdict, REACH_YES);
	cr_expect(reach.path[0] == '/');
	cr_expect_str_empty(reach.interpreter);
	cr_expect_str_not_empty(reach.loader);
}

Test(reach, searches_path_as_execvp_does)
{
	char path[3 * PATH_MAX];
	struct image image = usual_image(".text");
	mkdir(inside("first"), 0755);
	mkdir(inside("second"), 0755);
	file_make("first/tool", &image, sizeof(image), 0644);
	image_write("second/tool", &image);
	mkdir(inside("first/other"), 0755);
	put(path, sizeof(path), "%s:%s:%s", inside("nowhere"), inside("first"), inside("second"));
	setenv("PATH", path, 1);
	struct reach reach;
	reach_find(&reach, "tool"); /* the first is not executable */
	cr_expect_str_eq(reach.path, inside("second/tool"));
	EXPECT_VERDICT("other", REACH_NOT_EXECUTABLE);
	EXPECT_VERDICT("no-such-tool", REACH_NOT_FOUND);
	EXPECT_VERDICT("", REACH_NOT_FOUND);
	cr_assert_eq(chdir(inside("second")), 0);
	setenv("PATH", "", 1); /* an empty folder is the current one */
	EXPECT_VERDICT("tool", REACH_YES);
	unsetenv("PATH");
	EXPECT_VERDICT("ls", REACH_YES);
	EXPECT_VERDICT("tool", REACH_NOT_FOUND);
}

Test(reach, tells_absent_from_not_executable)
{
	EXPECT_VERDICT(inside("nothing"), REACH_NOT_FOUND);
	EXPECT_VERDICT(folder, REACH_NOT_EXECUTABLE);
	EXPECT_VERDICT(file_make("plain", "text", 4, 0644), REACH_NOT_EXECUTABLE);
	char name[2 * PATH_MAX];
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	EXPECT_VERDICT(name, REACH_NOT_FOUND);
	name[0] = '/';
	EXPECT_VERDICT(name, REACH_NOT_EXECUTABLE);
}

/* ---- what the file says of itself ------------------------------------------------------------------- */

Test(reach, judges_elf_files)
{
	struct image image = usual_image(".text");
	EXPECT_VERDICT(image_write("dynamic", &image), REACH_YES);
	note_add(&image, "GNU");
	EXPECT_VERDICT(image_write("gnu-note", &image), REACH_YES);
	image = image_make(ET_EXEC, NULL, ".text");
	EXPECT_VERDICT(image_write("static", &image), REACH_STATIC);
	image = image_make(ET_DYN, NULL, ".text");
	EXPECT_VERDICT(image_write("static-pie", &image), REACH_STATIC_PIE);
	image = image_make(ET_DYN, "/lib/ld-musl-x86_64.so.1", ".text");
	EXPECT_VERDICT(image_write("musl", &image), REACH_OTHER_LIBC);
	image = image_make(ET_DYN, "/no/such/ld.so", ".text");
	EXPECT_VERDICT(image_write("no-loader", &image), REACH_NO_INTERPRETER);
}

Test(reach, knows_the_static_probe)
{
	const char *build = getenv("PORTSHIM_BUILD");
	char path[PATH_MAX];
	put(path, sizeof(path), "%s/tests/probes/static_hello", build ? build : "build");
	cr_expect(verdict_of(path) == REACH_STATIC || verdict_of(path) == REACH_STATIC_PIE);
}

Test(reach, knows_go_by_section_and_by_note)
{
	struct image image = usual_image(".go.buildinfo");
	EXPECT_VERDICT(image_write("buildinfo", &image), REACH_GO);
	image = usual_image(".note.go.buildid");
	EXPECT_VERDICT(image_write("buildid", &image), REACH_GO);
	image = image_make(ET_EXEC, NULL, ".note.go.buildid");
	EXPECT_VERDICT(image_write("static-go", &image), REACH_GO);
	image = usual_image(".text"); /* without a section table, as some strip */
	note_add(&image, "Go");
	image.header.e_shnum = 0;
	EXPECT_VERDICT(image_write("note", &image), REACH_GO);
}

Test(reach, knows_other_machines)
{
	struct image image = usual_image(".text");
	image.header.e_machine ^= 0x55;
	EXPECT_VERDICT(image_write("machine", &image), REACH_OTHER_MACHINE);
	image = usual_image(".text");
	image.header.e_ident[EI_DATA] ^= ELFDATA2LSB ^ ELFDATA2MSB;
	EXPECT_VERDICT(image_write("order", &image), REACH_OTHER_MACHINE);

	/* the other class: no more than a header is needed */
	Elf32_Ehdr narrow = { .e_type = ET_EXEC, .e_machine = EM_ARM };
	Elf64_Ehdr wide = { .e_type = ET_EXEC, .e_machine = EM_AARCH64 };
	bool is_wide = image.header.e_ident[EI_CLASS] == ELFCLASS64;
	image.header.e_ident[EI_DATA] ^= ELFDATA2LSB ^ ELFDATA2MSB;
	memcpy(narrow.e_ident, image.header.e_ident, EI_NIDENT);
	memcpy(wide.e_ident, image.header.e_ident, EI_NIDENT);
	narrow.e_ident[EI_CLASS] = ELFCLASS32;
	wide.e_ident[EI_CLASS] = ELFCLASS64;
	EXPECT_VERDICT(is_wide ? file_make("class", &narrow, sizeof(narrow), 0755) :
	                         file_make("class", &wide, sizeof(wide), 0755), REACH_OTHER_MACHINE);
}

Test(reach, the_loader_as_a_command_preloads)
{
	char loader[PATH_MAX];
	own_loader(loader, sizeof(loader));
	EXPECT_VERDICT(loader, REACH_YES);
}

/* Every prefix of a program, and thousands with random bytes: any verdict is right, none may crash or hang. */
Test(reach, survives_hostile_files)
{
	struct image sound = usual_image(".note.go.buildid");
	struct reach reach;
	char words[1024];
	note_add(&sound, "GNU");
	for (size_t size = 0; size < sizeof(sound); size++) {
		reach_find(&reach, file_make("cut", &sound, size, 0755));
		reach_words(&reach, words, sizeof(words));
	}
	srandom(1);
	for (int round = 0; round < 5000; round++) {
		struct image image = sound;
		for (int i = 0; i < 1 + round % 8; i++)
			((unsigned char *)&image)[random() % (long)offsetof(struct image, loader)] =
				random() % 2 ? (unsigned char)random() : 0xff;
		memcpy(image.header.e_ident, ELFMAG, SELFMAG);
		reach_find(&reach, image_write("random", &image));
		reach_words(&reach, words, sizeof(words));
	}
}

Test(reach, says_that_a_broken_file_cannot_be_judged)
{
	struct reach reach;
	reach_find(&reach, file_make("broken", ELFMAG "xx", 6, 0755));
	cr_expect_eq(reach.verdict, REACH_UNKNOWN);
	cr_expect_eq(reach.error, ENOEXEC);
}

/* ---- scripts --------------------------------------------------------------------------------------- */

Test(reach, follows_scripts_to_their_interpreter)
{
	struct reach reach;
	char text[2 * PATH_MAX];
	struct image image = image_make(ET_EXEC, NULL, ".text");
	image_write("interpreter", &image);
	put(text, sizeof(text), "#! %s  -x -y\n", inside("interpreter"));
	script_make("one", text);
	put(text, sizeof(text), "#!%s", inside("one")); /* a script for a script, no newline */
	script_make("two", text);
	reach_find(&reach, inside("two"));
	cr_expect_eq(reach.verdict, REACH_STATIC);
	cr_expect_str_eq(reach.path, inside("two"));
	cr_expect_str_eq(reach.interpreter, inside("interpreter"));
	char words[1024];
	reach_words(&reach, words, sizeof(words));
	cr_expect(strstr(words, inside("two")) && strstr(words, inside("interpreter")), "%s", words);
}

Test(reach, follows_env)
{
	char text[PATH_MAX];
	struct image image = image_make(ET_EXEC, NULL, ".text");
	image_write("prog", &image);
	setenv("PATH", folder, 1);
	EXPECT_VERDICT(script_make("plain-env", "#!/usr/bin/env prog\n"), REACH_STATIC);
	EXPECT_VERDICT(script_make("split-env", "#!/usr/bin/env -S A=1 prog -u\n"), REACH_STATIC);
	EXPECT_VERDICT(script_make("absent", "#!/usr/bin/env no-such\n"), REACH_YES); /* env itself starts */
	EXPECT_VERDICT(script_make("bare", "#!/usr/bin/env\n"), REACH_YES);
	put(text, sizeof(text), "#!/usr/bin/env %s\n", inside("plain-env"));
	EXPECT_VERDICT(script_make("nested", text), REACH_STATIC);
	put(text, sizeof(text), "#!/usr/bin/env %s\n", inside("circle")); /* would run for ever */
	verdict_of(script_make("circle", text));
}

Test(reach, a_file_without_interpreter_is_for_the_shell)
{
	struct reach reach;
	reach_find(&reach, script_make("bare", "echo hello\n"));
	cr_expect_eq(reach.verdict, REACH_YES);
	cr_expect_str_eq(reach.interpreter, "/bin/sh");
	EXPECT_VERDICT(script_make("empty", ""), REACH_YES);
}

/* The kernel follows five "#!" lines: the same chain is tried with execve(2). */
Test(reach, stops_where_the_kernel_stops)
{
	char name[32], text[2 * PATH_MAX];
	script_make("level0", "#!/bin/sh\nexit 0\n");
	for (int level = 1; level < 8; level++) {
		put(name, sizeof(name), "level%d", level - 1);
		put(text, sizeof(text), "#!%s\n", inside(name));
		put(name, sizeof(name), "level%d", level);
		script_make(name, text);
		int status;
		pid_t child = fork();
		if (child == 0) {
			execl(inside(name), name, (char *)NULL);
			_exit(errno == ELOOP ? 99 : 98);
		}
		cr_assert_eq(waitpid(child, &status, 0), child);
		bool kernel_stops = WIFEXITED(status) && WEXITSTATUS(status) == 99;
		cr_expect_eq(verdict_of(inside(name)) == REACH_NOT_EXECUTABLE, kernel_stops, "%s", name);
	}
}

Test(reach, tells_a_missing_interpreter)
{
	struct reach reach;
	reach_find(&reach, script_make("lost", "#!/no/such/interpreter\n"));
	cr_expect_eq(reach.verdict, REACH_NO_INTERPRETER);
	cr_expect_eq(reach.error, ENOENT);
	cr_expect_str_eq(reach.interpreter, "/no/such/interpreter");
}
