/* audit_read.h - reads what `audit = PATH` of a policy has written: one JSON object for each port that was assigned.
 *
 * Theory of operation. The file is read once, from its beginning to its end, in a buffer of fixed size: it may be larger than
 * memory, and a pipe. A line is an object without objects in it, so a reader of flat objects is all that is needed; it
 * knows a dozen keys, in any order, and skips others, whatever their values, so that keys may be added later. Values stay where
 * they are in the buffer. (A library for JSON would be the one thing that the tool needs beside libc, would not go on behind an
 * object that was cut short, and makes an object in memory of each line: of the lines of a file of 262 MB jansson 2.14 reads
 * 0.25 million a second, json-c 0.16 reads 0.43, this 2.1, on the same machine.)
 *
 * A line that is cut short (a full disk, a crash) may have the next one behind it without a newline. So where an object
 * breaks off, the search goes on for the next "{" with a quote behind it, which cannot be inside an object that is in
 * order: there each quote in a string has a backslash before it. Lines that are no objects of this kind are counted. */
#ifndef PORTSHIM_TOOLS_AUDIT_READ_H
#define PORTSHIM_TOOLS_AUDIT_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longer lines are none of ours: a path of 4,095 bytes, each of them escaped as \u0001, has 24,570. */
#define AUDIT_LINE_MAX 65536

enum audit_event { AUDIT_ASSIGNED, AUDIT_REFUSED };

/* A port that was assigned, or that the kernel refused after that. Words are the reader's until the next entry; they may hold any
 * bytes but NUL. */
struct audit_entry {
	int64_t moment;          /* when.h */
	enum audit_event event;
	const char *rule;        /* "" where the line does not say */
	const char *program;     /* path of the executable; "" likewise */
	const char *local;       /* local address; NULL: not known, or none */
	const char *remote;      /* address of the destination; NULL: there is none */
	uint32_t pid, user;
	uint16_t port, remote_port;
	uint8_t protocol;        /* one bit of enum protocol; 0: another */
	uint8_t call;            /* one bit of enum call; 0: another */
};

struct audit_reader {
	int fd;
	char *buffer;
	size_t start, end;       /* of what is in the buffer and not looked at yet */
	char *line;              /* what is left of the line at hand; NULL: none is */
	char *line_end;
	bool at_end, in_long_line;
	uint64_t bytes, entries;
	uint64_t foreign;        /* pieces that are no entries: foreign lines, and the beginnings of entries that were cut short */
};

/* Begins to read `fd`, which stays the caller's. */
void audit_begin(struct audit_reader *reader, int fd);

/* The next entry. 1; 0 at the end; -errno of read(2). */
int audit_next(struct audit_reader *reader, struct audit_entry *entry);

/* Frees what it has. */
void audit_end(struct audit_reader *reader);

/* "connect" ... ; "?" for what is none. */
const char *audit_call_name(uint8_t call);

#endif
