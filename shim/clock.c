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

/* The function of that name among the symbols of a section; NULL if it is not there. `base`: where the file
 * begins. */
static void *find_symbol(const char *base, const ElfW(Shdr) *section, const ElfW(Shdr) *sections, const char *name)
{
	const ElfW(Sym) *symbol = (const ElfW(Sym) *)(base + section->sh_offset);
	const char *names = base + sections[section->sh_link].sh_offset;

	for (size_t i = 0; i < section->sh_size / sizeof(*symbol); i++)
		if (symbol[i].st_value && strcmp(names + symbol[i].st_name, name) == 0)
			return (void *)(base + symbol[i].st_value);
	return NULL;
}

static clock_reader *find(void)
{
	const char *base = (const char *)getauxval(AT_SYSINFO_EHDR);
	const ElfW(Ehdr) *head = (const ElfW(Ehdr) *)base;
	clock_reader *reader = ask;
	void *found = NULL;

	for (int i = 0; base && !found && i < head->e_shnum; i++) {
		const ElfW(Shdr) *sections = (const ElfW(Shdr) *)(base + head->e_shoff);

		if (sections[i].sh_type != SHT_DYNSYM)
			continue;
		found = find_symbol(base, &sections[i], sections, "__vdso_clock_gettime");
		if (!found)
			found = find_symbol(base, &sections[i], sections, "__kernel_clock_gettime");
	}
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
