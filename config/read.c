/* read.c - raw lines, checked, to inih, and back as values with their lines.
 *
 * Theory of operation. inih splits lines into sections, keys and values, but it is generous where a policy must not
 * be: it cuts lines at 200 bytes and names at 49, takes ':' for '=', drops what follows a ']', goes on after an
 * error, takes any indented line for a continuation, and tells its handler neither the line nor where a
 * section without keys begins. It asks a function of ours for each line. That function sees each raw line
 * first: one that inih would cut, merge or mistake is refused with its number and handed on as an empty line;
 * the others are handed on without indentation and comment, so that both readings can only be the same. As inih
 * calls the handler before it asks for the next line, the line at hand is the handler's.
 *
 * A continuation is an indented line behind a value that ends in a comma, comments and empty lines between not
 * counted. Only such a line keeps its indentation, by which inih knows it. */
#include "read.h"

#include <ini.h>
#include <string.h>

#include "keys.h"
#include "utf8.h"

/* inih's MAX_SECTION and MAX_NAME, less the NUL: it cuts without a word what is longer. */
#define LONGEST_NAME 49

/* An unfinished list: whether the next indented line belongs to it. */
enum list { LIST_NONE, LIST_OPEN, LIST_REFUSED };

struct reader {
	const char *at, *end;      /* what is still to be read */
	int line;                  /* of the line at hand, from 1 */
	enum list list;
	bool continued;            /* the line at hand continues a list */
	uint32_t handed, handled;  /* lines that must reach the handler, and that did */
	struct findings *findings;
	const struct read_events *events;
	void *context;
};

/* A line or a part of it: not NUL-terminated. */
struct span {
	const char *at;
	size_t length;
};

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static struct span trim(struct span span)
{
	while (span.length && is_blank(*span.at)) {
		span.at++;
		span.length--;
	}
	while (span.length && is_blank(span.at[span.length - 1]))
		span.length--;
	return span;
}

static struct span up_to(struct span span, const char *end)
{
	return trim((struct span){ span.at, (size_t)(end - span.at) });
}

static struct span behind(struct span span, const char *at)
{
	return (struct span){ at + 1, (size_t)(span.at + span.length - at) - 1 };
}

static const char *find(struct span span, char byte)
{
	return span.length ? memchr(span.at, byte, span.length) : NULL;
}

/* The raw line at `at` without its end; *next is what follows. "\n" and "\r\n" both end a line. */
static struct span line_at(const char *at, const char *end, const char **next)
{
	const char *newline = memchr(at, '\n', (size_t)(end - at));
	struct span line = { at, (size_t)((newline ? newline : end) - at) };

	*next = newline ? newline + 1 : end;
	if (line.length && line.at[line.length - 1] == '\r')
		line.length--;
	return line;
}

static bool is_empty(struct span words)
{
	return !words.length || *words.at == ';' || *words.at == '#';
}

/* Without the comment: as inih has it, a ';' behind a blank. */
static struct span without_comment(struct span words)
{
	for (size_t i = 1; i < words.length; i++)
		if (words.at[i] == ';' && is_blank(words.at[i - 1]))
			return up_to(words, words.at + i);
	return trim(words);
}

static bool ends_in_comma(struct span words)
{
	return words.length && words.at[words.length - 1] == ',';
}

/* --- refusing ---------------------------------------------------------------------------------- */

static bool refuse_quoting(struct reader *reader, struct span quoted, const char *words)
{
	struct text *text = findings_words(reader->findings);

	text_add_quoted(text, quoted.at, quoted.length);
	text_add(text, words);
	findings_add(reader->findings, SEVERITY_ERROR, reader->line);
	return false;
}

static bool refuse_measuring(struct reader *reader, const char *words, size_t found, const char *most, size_t max,
                             const char *remedy)
{
	struct text *text = findings_words(reader->findings);

	text_add(text, words);
	text_add_number(text, found);
	text_add(text, most);
	text_add_number(text, max);
	text_add(text, remedy);
	findings_add(reader->findings, SEVERITY_ERROR, reader->line);
	return false;
}

static bool refuse_character(struct reader *reader, unsigned char second, size_t column)
{
	struct text *text = findings_words(reader->findings);

	text_add(text, "control character U+00");
	text_add_bytes(text, &"0123456789ABCDEF"[second >> 4], 1);
	text_add_bytes(text, &"0123456789ABCDEF"[second & 15], 1);
	text_add(text, " in column ");
	text_add_number(text, column);
	text_add(text, "; a policy is plain text: delete it");
	findings_add(reader->findings, SEVERITY_ERROR, reader->line);
	return false;
}

/* Control characters have no place in a policy; a NUL would hide the rest of its line from inih. */
static bool check_bytes(struct reader *reader, struct span line)
{
	for (size_t i = 0; i < line.length; i++) {
		unsigned char byte = (unsigned char)line.at[i];

		if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
			return refuse_measuring(reader, "control byte ", byte, " in column ", i + 1,
			                        "; a policy is plain text: delete it");
		if (byte == 0xc2 && i + 1 < line.length && utf8_is_control(line.at + i))
			return refuse_character(reader, (unsigned char)line.at[i + 1], i + 1);
	}
	return true;
}

static bool check_length(struct reader *reader, struct span line, size_t max)
{
	if (line.length <= max)
		return true;
	return refuse_measuring(reader, "the line has ", line.length, " bytes, but no more than ", max,
	                        " can be read; break a list behind a comma and indent the line that follows");
}

static bool check_section(struct reader *reader, struct span words, struct span *name)
{
	struct span rest = without_comment(words);
	const char *close = find(rest, ']');

	*name = up_to(behind(rest, rest.at), close ? close : rest.at + rest.length);
	if (!close)
		return refuse_quoting(reader, rest, " has no ']'; write [rule NAME] or [portshim]");
	if (close - rest.at - 1 > LONGEST_NAME)
		return refuse_measuring(reader, "the section's name has ", (size_t)(close - rest.at - 1),
		                        " bytes, but no more than ", LONGEST_NAME, " can be read; shorten it");
	rest = trim(behind(rest, close));
	if (rest.length)
		return refuse_quoting(reader, rest, " stands behind the ']'; write it on its own line, a comment with ' ;'");
	return true;
}

static bool check_key(struct reader *reader, struct span words, struct span key)
{
	if (find(key, ':'))
		return refuse_quoting(reader, words, " has a ':' before the '='; write KEY = VALUE");
	if (!key.length)
		return refuse_quoting(reader, words, " has no key before the '='; write KEY = VALUE");
	if (key.length > LONGEST_NAME)
		return refuse_quoting(reader, key, " is no key: it is too long for one; write KEY = VALUE");
	return true;
}

static bool check_value(struct reader *reader, struct span key, struct span value)
{
	if (!value.length)
		return refuse_quoting(reader, key, " has no value; write one behind the '=', or leave the line out");
	for (size_t i = 0; i < value.length; i++)
		if (value.at[i] == '#' && (i == 0 || is_blank(value.at[i - 1])))
			return refuse_quoting(reader, value, " has a '#' that does not begin a comment; write ' ;' for a comment, "
			                                     "[#] for the sign in a pattern");
	return true;
}

/* --- unfinished lists -------------------------------------------------------------------------- */

/* "[rule x]" or "[portshim]", indented; "[2001:db8::]:53" and "[a-z]*" are items of a list. */
static bool looks_like_section(struct span words)
{
	size_t i = 1;

	if (*words.at != '[')
		return false;
	while (i < words.length && words.at[i] >= 'a' && words.at[i] <= 'z')
		i++;
	if (i < 2 || i == words.length)
		return false;
	return is_blank(words.at[i]) || (words.at[i] == ']' && i + 1 == words.length);
}

/* "ports = 1", indented. "NAME=value" can be an item of `env`: then only a key of the format counts as one. */
static bool looks_like_key(struct span words)
{
	const char *equals = find(words, '=');
	struct span key;

	if (!equals)
		return false;
	key = up_to(words, equals);
	for (size_t i = 0; i < key.length; i++)
		if ((key.at[i] < 'a' || key.at[i] > 'z') && key.at[i] != '-')
			return false;
	return key.length && (is_blank(equals[-1]) || keys_find(SECTION_ANY, key.at, key.length));
}

/* Whether the first line from `at` on that says anything continues an unfinished list. */
static bool continues(const char *at, const char *end)
{
	while (at < end) {
		struct span line = line_at(at, end, &at), words = trim(line);

		if (is_empty(words))
			continue;
		return is_blank(*line.at) && !looks_like_section(words) && !looks_like_key(words);
	}
	return false;
}

static bool wants_more(const struct reader *reader, struct span words)
{
	return ends_in_comma(words) && continues(reader->at, reader->end);
}

/* --- what inih calls --------------------------------------------------------------------------- */

static void put(char *to, const char *before, struct span words, const char *after)
{
	size_t n = strlen(before);

	memcpy(to, before, n);
	memcpy(to + n, words.at, words.length);
	memcpy(to + n + words.length, after, strlen(after) + 1);
}

static bool read_section(struct reader *reader, struct span words, bool good, char *to)
{
	struct span name;

	good = good && check_section(reader, words, &name);
	if (!good)
		name = trim((struct span){ words.at + 1, words.length > 41 ? 40 : words.length - 1 });
	put(to, "", name, "");
	reader->events->section(reader->context, to, good, reader->line);
	put(to, "[", name, "]");
	return good;
}

static bool read_key(struct reader *reader, struct span words, char *to)
{
	const char *equals;
	struct span key, value;

	words = without_comment(words);
	equals = find(words, '=');
	if (!equals)
		return refuse_quoting(reader, words, find(words, ':') ? " has a ':' and no '='; write KEY = VALUE"
		                                                      : " has no '='; write KEY = VALUE or [rule NAME]");
	key = up_to(words, equals);
	value = trim(behind(words, equals));
	if (!check_key(reader, words, key) || !check_value(reader, key, value))
		return false;
	put(to, "", key, "=");
	put(to + key.length + 1, "", value, "");
	reader->handed++;
	return true;
}

static bool read_continuation(struct reader *reader, struct span words, char *to)
{
	words = without_comment(words);
	if (!check_value(reader, words, words))
		return false;
	put(to, " ", words, "");
	reader->handed++;
	return true;
}

/* One line to inih's buffer `to`; false if it was refused. */
static bool read_line(struct reader *reader, struct span line, size_t max, char *to)
{
	struct span words = trim(line);
	bool good;

	good = check_bytes(reader, line) && check_length(reader, line, max);
	if (!reader->continued && *words.at == '[')
		return read_section(reader, words, good, to);
	if (good)
		good = reader->continued ? read_continuation(reader, words, to) : read_key(reader, words, to);
	if (!good)
		reader->events->refused(reader->context);
	return good;
}

/* inih's reader: the next line into `to`, NULL at the end. `num` as for fgets(3): newline and NUL counted. */
static char *next_line(char *to, int num, void *stream)
{
	struct reader *reader = stream;
	struct span line, words;
	bool good = false;

	if (reader->at >= reader->end)
		return NULL;
	line = line_at(reader->at, reader->end, &reader->at);
	words = trim(line);
	reader->line++;
	if (!is_empty(words))
		reader->continued = reader->list != LIST_NONE;
	if (is_empty(words)) /* not measured: no part of a comment is ever taken for anything else */
		check_bytes(reader, line);
	else if (reader->list != LIST_REFUSED)
		good = read_line(reader, line, (size_t)num - 2, to);
	if (good)
		return to;
	*to = '\0';
	if (!is_empty(words)) /* what continues a refused line says nothing by itself */
		reader->list = wants_more(reader, without_comment(words)) ? LIST_REFUSED : LIST_NONE;
	return to;
}

/* inih's handler. It passes the section as well; the raw lines said already where each begins. */
static int take_value(void *user, const char *section, const char *key, const char *value)
{
	struct reader *reader = user;
	struct span words = { value, strlen(value) };
	bool more = wants_more(reader, words);

	(void)section;
	reader->handled++;
	reader->list = more ? LIST_OPEN : LIST_NONE;
	reader->events->value(reader->context, key, value, reader->line, reader->continued, more);
	return 1;
}

void read_lines(const char *bytes, size_t length, struct findings *findings, const struct read_events *events,
                void *context)
{
	struct reader reader = {
		.at = bytes, .end = bytes + length, .findings = findings, .events = events, .context = context
	};
	int error;

	if (length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) /* a UTF-8 byte order mark */
		reader.at += 3;
	error = ini_parse_stream(next_line, &reader, take_value, &reader);
	if (error != 0 || reader.handed != reader.handled)
		findings_error(findings, error > 0 ? error : reader.line, "this line cannot be read; write KEY = VALUE");
}
