/* test_clock.c - the function that reads the clock is found in the vDSO of this kernel, and of older ones. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

#include "shim/clock.h"

#define ROOM 65536

/* Aligned, as the file's parts are. */
static union {
	char bytes[ROOM];
	ElfW(Ehdr) head;
} copy;

/* As far as its last table of sections; those follow all the rest. */
static const char *copy_of_vdso(void)
{
	const char *vdso = (const char *)getauxval(AT_SYSINFO_EHDR); /* NOLINT */
	const ElfW(Ehdr) *head = (const ElfW(Ehdr) *)vdso;
	size_t size = vdso ? head->e_shoff + (size_t)head->e_shnum * head->e_shentsize : 0;

	cr_assert(size > 0 && size <= ROOM, "a vDSO of %zu bytes", size);
	memcpy(copy.bytes, vdso, size);
	return vdso;
}

static ElfW(Shdr) *section(int number)
{
	return (ElfW(Shdr) *)(copy.bytes + copy.head.e_shoff) + number;
}

/* Until Linux 3.15 the one of x86-64 was linked for an address near the end. */
static void link_for(uintptr_t address)
{
	ElfW(Phdr) *segment = (ElfW(Phdr) *)(copy.bytes + copy.head.e_phoff);

	for (int i = 0; i < copy.head.e_phnum; i++)
		segment[i].p_vaddr += address;
	for (int i = 0; i < copy.head.e_shnum; i++)
		if (section(i)->sh_type == SHT_DYNSYM) {
			ElfW(Sym) *symbol = (ElfW(Sym) *)(copy.bytes + section(i)->sh_offset);

			for (size_t n = 0; n < section(i)->sh_size / sizeof(*symbol); n++)
				if (symbol[n].st_value)
					symbol[n].st_value += address;
		}
}

Test(clock, is_found_in_the_vdso)
{
	const char *vdso = copy_of_vdso(), *found = clock_find(vdso);

	cr_assert(found > vdso && found < vdso + ROOM);
	cr_assert_null(clock_find(NULL));
}

Test(clock, is_found_in_one_that_was_linked_for_an_address)
{
	const char *vdso = copy_of_vdso();
	ptrdiff_t at = (const char *)clock_find(vdso) - vdso;

	link_for((uintptr_t)-0x900000);
	cr_assert_eq((const char *)clock_find(copy.bytes) - copy.bytes, at);
}

/* A table of sections that names no strings, as a stripped file may have, is not followed. */
Test(clock, is_not_looked_for_without_names)
{
	copy_of_vdso();
	for (int i = 0; i < copy.head.e_shnum; i++)
		if (section(i)->sh_type == SHT_DYNSYM)
			section(i)->sh_link = copy.head.e_shnum;
	cr_assert_null(clock_find(copy.bytes));
}
