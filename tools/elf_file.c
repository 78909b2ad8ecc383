/* elf_file.c - reads the headers of ELF files, with every offset checked. */
#include "tools/elf_file.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	SEGMENTS_MAX = 65536,       /* bytes of the program header table: the kernel's own limit */
	SECTIONS_MAX = 8 << 20,     /* bytes of the section header table, and of the names: far above any linker's */
	NOTES_MAX = 65536,          /* bytes looked at in one note segment */
};

union header { Elf32_Ehdr narrow; Elf64_Ehdr wide; };
union segment { Elf32_Phdr narrow; Elf64_Phdr wide; };
union section { Elf32_Shdr narrow; Elf64_Shdr wide; };

/* A member of the union, by the file's class; and the size of its struct. */
#define OF(elf, from, member) \
	((elf)->class == ELFCLASS64 ? (uint64_t)(from)->wide.member : (uint64_t)(from)->narrow.member)
#define SIZE_OF(elf, kind) \
	((elf)->class == ELFCLASS64 ? sizeof(((kind *)0)->wide) : sizeof(((kind *)0)->narrow))

static const unsigned char native_order = __BYTE_ORDER == __LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB;

bool read_exactly(int fd, uint64_t offset, void *into, size_t size)
{
	if (offset > (uint64_t)INT64_MAX - size)
		return false;
	for (size_t done = 0; done < size;) {
		ssize_t n = pread(fd, (char *)into + done, size - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* A copy of a part of the file in memory of its own, with a NUL behind it; NULL if it is not all there. */
static void *read_part(const struct elf_file *elf, uint64_t offset, uint64_t size, uint64_t most)
{
	if (size > most || offset > elf->size || size > elf->size - offset)
		return NULL;
	char *part = malloc((size_t)size + 1);
	if (!part)
		return NULL;
	part[size] = '\0';
	if (read_exactly(elf->fd, offset, part, (size_t)size))
		return part;
	free(part);
	return NULL;
}

static int segments_read(struct elf_file *elf, const union header *header)
{
	elf->n_segments = (uint32_t)OF(elf, header, e_phnum);
	if (elf->n_segments == 0)
		return 0;
	if (OF(elf, header, e_phentsize) != SIZE_OF(elf, union segment))
		return -ENOEXEC;
	uint64_t bytes = (uint64_t)elf->n_segments * SIZE_OF(elf, union segment);
	elf->segments = read_part(elf, OF(elf, header, e_phoff), bytes, SEGMENTS_MAX);
	return elf->segments ? 0 : -ENOEXEC;
}

/* A broken section table is no table: the kernel and the loader do not look at it either. */
static void sections_find(struct elf_file *elf, const union header *header)
{
	if (OF(elf, header, e_shentsize) != SIZE_OF(elf, union section))
		return;
	elf->sections_at = OF(elf, header, e_shoff);
	elf->n_sections = (uint32_t)OF(elf, header, e_shnum);
	elf->names = (uint32_t)OF(elf, header, e_shstrndx);
}

int elf_open(struct elf_file *elf, int fd)
{
	struct stat status;
	union header header = { 0 };
	*elf = (struct elf_file){ .fd = fd };
	if (fstat(fd, &status) < 0)
		return -errno;
	elf->size = (uint64_t)status.st_size;
	const unsigned char *ident = header.wide.e_ident;
	if (!read_exactly(fd, 0, &header, EI_NIDENT) || memcmp(ident, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	elf->class = ident[EI_CLASS];
	elf->order = ident[EI_DATA];
	if (elf->class != ELFCLASS32 && elf->class != ELFCLASS64)
		return -ENOEXEC;
	if (elf->order != native_order)
		return elf->order == ELFDATA2LSB || elf->order == ELFDATA2MSB ? 0 : -ENOEXEC;
	if (!read_exactly(fd, 0, &header, SIZE_OF(elf, union header)))
		return -ENOEXEC;
	elf->type = (uint16_t)OF(elf, &header, e_type);
	elf->machine = (uint16_t)OF(elf, &header, e_machine);
	sections_find(elf, &header);
	return segments_read(elf, &header);
}

void elf_close(struct elf_file *elf)
{
	free(elf->segments);
	elf->segments = NULL;
	elf->n_segments = 0;
}

static union segment segment_at(const struct elf_file *elf, uint32_t index)
{
	union segment segment = { 0 };
	size_t size = SIZE_OF(elf, union segment);
	memcpy(&segment, elf->segments + index * size, size);
	return segment;
}

bool elf_loader(const struct elf_file *elf, char *path, size_t size)
{
	for (uint32_t i = 0; i < elf->n_segments; i++) {
		union segment segment = segment_at(elf, i);
		if (OF(elf, &segment, p_type) != PT_INTERP)
			continue;
		uint64_t length = OF(elf, &segment, p_filesz); /* with its NUL */
		if (length < 2 || length > size || !read_exactly(elf->fd, OF(elf, &segment, p_offset), path, length))
			return false;
		return path[length - 1] == '\0';
	}
	return false;
}

static bool section_is(const struct elf_file *elf, uint32_t index, const unsigned char *headers,
                       const char *names, uint64_t names_size, const char *name)
{
	union section section = { 0 };
	size_t size = SIZE_OF(elf, union section);
	memcpy(&section, headers + index * size, size);
	uint64_t at = OF(elf, &section, sh_name);
	return at < names_size && strcmp(names + at, name) == 0; /* read_part() put a NUL at the end */
}

bool elf_has_section(const struct elf_file *elf, const char *name)
{
	if (elf->names >= elf->n_sections)
		return false;
	size_t size = SIZE_OF(elf, union section);
	unsigned char *headers = read_part(elf, elf->sections_at, (uint64_t)elf->n_sections * size, SECTIONS_MAX);
	if (!headers)
		return false;
	union section strings = { 0 };
	memcpy(&strings, headers + elf->names * size, size);
	uint64_t names_size = OF(elf, &strings, sh_size);
	char *names = read_part(elf, OF(elf, &strings, sh_offset), names_size, SECTIONS_MAX);
	bool found = false;
	for (uint32_t i = 0; names && !found && i < elf->n_sections; i++)
		found = section_is(elf, i, headers, names, names_size, name);
	free(names);
	free(headers);
	return found;
}

/* Walks the notes of one segment; Elf32_Nhdr and Elf64_Nhdr are the same three words. */
static bool notes_name(const unsigned char *at, uint64_t left, const char *owner)
{
	size_t length = strlen(owner) + 1;
	Elf64_Nhdr note;
	while (left >= sizeof(note)) {
		memcpy(&note, at, sizeof(note));
		if (note.n_namesz > left - sizeof(note))
			return false;
		if (note.n_namesz >= length && memcmp(at + sizeof(note), owner, length) == 0)
			return true;
		uint64_t name = ((uint64_t)note.n_namesz + 3) & ~3ULL;
		uint64_t step = sizeof(note) + name + (((uint64_t)note.n_descsz + 3) & ~3ULL);
		if (step > left)
			return false;
		at += step;
		left -= step;
	}
	return false;
}

bool elf_has_note(const struct elf_file *elf, const char *owner)
{
	bool found = false;
	for (uint32_t i = 0; !found && i < elf->n_segments; i++) {
		union segment segment = segment_at(elf, i);
		if (OF(elf, &segment, p_type) != PT_NOTE)
			continue;
		uint64_t size = OF(elf, &segment, p_filesz);
		unsigned char *notes = read_part(elf, OF(elf, &segment, p_offset), size, NOTES_MAX);
		found = notes && notes_name(notes, size, owner);
		free(notes);
	}
	return found;
}

bool elf_same_machine(const struct elf_file *a, const struct elf_file *b)
{
	return a->class == b->class && a->order == b->order && a->machine == b->machine;
}
