/* audit_read.c - lines of the audit file, one after the other. Nothing in them is trusted. */
#define _GNU_SOURCE
#include "tools/audit_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/policy.h"
#include "tools/memory.h"
#include "tools/when.h"

enum { BUFFER_SIZE = 4 * AUDIT_LINE_MAX, DEPTH_MAX = 8, TRIES_MAX = 16 };

/* A value as it stands in the buffer: of a string what is between its quotes. */
struct piece {
	char *at;
	size_t length;
	enum { ABSENT, STRING, OTHER } kind;
	bool escaped; /* a backslash is in it */
};

enum key {
	KEY_TIME, KEY_EVENT, KEY_RULE, KEY_PID, KEY_PROGRAM, KEY_USER, KEY_CALL, KEY_PROTOCOL, KEY_LOCAL_ADDRESS,
	KEY_LOCAL_PORT, KEY_REMOTE_ADDRESS, KEY_REMOTE_PORT, KEYS
};

static const struct { const char *name; size_t length; } key_names[] = {
#define NAMED(key, words) [key] = { words, sizeof(words) - 1 }
	NAMED(KEY_TIME, "time"), NAMED(KEY_EVENT, "event"), NAMED(KEY_RULE, "rule"), NAMED(KEY_PID, "pid"),
	NAMED(KEY_PROGRAM, "program"), NAMED(KEY_USER, "user"), NAMED(KEY_CALL, "call"),
	NAMED(KEY_PROTOCOL, "protocol"), NAMED(KEY_LOCAL_ADDRESS, "local_address"),
	NAMED(KEY_LOCAL_PORT, "local_port"), NAMED(KEY_REMOTE_ADDRESS, "remote_address"),
	NAMED(KEY_REMOTE_PORT, "remote_port"),
#undef NAMED
};
_Static_assert(sizeof(key_names) / sizeof(*key_names) == KEYS, "each key has a name");

/* ---- objects: each function moves *at behind what it has read ------------------------------------------ */

static void blanks_skip(char **at, const char *end)
{
	while (*at < end && (**at == ' ' || **at == '\t' || **at == '\r'))
		++*at;
}

/* From the quote that opens it to behind the one that closes it. */
static bool string_read(char **at, const char *end, struct piece *piece)
{
	char *to = *at + 1;
	piece->kind = STRING;
	piece->at = to;
	piece->escaped = false;
	for (; to < end && *to != '"'; to++)
		if (*to == '\\') {
			piece->escaped = true;
			to++;
		}
	if (to >= end)
		return false;
	piece->length = (size_t)(to - piece->at);
	*at = to + 1;
	return true;
}

static bool is_of_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '+' || c == '.';
}

/* A number, true, false or null: up to what ends a value. */
static bool word_read(char **at, const char *end, struct piece *piece)
{
	char *to = *at;
	while (to < end && is_of_word(*to))
		to++;
	*piece = (struct piece){ .at = *at, .length = (size_t)(to - *at), .kind = OTHER };
	*at = to;
	return piece->length > 0;
}

/* An object or array as a value, to its end. What is between its brackets is not looked at. */
static bool nested_skip(char **at, const char *end)
{
	struct piece piece;
	unsigned depth = 0;
	while (*at < end) {
		char c = **at;
		if (c == '"') {
			if (!string_read(at, end, &piece))
				return false;
			continue;
		}
		++*at;
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && --depth == 0)
			return true;
		if (depth > DEPTH_MAX)
			return false;
	}
	return false;
}

static bool value_read(char **at, const char *end, struct piece *piece)
{
	if (*at >= end)
		return false;
	if (**at == '"')
		return string_read(at, end, piece);
	if (**at != '{' && **at != '[')
		return word_read(at, end, piece);
	*piece = (struct piece){ .kind = OTHER };
	return nested_skip(at, end);
}

static enum key key_of(const struct piece *name)
{
	for (enum key key = 0; key < KEYS; key++)
		if (name->length == key_names[key].length && memcmp(name->at, key_names[key].name, name->length) == 0)
			return key;
	return KEYS;
}

/* Of a key that comes twice the last value counts. False where the object breaks off. */
static bool object_read(char **at, const char *end, struct piece value[KEYS])
{
	memset(value, 0, KEYS * sizeof(*value));
	++*at;
	for (;;) {
		struct piece name, piece;
		blanks_skip(at, end);
		if (*at >= end || **at != '"' || !string_read(at, end, &name))
			return false;
		blanks_skip(at, end);
		if (*at >= end || *(*at)++ != ':')
			return false;
		blanks_skip(at, end);
		if (!value_read(at, end, &piece))
			return false;
		enum key key = key_of(&name);
		if (key != KEYS)
			value[key] = piece;
		blanks_skip(at, end);
		char c = *at < end ? *(*at)++ : '\0';
		if (c != ',')
			return c == '}';
	}
}

/* ---- values ---------------------------------------------------------------------------------------- */

static bool hex_read(const char *at, const char *end, unsigned *code)
{
	*code = 0;
	if (end - at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		unsigned c = (unsigned char)at[i], digit = c - '0' < 10u ? c - '0' : (c | 0x20) - 'a' + 10;
		if (digit > 15 || (c - '0' >= 10u && (c | 0x20) - 'a' >= 6u))
			return false;
		*code = *code << 4 | digit;
	}
	return true;
}

/* As UTF-8 (RFC 3629): never longer than "\uXXXX" or a pair of them was. */
static char *code_write(char *to, unsigned code)
{
	if (code == 0)
		code = '?'; /* it would end the words */
	if (code < 0x80) {
		*to++ = (char)code;
	} else if (code < 0x800) {
		*to++ = (char)(0xc0 | code >> 6);
		*to++ = (char)(0x80 | (code & 0x3f));
	} else if (code < 0x10000) {
		*to++ = (char)(0xe0 | code >> 12);
		*to++ = (char)(0x80 | (code >> 6 & 0x3f));
		*to++ = (char)(0x80 | (code & 0x3f));
	} else {
		*to++ = (char)(0xf0 | code >> 18);
		*to++ = (char)(0x80 | (code >> 12 & 0x3f));
		*to++ = (char)(0x80 | (code >> 6 & 0x3f));
		*to++ = (char)(0x80 | (code & 0x3f));
	}
	return to;
}

/* "\uXXXX", or two of them that are one character; a half of such a pair is U+FFFD. Behind the "u". */
static const char *unicode_read(const char *at, const char *end, char **to)
{
	unsigned code, low;
	if (!hex_read(at, end, &code)) {
		*(*to)++ = '?';
		return at;
	}
	at += 4;
	if (code >= 0xd800 && code < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u' &&
	    hex_read(at + 2, end, &low) && low >= 0xdc00 && low < 0xe000) {
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
		at += 6;
	} else if (code >= 0xd800 && code < 0xe000) {
		code = 0xfffd;
	}
	*to = code_write(*to, code);
	return at;
}

static void unescape(struct piece *piece)
{
	static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	char *to = piece->at;
	const char *end = piece->at + piece->length;
	for (const char *at = piece->at; at < end;) {
		if (*at != '\\') {
			*to++ = *at++;
			continue;
		}
		at++;
		const char *escape = *at ? strchr(escapes, *at) : NULL;
		if (*at == 'u') {
			at = unicode_read(at + 1, end, &to);
		} else {
			*to++ = escape ? meant[escape - escapes] : '?';
			at++;
		}
	}
	piece->length = (size_t)(to - piece->at);
}

/* A string, NUL behind it, where its closing quote was or before that; NULL where there is none. */
static const char *words_of(struct piece *piece)
{
	if (piece->kind != STRING)
		return NULL;
	for (char *nul; !piece->escaped && (nul = memchr(piece->at, '\0', piece->length)) != NULL;)
		*nul = '?';
	if (piece->escaped)
		unescape(piece);
	piece->at[piece->length] = '\0';
	return piece->at;
}

static bool number_of(const struct piece *piece, uint64_t max, uint64_t *number)
{
	*number = 0;
	if (piece->kind != OTHER || piece->length == 0 || piece->length > 10)
		return false;
	for (size_t i = 0; i < piece->length; i++) {
		unsigned digit = (unsigned char)piece->at[i] - (unsigned)'0';
		if (digit > 9)
			return false;
		*number = *number * 10 + digit;
	}
	return *number <= max;
}

static bool is(const struct piece *piece, const char *words)
{
	return piece->kind == STRING && piece->length == strlen(words) && memcmp(piece->at, words, piece->length) == 0;
}

static const struct { const char *name; uint8_t bit; } protocols[] = {
	{ "tcp", PROTOCOL_TCP }, { "udp", PROTOCOL_UDP }, { "sctp", PROTOCOL_SCTP }, { "dccp", PROTOCOL_DCCP },
	{ "udplite", PROTOCOL_UDPLITE },
}, calls[] = {
	{ "connect", CALL_CONNECT }, { "send", CALL_SEND }, { "bind", CALL_BIND }, { "listen", CALL_LISTEN },
};

const char *audit_call_name(uint8_t call)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		if (calls[i].bit == call)
			return calls[i].name;
	return "?";
}

/* Whether the object is an entry: it must say when, what and which port. */
static bool entry_make(struct audit_entry *entry, struct piece value[KEYS])
{
	uint64_t number;
	*entry = (struct audit_entry){ .event = is(&value[KEY_EVENT], "refused") ? AUDIT_REFUSED : AUDIT_ASSIGNED };
	if (!entry->event && !is(&value[KEY_EVENT], "assigned"))
		return false;
	if (value[KEY_TIME].kind != STRING ||
	    !when_read_stamp(value[KEY_TIME].at, value[KEY_TIME].length, &entry->moment) ||
	    !number_of(&value[KEY_LOCAL_PORT], UINT16_MAX, &number) || number == 0)
		return false;
	entry->port = (uint16_t)number;
	if (number_of(&value[KEY_PID], UINT32_MAX, &number))
		entry->pid = (uint32_t)number;
	entry->user = number_of(&value[KEY_USER], UINT32_MAX, &number) ? (uint32_t)number : UINT32_MAX;
	if (number_of(&value[KEY_REMOTE_PORT], UINT16_MAX, &number))
		entry->remote_port = (uint16_t)number;
	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols) && !entry->protocol; i++)
		if (is(&value[KEY_PROTOCOL], protocols[i].name))
			entry->protocol = protocols[i].bit;
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls) && !entry->call; i++)
		if (is(&value[KEY_CALL], calls[i].name))
			entry->call = calls[i].bit;
	entry->local = words_of(&value[KEY_LOCAL_ADDRESS]);
	entry->remote = words_of(&value[KEY_REMOTE_ADDRESS]);
	entry->rule = words_of(&value[KEY_RULE]);
	entry->program = words_of(&value[KEY_PROGRAM]);
	entry->rule = entry->rule ? entry->rule : "";
	entry->program = entry->program ? entry->program : "";
	return true;
}

/* ---- lines ------------------------------------------------------------------------------------------- */

/* The next place where an entry can begin; `end` if there is none. */
static char *brace_find(char *at, const char *end)
{
	for (char *brace; at < end && (brace = memchr(at, '{', (size_t)(end - at))) != NULL; at = brace + 1) {
		char *quote = brace + 1;
		blanks_skip(&quote, end);
		if (quote < end && *quote == '"')
			return brace;
	}
	return (char *)(uintptr_t)end;
}

static bool is_blank(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
		at++;
	return at == end;
}

/* The next entry of what is left of the line. */
static bool line_entry(struct audit_reader *reader, struct audit_entry *entry)
{
	struct piece value[KEYS];
	char *end = reader->line_end;
	bool skipped = false;
	for (unsigned tries = 0; reader->line && tries < TRIES_MAX; tries++) {
		char *brace = brace_find(reader->line, end), *at = brace;
		skipped |= !is_blank(reader->line, brace);
		reader->line = brace < end ? brace : NULL;
		if (!reader->line)
			break;
		bool whole = object_read(&at, end, value);
		if (whole && entry_make(entry, value)) {
			reader->line = at;
			reader->foreign += skipped;
			return true;
		}
		skipped = true;
		reader->line = whole ? at : brace + 1;
	}
	reader->line = NULL;
	reader->foreign += skipped;
	return false;
}

/* More of the file behind what is in the buffer. 1; 0 at its end; -errno. */
static int fill(struct audit_reader *reader)
{
	ssize_t length;
	memmove(reader->buffer, reader->buffer + reader->start, reader->end - reader->start);
	reader->end -= reader->start;
	reader->start = 0;
	do
		length = read(reader->fd, reader->buffer + reader->end, BUFFER_SIZE - reader->end);
	while (length < 0 && errno == EINTR);
	if (length < 0)
		return -errno;
	reader->at_end = length == 0;
	reader->end += (size_t)length;
	reader->bytes += (size_t)length;
	return length > 0;
}

/* Whether there is a line to be looked at; one that is too long is none. */
static bool line_take(struct audit_reader *reader)
{
	char *from = reader->buffer + reader->start;
	size_t length = reader->end - reader->start;
	char *newline = memchr(from, '\n', length);
	if (!newline && !reader->at_end && length < AUDIT_LINE_MAX)
		return false;
	if (!newline && length == 0)
		return false;
	bool skip = reader->in_long_line;
	if (!newline && !reader->at_end) { /* a part of a line that is too long */
		reader->foreign += !skip;
		reader->in_long_line = true;
		reader->start = reader->end;
		return false;
	}
	reader->in_long_line = false;
	reader->line_end = newline ? newline : from + length;
	reader->start += (size_t)(reader->line_end - from) + (newline != NULL);
	if (skip)
		return true;
	if (reader->line_end - from > AUDIT_LINE_MAX)
		reader->foreign++;
	else
		reader->line = from;
	return true;
}

void audit_begin(struct audit_reader *reader, int fd)
{
	*reader = (struct audit_reader){ .fd = fd };
	reader->buffer = memory_zeroed(BUFFER_SIZE, 1);
}

int audit_next(struct audit_reader *reader, struct audit_entry *entry)
{
	for (;;) {
		while (reader->line)
			if (line_entry(reader, entry)) {
				reader->entries++;
				return 1;
			}
		if (line_take(reader))
			continue;
		if (reader->at_end && reader->start == reader->end)
			return 0;
		int more = reader->at_end ? 0 : fill(reader);
		if (more < 0)
			return more;
	}
}

void audit_end(struct audit_reader *reader)
{
	free(reader->buffer);
	reader->buffer = NULL;
}
