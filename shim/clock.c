/* clock.c - the kernel's clock, read past libc.
 *
 * The kernel maps a small library, the vDSO, into every process (vdso(7)): its function reads the clock without a
 * system call, as libc's does. Where there is none (under valgrind, say), the system call is made. */
#define _GNU_SOURCE
#include "clock.h"

#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's own, on every machine: two longs. */
struct kernel_time {
	long seconds, nanoseconds;
};

typedef int clock_reader(clockid_t clock, struct kernel_time *t);

static int ask(clockid_t clock, struct kernel_time *t)
{
	return (int)syscall(SYS_clock_gettime, clock, t);
}

/* The address that the file was linked for: not 0 in kernels of x86-64 before 3.16. */
static uintptr_t linked_for(const char *base)
{
	const ElfW(Ehdr) *head = (const ElfW(Ehdr) *)base;
	const ElfW(Phdr) *segments = (const ElfW(Phdr) *)(base + head->e_phoff);

	for (int i = 0; i < head->e_phnum; i++)
		if (segments[i].p_type == PT_LOAD)
			return segments[i].p_vaddr - segments[i].p_offset;
	return 0;
}

/* The function of that name among the symbols of a section; NULL if it is not there. `base`: where the file
 * begins. */
static void *find_symbol(const char *base, const ElfW(Shdr) *section, const ElfW(Shdr) *names_of, const char *name)
{
	const ElfW(Sym) *symbol = (const ElfW(Sym) *)(base + section->sh_offset);
	const char *names = base + names_of->sh_offset;

	for (size_t i = 0; i < section->sh_size / sizeof(*symbol); i++)
		if (symbol[i].st_value && strcmp(names + symbol[i].st_name, name) == 0)
			return (void *)((uintptr_t)base + symbol[i].st_value - linked_for(base));
	return NULL;
}

void *clock_find(const void *vdso)
{
	const char *base = vdso;
	const ElfW(Ehdr) *head = vdso;
	void *found = NULL;

	for (int i = 0; base && !found && i < head->e_shnum; i++) {
		const ElfW(Shdr) *sections = (const ElfW(Shdr) *)(base + head->e_shoff), *section = &sections[i];

		if (section->sh_type != SHT_DYNSYM || section->sh_link >= head->e_shnum ||
		    sections[section->sh_link].sh_type != SHT_STRTAB)
			continue;
		found = find_symbol(base, section, &sections[section->sh_link], "__vdso_clock_gettime");
		if (!found)
			found = find_symbol(base, section, &sections[section->sh_link], "__kernel_clock_gettime");
	}
	return found;
}

static clock_reader *find(void)
{
	clock_reader *reader = ask;
	void *found = clock_find((const void *)getauxval(AT_SYSINFO_EHDR)); /* NOLINT: the kernel passes a pointer as a number */

	if (found)
		memcpy(&reader, &found, sizeof(reader)); /* ISO C has no cast from an object to a function */
	return reader;
}

uint64_t clock_read(clockid_t clock)
{
	static _Atomic(clock_reader *) known;
	clock_reader *reader = atomic_load_explicit(&known, memory_order_relaxed);
	struct kernel_time t = { 0, 0 };

	if (!reader) {
		reader = find();
		atomic_store_explicit(&known, reader, memory_order_relaxed);
	}
	reader(clock, &t);
	return (uint64_t)t.seconds * SECOND + (uint64_t)t.nanoseconds;
}

/* The system call itself: libc's is a cancellation point, and another library may stand before it. */
int clock_sleep(uint64_t ns, const void *blocked, size_t size)
{
	struct kernel_time t = { (long)(ns / SECOND), (long)(ns % SECOND) };

	return syscall(SYS_ppoll, NULL, 0, &t, blocked, size) < 0 ? -errno : 0;
}
