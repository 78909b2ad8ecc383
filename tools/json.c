/* json.c - printing JSON. */
#include "tools/json.h"

#include <inttypes.h>
#include <stddef.h>

#include "config/utf8.h"

enum { LINES_DEPTH = 2 }; /* what lies deeper stands on one line */

static void quoted(FILE *to, const char *words)
{
	putc('"', to);
	while (*words != '\0') {
		char piece[UTF8_JSON_MOST];
		size_t taken, length = utf8_json(piece, words, &taken);
		fwrite(piece, 1, length, to);
		words += taken;
	}
	putc('"', to);
}

/* What stands before a value. */
static void lead(struct json *json, const char *key)
{
	if (json->follows)
		putc(',', json->to);
	if (json->depth > 0 && json->depth <= LINES_DEPTH)
		fprintf(json->to, "\n%*s", (int)json->depth * 2, "");
	else if (json->follows)
		putc(' ', json->to);
	if (key) {
		quoted(json->to, key);
		fputs(": ", json->to);
	}
	json->follows = true;
}

void json_open(struct json *json, const char *key, char bracket)
{
	lead(json, key);
	putc(bracket, json->to);
	json->depth++;
	json->follows = false;
}

void json_close(struct json *json, char bracket)
{
	json->depth--;
	if (json->follows && json->depth < LINES_DEPTH)
		fprintf(json->to, "\n%*s", (int)json->depth * 2, "");
	putc(bracket, json->to);
	if (json->depth == 0)
		putc('\n', json->to);
	json->follows = true;
}

void json_words(struct json *json, const char *key, const char *words)
{
	lead(json, key);
	if (words)
		quoted(json->to, words);
	else
		fputs("null", json->to);
}

void json_number(struct json *json, const char *key, uint64_t number)
{
	lead(json, key);
	fprintf(json->to, "%" PRIu64, number);
}

void json_thousandths(struct json *json, const char *key, uint64_t number)
{
	lead(json, key);
	fprintf(json->to, "%" PRIu64 ".%03u", number / 1000, (unsigned)(number % 1000));
}

void json_bool(struct json *json, const char *key, bool value)
{
	lead(json, key);
	fputs(value ? "true" : "false", json->to);
}
