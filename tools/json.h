/* json.h - JSON (RFC 8259) as the commands print it with --json: a line for each item of an outer array. */
#ifndef PORTSHIM_TOOLS_JSON_H
#define PORTSHIM_TOOLS_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *to;
	unsigned depth;
	bool follows; /* something stands before on this level */
};

/* An object or array; `key` is NULL inside an array, and for the outermost. */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket); /* a newline behind the outermost */

/* NULL is null. Bytes that are no UTF-8 become U+FFFD. */
void json_words(struct json *json, const char *key, const char *words);
void json_number(struct json *json, const char *key, uint64_t number);
/* With three places behind the point. */
void json_thousandths(struct json *json, const char *key, uint64_t number);
void json_bool(struct json *json, const char *key, bool value);

#endif
