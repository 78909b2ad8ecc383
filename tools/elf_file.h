/* elf_file.h - what an ELF file says of itself, read without trusting it.
 *
 * Everything is read with pread(2) and checked against the file's size: the file may be hostile, and may
 * shrink while it is read (which a mapping would answer with SIGBUS). Both classes, native byte order. */
#ifndef PORTSHIM_TOOLS_ELF_FILE_H
#define PORTSHIM_TOOLS_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_file {
	int fd;
	uint64_t size;
	unsigned char class;         /* ELFCLASS32 or ELFCLASS64 */
	unsigned char order;         /* ELFDATA2LSB or ELFDATA2MSB */
	uint16_t type, machine;      /* ET_*, EM_*; 0 where the byte order is not ours */
	unsigned char *segments;     /* the program header table */
	uint32_t n_segments;
	uint64_t sections_at;        /* where the section header table is in the file */
	uint32_t n_sections, names;  /* names: index of the section with the sections' names */
};

/* Takes the file behind `fd`, which stays the caller's and must stay open. 0, or -ENOEXEC if it is no ELF
 * file or not one that a kernel would load, or what fstat(2) and pread(2) say. On 0: elf_close() afterwards.
 * A file of another byte order is told by `class` and `order` alone, and has neither segments nor sections. */
int elf_open(struct elf_file *elf, int fd);
void elf_close(struct elf_file *elf);

/* The program interpreter (PT_INTERP), e.g. "/lib64/ld-linux-x86-64.so.2". False if there is none, if it is
 * not a string, or if it does not fit. */
bool elf_loader(const struct elf_file *elf, char *path, size_t size);

bool elf_has_section(const struct elf_file *elf, const char *name);

/* Whether a PT_NOTE segment holds a note of that owner, e.g. "Go" or "GNU". */
bool elf_has_note(const struct elf_file *elf, const char *owner);

/* Whether both are of one class, byte order and machine: what a process can hold together. */
bool elf_same_machine(const struct elf_file *a, const struct elf_file *b);

/* As pread(2), but all `size` bytes at `offset` or nothing. */
bool read_exactly(int fd, uint64_t offset, void *into, size_t size);

#endif
