/* implies.c - comparing what rules ask for. */
#include "tools/check/implies.h"

#include <string.h>

#include "config/glob.h"

bool is_plain(const char *glob)
{
	return glob[strcspn(glob, "*?[\\")] == '\0';
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* --- processes ------------------------------------------------------------------------------------------ */

/* Whether all that a pattern of one kind is like is like the other. */
typedef bool implication(const char *glob, const char *other);

static bool implies_glob(const char *glob, const char *other)
{
	return strcmp(glob, other) == 0 || strcmp(other, "*") == 0 || (is_plain(glob) && glob_match(other, glob));
}

/* As narrow.c has it: with a '/' the path counts, without one its base name. */
static bool implies_program(const char *glob, const char *other)
{
	if (strcmp(glob, other) == 0 || strcmp(other, "*") == 0)
		return true;
	if (!is_plain(glob))
		return false;
	if (!strchr(other, '/'))
		return glob_match(other, base_name(glob));
	return strchr(glob, '/') && glob_match(other, glob);
}

/* "NAME=glob" */
static bool implies_env(const char *glob, const char *other)
{
	size_t name = strcspn(glob, "=") + 1;
	return strncmp(glob, other, name) == 0 && implies_glob(glob + name, other + name);
}

/* One of a list is enough, so each of the one must follow one of the other. */
static bool implies_list(const struct string_list *list, const struct string_list *other, implication *implies)
{
	if (!other->n)
		return true;
	for (uint32_t i = 0; i < list->n; i++) {
		uint32_t j = 0;
		while (j < other->n && !implies(list->item[i], other->item[j]))
			j++;
		if (j == other->n)
			return false;
	}
	return list->n != 0;
}

static bool id_in(const struct id_list *list, uint32_t id)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (list->item[i] == id)
			return true;
	return false;
}

static bool implies_ids(const struct id_list *list, const struct id_list *other)
{
	for (uint32_t i = 0; i < list->n && other->n; i++)
		if (!id_in(other, list->item[i]))
			return false;
	return !other->n || list->n;
}

bool implies_process(const struct rule *rule, const struct rule *other)
{
	return implies_ids(&rule->user, &other->user) && implies_ids(&rule->group, &other->group) &&
	       implies_list(&rule->program, &other->program, implies_program) &&
	       implies_list(&rule->command, &other->command, implies_glob) &&
	       implies_list(&rule->cgroup, &other->cgroup, implies_glob) &&
	       implies_list(&rule->env, &other->env, implies_env);
}

bool same_process(const struct rule *a, const struct rule *b)
{
	return implies_process(a, b) && implies_process(b, a);
}

/* That one program can have two names, a link's and its file's, is left out of account. */
static bool may_both_match(const char *a, const char *b)
{
	if (!is_plain(a) && !is_plain(b))
		return true;
	if (!is_plain(a))
		return may_both_match(b, a);
	return implies_program(a, b) || (is_plain(b) && implies_program(b, a)) ||
	       (!is_plain(b) && strchr(b, '/') && !strchr(a, '/'));
}

static bool excludes_program(const struct string_list *a, const struct string_list *b)
{
	for (uint32_t i = 0; i < a->n; i++)
		for (uint32_t j = 0; j < b->n; j++)
			if (may_both_match(a->item[i], b->item[j]))
				return false;
	return a->n && b->n;
}

bool excludes_process(const struct rule *a, const struct rule *b)
{
	bool users = a->user.n && b->user.n;
	for (uint32_t i = 0; i < a->user.n && users; i++)
		users = !id_in(&b->user, a->user.item[i]);
	return users || excludes_program(&a->program, &b->program);
}

/* --- calls ---------------------------------------------------------------------------------------------- */

uint8_t rule_families(const struct rule *rule)
{
	return (uint8_t)(rule->families & (rule->source.family ? rule->source.family : FAMILY_ANY));
}

uint8_t rule_calls(const struct rule *rule)
{
	return rule->n_to ? rule->calls & (uint8_t)~CALL_LISTEN : rule->calls;
}

bool implies_target(const struct target *target, const struct target *other, uint8_t family)
{
	const uint64_t hi = target->net.family ? target->mask_hi : 0, lo = target->net.family ? target->mask_lo : 0;
	if (target->net.family && target->net.family != family)
		return true; /* covers nothing there */
	if (target->port_lo < other->port_lo || target->port_hi > other->port_hi)
		return false;
	if (!other->net.family)
		return true;
	return other->net.family == family && (other->mask_hi & ~hi) == 0 && (other->mask_lo & ~lo) == 0 &&
	       (target->net.hi & other->mask_hi) == other->net.hi && (target->net.lo & other->mask_lo) == other->net.lo;
}
