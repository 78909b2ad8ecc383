/* ports_read.c - from the words of `ports =` to a set: sorted, disjoint intervals.
 *
 * While a set is built, a port is a bit in three maps: given by number (ranges and psid too), given by a range's
 * name, excluded. What remains in the end is read off as intervals. Maps make overlaps, exclusions before or
 * after what they exclude, and the scattered ports of psid one and the same simple case. */
#include "ports.h"

#include <string.h>

#include "suggest.h"

/* Three maps of 64 ports each, side by side: a small set touches one page of memory. */
enum map { MAP_PLAIN, MAP_NAMED, MAP_EXCLUDED, MAPS };
#define WORDS (65536 / 64)

struct ports_builder {
	struct port_range kernel;
	bool uses_kernel;
	uint32_t first, last; /* the words of the maps that were touched: first..last */
	uint64_t word[WORDS][MAPS];
};

static const struct range_name {
	const char *name;
	uint16_t lo, hi; /* 0: as the kernel says now */
} range_names[] = {
	{ "iana", 49152, 65535 },       /* RFC 6335, section 6 */
	{ "linux", 32768, 60999 },      /* ip(7), since 4.2 */
	{ "linux-2.4", 32768, 61000 },
	{ "bsd", 1024, 5000 },          /* 4.4BSD */
	{ "freebsd", 10000, 65535 },    /* net.inet.ip.portrange */
	{ "windows", 49152, 65535 },    /* since Vista */
	{ "windows-xp", 1025, 5000 },
	{ "solaris", 32768, 65535 },
	{ "rfc6056", 1024, 65535 },     /* RFC 6056, section 3.2 */
	{ "kernel", 0, 0 },             /* net.ipv4.ip_local_port_range */
};
#define RANGE_NAMES (sizeof(range_names) / sizeof(range_names[0]))

const char *ports_range_name(size_t index)
{
	return index < RANGE_NAMES ? range_names[index].name : NULL;
}

/* --- items ------------------------------------------------------------------------------------- */

/* One item of the list, while it is read. */
struct ports_item {
	struct ports_builder *builder;
	struct text *why;
	bool excluded;      /* with a '!' */
	const char *words;  /* without the '!' */
	size_t length;      /* of the range alone: what `slice` follows is behind */
};

/* The ports lo..hi into a map, or into that of the excluded ones if the item says so. */
static void add_ports(const struct ports_item *item, enum map map, uint32_t lo, uint32_t hi)
{
	struct ports_builder *builder = item->builder;

	if (item->excluded)
		map = MAP_EXCLUDED;
	if (lo / 64 < builder->first)
		builder->first = lo / 64;
	if (hi / 64 > builder->last)
		builder->last = hi / 64;
	for (uint32_t i = lo / 64; i <= hi / 64; i++) {
		uint64_t from = i == lo / 64 ? ~0ULL << lo % 64 : ~0ULL;
		uint64_t to = i == hi / 64 ? ~0ULL >> (63 - hi % 64) : ~0ULL;

		builder->word[i][map] |= from & to;
	}
}

static bool refuse(const struct ports_item *item, const char *words)
{
	text_add_quoted(item->why, item->words, strlen(item->words));
	text_add(item->why, " ");
	text_add(item->why, words);
	return false;
}

/* "slice 3/16": the 3rd of 16 parts as equal as whole ports allow; parts 1..N cover the range without overlap. */
static bool cut_slice(const struct ports_item *item, const char *slice, uint32_t *lo, uint32_t *hi)
{
	const char *slash = strchr(slice, '/');
	uint32_t ports = *hi - *lo + 1, first = *lo;
	uint64_t k, n;

	if (!slash || !text_to_number(slice, (size_t)(slash - slice), 65535, &k) ||
	    !text_to_number(slash + 1, strlen(slash + 1), 65535, &n) || k < 1 || k > n)
		return refuse(item, "has no good slice; write which of how many, counted from 1, as in slice 3/16");
	if (n > ports) {
		refuse(item, "has more slices than ports; write at most slice 1/");
		text_add_number(item->why, ports);
		return false;
	}
	*lo = first + (uint32_t)(ports * (k - 1) / n);
	*hi = first + (uint32_t)(ports * k / n) - 1;
	return true;
}

/* Adds lo..hi, or the slice of it that the item asks for. */
static bool add_range(const struct ports_item *item, enum map map, uint32_t lo, uint32_t hi)
{
	const char *rest = item->words + item->length;

	rest += strspn(rest, " \t");
	if (*rest) {
		rest += strlen("slice"); /* ports_add looked */
		if (!cut_slice(item, rest + strspn(rest, " \t"), &lo, &hi))
			return false;
	}
	add_ports(item, map, lo, hi);
	return true;
}

static bool add_named(const struct ports_item *item, const struct range_name *range)
{
	struct ports_builder *builder = item->builder;

	if (range->hi)
		return add_range(item, MAP_NAMED, range->lo, range->hi);
	builder->uses_kernel = true;
	return add_range(item, MAP_NAMED, builder->kernel.lo, builder->kernel.hi);
}

static bool suggest_order(const struct ports_item *item, uint64_t lo, uint64_t hi)
{
	refuse(item, "is reversed; write ");
	text_add_number(item->why, hi);
	text_add(item->why, "-");
	text_add_number(item->why, lo);
	return false;
}

/* "20000 20010": what has no comma between its ports. */
static bool wants_commas(const struct ports_item *item)
{
	size_t blank = strcspn(item->words, " \t");
	const char *next = item->words + blank + strspn(item->words + blank, " \t");

	return blank < item->length && *next && strspn(next, "123456789!") > 0;
}

static bool add_numbers(const struct ports_item *item)
{
	const char *dash = memchr(item->words, '-', item->length);
	size_t first = dash ? (size_t)(dash - item->words) : item->length;
	uint64_t lo, hi;

	/* blanks around the dash are allowed: people write them */
	while (first && (item->words[first - 1] == ' ' || item->words[first - 1] == '\t'))
		first--;
	if (dash)
		dash += 1 + strspn(dash + 1, " \t");
	if (!text_to_number(item->words, first, UINT32_MAX, &lo))
		return refuse(item, wants_commas(item) ? TEXT_WANTS_COMMAS :
		              "is no port, range or name; write for example 20000-20099, !20050 or iana");
	hi = lo;
	if (dash && !text_to_number(dash, (size_t)(item->words + item->length - dash), UINT32_MAX, &hi))
		return refuse(item, wants_commas(item) ? TEXT_WANTS_COMMAS : "is no range of ports; write for example 20000-20099");
	if (lo > 65535 || hi > 65535)
		return refuse(item, "goes beyond the last port; write at most 65535");
	if (lo > hi && hi)
		return suggest_order(item, lo, hi);
	if (lo == 0 || hi == 0)
		return refuse(item, "has port 0, which is none; write ports from 1 on");
	return add_range(item, MAP_PLAIN, (uint32_t)lo, (uint32_t)hi);
}

/* RFC 7597, section 5.1: a port is a bits of index, k of the set's id, m = 16 - a - k of rest. With a > 0 the index
 * 0 is left out, with its well-known ports; with a == 0 only port 0 is. */
static void add_psid_ports(const struct ports_item *item, unsigned int a, unsigned int k, uint32_t id)
{
	unsigned int m = 16 - a - k;

	for (uint32_t index = a > 0; index < 1U << a; index++) {
		uint32_t lo = index << (16 - a) | id << m, hi = lo + (1U << m) - 1;

		if (hi)
			add_ports(item, MAP_PLAIN, lo ? lo : 1, hi);
	}
}

static bool add_psid(const struct ports_item *item)
{
	const char *at = item->words + strlen("psid");
	uint64_t part[3];

	at += strspn(at, " \t");
	for (unsigned int i = 0; i < 3; i++) {
		size_t digits = strcspn(at, "/");

		if (at == item->words + strlen("psid") || !text_to_number(at, digits, 65535, &part[i]) || !!at[digits] != (i < 2))
			return refuse(item, "is no port set id; write psid OFFSET/LENGTH/VALUE, as in psid 6/8/52");
		at += digits + 1;
	}
	if (part[0] + part[1] > 16)
		return refuse(item, "has more than 16 bits; write an offset and a length of at most 16 together");
	if (part[2] >> part[1]) {
		refuse(item, "has a value too large for its length; write at most ");
		text_add_number(item->why, (1U << part[1]) - 1);
		return false;
	}
	add_psid_ports(item, (unsigned int)part[0], (unsigned int)part[1], (uint32_t)part[2]);
	return true;
}

static bool word_is(const char *words, size_t length, const char *word)
{
	return strlen(word) == length && memcmp(words, word, length) == 0;
}

static bool is_word_byte(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool add_name(const struct ports_item *item)
{
	struct suggestion near = SUGGESTION_FOR(item->words, item->length);

	for (size_t i = 0; i < RANGE_NAMES; i++) {
		if (word_is(item->words, item->length, range_names[i].name))
			return add_named(item, &range_names[i]);
		suggest_consider(&near, range_names[i].name);
	}
	refuse(item, "names no range; ");
	suggest_add(&near, item->why, "write numbers, or a name such as iana, linux or kernel");
	return false;
}

/* Where `slice` begins that follows a range, or the end. */
static size_t length_before_slice(const char *words)
{
	for (const char *at = words; (at = strstr(at, "slice")) != NULL; at++) {
		size_t length = (size_t)(at - words);

		if (length == 0 || (at[-1] != ' ' && at[-1] != '\t') || is_word_byte(at[5]))
			continue;
		while (length && (words[length - 1] == ' ' || words[length - 1] == '\t'))
			length--;
		return length;
	}
	return strlen(words);
}

bool ports_add(struct ports_builder *builder, const char *words, struct text *why)
{
	struct ports_item item = { .builder = builder, .why = why, .words = words };

	if (*words == '!') {
		item.excluded = true;
		item.words += 1 + strspn(words + 1, " \t");
	}
	if (!*item.words)
		return refuse(&item, "is an empty item; write a port, a range or a name between the commas");
	item.length = length_before_slice(item.words);
	if (item.length >= 4 && memcmp(item.words, "psid", 4) == 0 && !is_word_byte(item.words[4])) {
		if (item.words[item.length])
			return refuse(&item, "slices a port set id; write slice behind a range or a name");
		return add_psid(&item);
	}
	return is_word_byte(*item.words) ? add_name(&item) : add_numbers(&item);
}

/* --- the whole --------------------------------------------------------------------------------- */

/* Only where something was set: a file of many rules with few ports each is read in a moment. */
static void clear(struct ports_builder *builder)
{
	for (uint32_t word = builder->first; word <= builder->last; word++)
		memset(builder->word[word], 0, sizeof(builder->word[word]));
}

struct ports_builder *ports_begin(struct ports_builder *again, struct port_range kernel, struct arena *arena)
{
	if (again)
		clear(again);
	else
		again = arena_alloc(arena, sizeof(*again));
	if (!again)
		return NULL;
	again->first = WORDS;
	again->last = 0;
	again->kernel = kernel;
	again->uses_kernel = false;
	return again;
}

/* What is left of a word when the excluded ports are out: by number, and by name only. */
struct left {
	uint64_t plain, named;
};

static struct left left_of(const uint64_t word[MAPS])
{
	uint64_t plain = word[MAP_PLAIN] & ~word[MAP_EXCLUDED];

	return (struct left){ plain, word[MAP_NAMED] & ~word[MAP_EXCLUDED] & ~plain };
}

/* How many intervals there will be: the ports that are in a map and whose lower neighbour is not. */
static uint32_t count_intervals(const struct ports_builder *builder)
{
	struct left before = { 0, 0 };
	int n = 0;

	for (uint32_t i = builder->first; i <= builder->last; i++) {
		struct left left = left_of(builder->word[i]);

		uint64_t plain = left.plain & ~(left.plain << 1 | before.plain >> 63);
		uint64_t named = left.named & ~(left.named << 1 | before.named >> 63);

		before = left;
		if (plain | named) /* seldom */
			n += __builtin_popcountll(plain) + __builtin_popcountll(named);
	}
	return (uint32_t)n;
}

/* Intervals from front to back; the last one may still grow. */
struct writer {
	struct port_interval *interval;
	uint32_t n, count; /* intervals, and ports in them */
};

static void write_port(struct writer *to, uint32_t port, uint32_t ports, bool named)
{
	const struct port_interval *last = to->n ? &to->interval[to->n - 1] : NULL;

	if (!last || last->hi + 1U != port || last->named != named)
		to->interval[to->n++] = (struct port_interval){ .lo = (uint16_t)port, .before = to->count, .named = named };
	to->interval[to->n - 1].hi = (uint16_t)(port + ports - 1);
	to->count += ports;
}

static uint32_t write_intervals(const struct ports_builder *builder, struct port_interval *interval)
{
	struct writer to = { interval, 0, 0 };

	for (uint32_t i = builder->first; i <= builder->last; i++) {
		struct left left = left_of(builder->word[i]);

		if (left.plain == ~0ULL || left.named == ~0ULL) { /* most words of a large range are like this */
			write_port(&to, i * 64, 64, left.named);
			continue;
		}
		for (uint64_t rest = left.plain | left.named; rest; rest &= rest - 1) {
			unsigned int bit = (unsigned int)__builtin_ctzll(rest);

			write_port(&to, i * 64 + bit, 1, left.named >> bit & 1);
		}
	}
	return to.count;
}

bool ports_end(struct ports_builder *builder, struct port_set *set, struct arena *arena, struct text *why)
{
	uint32_t n = count_intervals(builder);
	struct port_interval *interval = n ? arena_alloc(arena, n * sizeof(*interval)) : NULL;

	*set = (struct port_set){ .uses_kernel = builder->uses_kernel, .intervals = n };
	if (n == 0)
		text_add(why, "the set is empty, since every port is excluded again; write at least one that is not");
	else if (!interval)
		text_add(why, "out of memory");
	if (!interval)
		return false;
	set->interval = interval;
	set->count = write_intervals(builder, interval);
	return true;
}

static bool add_list(struct ports_builder *builder, const char *spec, struct arena *scratch, struct text *why)
{
	for (bool more = true; more; spec++) {
		size_t length = strcspn(spec, ","), end = length, start = strspn(spec, " \t");
		const char *item;

		while (end > start && (spec[end - 1] == ' ' || spec[end - 1] == '\t'))
			end--;
		item = start < end ? arena_copy(scratch, spec + start, end - start) : "";
		if (!item)
			text_add(why, "out of memory");
		if (!item || !ports_add(builder, item, why))
			return false;
		spec += length;
		more = *spec == ',';
	}
	return true;
}

bool ports_parse(struct port_set *set, const char *spec, struct port_range kernel, struct arena *arena,
                 struct text *why)
{
	struct arena scratch = { NULL };
	struct ports_builder *builder = ports_begin(NULL, kernel, &scratch);
	bool good;

	if (!builder)
		text_add(why, "out of memory");
	good = builder && add_list(builder, spec, &scratch, why) && ports_end(builder, set, arena, why);
	arena_free(&scratch);
	return good;
}
