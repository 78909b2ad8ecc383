/* sibling.c - where the library for the other word size is. */
#include "tools/sibling.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__x86_64__) && defined(__LP64__)
#define OTHER_LOADER "/lib/ld-linux.so.2"
#define OTHER_CLASS ELFCLASS32
#define OTHER_MACHINE EM_386
#elif defined(__i386__)
#define OTHER_LOADER "/lib64/ld-linux-x86-64.so.2"
#define OTHER_CLASS ELFCLASS64
#define OTHER_MACHINE EM_X86_64
#else
#define OTHER_LOADER NULL
#define OTHER_CLASS ELFCLASSNONE
#define OTHER_MACHINE EM_NONE
#endif

const char *const sibling_loader = OTHER_LOADER;

bool sibling_is(const struct elf_file *elf)
{
	return OTHER_LOADER && elf->class == OTHER_CLASS && elf->machine == OTHER_MACHINE;
}

/* What the loader puts for "$LIB". "" if it is not there. */
static void lib_of(const char *loader, char lib[PATH_MAX])
{
	char real[PATH_MAX];
	lib[0] = '\0';
	if (!loader || !realpath(loader, real))
		return;
	*strrchr(real, '/') = '\0';
	const char *from = strncmp(real, "/usr/", 5) == 0 ? real + 5 : real + 1;
	snprintf(lib, PATH_MAX, "%s", from);
}

static void own_lib(char lib[PATH_MAX])
{
	char loader[PATH_MAX];
	struct elf_file own;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	lib[0] = '\0';
	if (fd < 0)
		return;
	if (elf_open(&own, fd) == 0) {
		if (elf_loader(&own, loader, sizeof(loader)))
			lib_of(loader, lib);
		elf_close(&own);
	}
	close(fd);
}

static bool is_library_for_the_other(const char *path)
{
	struct elf_file elf;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool good = fd >= 0 && elf_open(&elf, fd) == 0;
	if (good) {
		good = sibling_is(&elf) && elf.type == ET_DYN;
		elf_close(&elf);
	}
	if (fd >= 0)
		close(fd);
	return good;
}

static bool same_file(const char *a, const char *b)
{
	struct stat one, other;
	return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/* FIRST/SECOND/NAME; false if it does not fit. */
static bool join(char path[PATH_MAX], const char *first, const char *second, const char *name)
{
	int length = snprintf(path, PATH_MAX, "%s/%s/%s", first, second, name);
	return length > 0 && length < PATH_MAX;
}

/* Whether BASE/$LIB has both, and the one for this word size is `library`. */
static bool is_base(const char *base, const char *library, char preload[PATH_MAX], char path[PATH_MAX])
{
	const char *name = strrchr(library, '/') + 1;
	char own[PATH_MAX], other[PATH_MAX], here[PATH_MAX];
	own_lib(own);
	lib_of(OTHER_LOADER, other);
	return own[0] != '\0' && other[0] != '\0' && join(here, base, own, name) && same_file(here, library) &&
	       join(path, base, other, name) && is_library_for_the_other(path) && join(preload, base, "$LIB", name);
}

/* The base may be any folder above the library: its own, that is, where `$LIB` is below that, PREFIX for PREFIX/lib and for
 * PREFIX/lib/x86_64-linux-gnu. */
bool sibling_find(const char *library, char preload[PATH_MAX], char path[PATH_MAX])
{
	char base[PATH_MAX];
	snprintf(base, sizeof(base), "%s", library);
	for (int levels = 0; levels < 3; levels++) {
		char *slash = strrchr(base, '/');
		if (!slash || slash == base)
			break;
		*slash = '\0';
		if (is_base(base, library, preload, path))
			return true;
	}
	preload[0] = path[0] = '\0';
	return false;
}

bool sibling_serves(const char *loader)
{
	char lib[PATH_MAX], usual[PATH_MAX];
	lib_of(loader, lib);
	lib_of(OTHER_LOADER, usual);
	return lib[0] != '\0' && strcmp(lib, usual) == 0;
}
