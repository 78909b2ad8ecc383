/* identity.c - `user =` and `group =`: numbers, and names looked up in the text of passwd(5) and group(5).
 *
 * getpwnam(3) may load libraries, open sockets (which are hooked) and take locks: none of that may happen here.
 * So names from elsewhere (LDAP, NIS) are not found, and the error says to write the number. */
#include <string.h>

#include "value.h"

/* Both files have the number in the third field: "name:password:number:...". */
static bool number_on_line(const char *line, size_t length, const char *name, size_t name_length, uint32_t *id)
{
	const char *end = line + length, *at, *colon;
	uint64_t number;

	if (length <= name_length || memcmp(line, name, name_length) != 0 || line[name_length] != ':')
		return false;
	at = memchr(line + name_length + 1, ':', length - name_length - 1);
	if (!at)
		return false;
	at++;
	colon = memchr(at, ':', (size_t)(end - at));
	if (!text_to_number(at, (size_t)((colon ? colon : end) - at), UINT32_MAX - 1, &number))
		return false;
	*id = (uint32_t)number;
	return true;
}

static bool look_up(const char *text, const char *name, uint32_t *id)
{
	size_t name_length = strlen(name);

	while (text && *text) {
		size_t length = strcspn(text, "\n");

		if (number_on_line(text, length, name, name_length, id))
			return true;
		text += length + (text[length] == '\n');
	}
	return false;
}

/* `file`: the text's usual name, for the error. */
static bool take_id(struct taking *taking, const struct item *item, const char *text, const char *file, uint32_t *id)
{
	uint64_t number;
	struct text *why;

	if (text_to_number(item->words, strlen(item->words), UINT32_MAX - 1, &number)) {
		*id = (uint32_t)number; /* the highest one means "none" to the kernel */
		return true;
	}
	if (look_up(text, item->words, id))
		return true;
	if (value_has_blank(item))
		return value_refuse(taking, item, TEXT_WANTS_COMMAS);
	why = value_complain(taking, item->words);
	text_add(why, text ? "is not in " : "cannot be looked up without ");
	text_add(why, file);
	text_add(why, "; write the number that `id` shows");
	findings_add(taking->findings, SEVERITY_ERROR, item->line);
	return false;
}

static bool take_ids(struct taking *taking, const struct item *item, uint32_t n, const char *text, const char *file,
                     struct id_list *list)
{
	uint32_t *ids = arena_alloc(taking->arena, n * sizeof(*ids));
	bool good = true;

	taking->no_memory = taking->no_memory || !ids;
	for (uint32_t i = 0; ids && i < n; i++)
		good = take_id(taking, &item[i], text, file, &ids[i]) && good;
	*list = (struct id_list){ ids, n };
	return good && ids;
}

bool take_user(struct taking *taking, const struct item *item, uint32_t n)
{
	return take_ids(taking, item, n, taking->world->passwd, "/etc/passwd", &taking->rule->user);
}

bool take_group(struct taking *taking, const struct item *item, uint32_t n)
{
	return take_ids(taking, item, n, taking->world->group, "/etc/group", &taking->rule->group);
}
