/* address.c - addresses from words, and the destinations of `to =`: net, prefix and ports. */
#include "address.h"

#include <arpa/inet.h>
#include <string.h>

/* "[", 39 digits and colons (45 where the end is written as IPv4), "]" and a NUL, rounded up. */
#define ADDR_WORDS 56

#define MAPPED_HI 0ULL
#define MAPPED_LO 0xffff00000000ULL /* ::ffff:0:0/96, RFC 4291 section 2.5.5.2 */

static uint64_t big_endian(const unsigned char *bytes, unsigned int n)
{
	uint64_t number = 0;

	for (unsigned int i = 0; i < n; i++)
		number = number << 8 | bytes[i];
	return number;
}

/* As written: a v4-mapped address stays IPv6, so that a prefix can still be counted on it. */
static bool parse_as_written(struct ip_addr *addr, const char *words)
{
	unsigned char bytes[16];

	if (inet_pton(AF_INET, words, bytes) == 1) {
		*addr = (struct ip_addr){ .lo = big_endian(bytes, 4), .family = FAMILY_IPV4 };
		return true;
	}
	if (inet_pton(AF_INET6, words, bytes) != 1)
		return false;
	*addr = (struct ip_addr){
		.hi = big_endian(bytes, 8), .lo = big_endian(bytes + 8, 8), .family = FAMILY_IPV6
	};
	return true;
}

static bool is_mapped(const struct ip_addr *addr)
{
	return addr->family == FAMILY_IPV6 && addr->hi == MAPPED_HI && (addr->lo & ~0xffffffffULL) == MAPPED_LO;
}

static void unmap(struct ip_addr *addr)
{
	addr->family = FAMILY_IPV4;
	addr->hi = 0;
	addr->lo &= 0xffffffff;
}

bool addr_parse(struct ip_addr *addr, const char *words)
{
	if (!parse_as_written(addr, words))
		return false;
	if (is_mapped(addr))
		unmap(addr);
	return true;
}

bool target_covers(const struct target *target, const struct endpoint *to)
{
	if (to->port < target->port_lo || to->port > target->port_hi)
		return false;
	if (!target->net.family)
		return true;
	return to->addr.family == target->net.family && (to->addr.hi & target->mask_hi) == target->net.hi &&
	       (to->addr.lo & target->mask_lo) == target->net.lo;
}

/* --- reading one item of `to =` ---------------------------------------------------------------- */

/* A piece of the item: not NUL-terminated. */
struct piece {
	const char *at;
	size_t length;
};

/* The item taken apart; a piece that is not there has at == NULL. */
struct pieces {
	struct piece addr, prefix, ports;
	bool bracketed;
};

static struct piece piece_to(const char *from, const char *end)
{
	return (struct piece){ from, (size_t)(end - from) };
}

static const char *end_of(const char *words)
{
	return words + strlen(words);
}

/* What follows the address: [/prefix][:ports]. */
static bool split_tail(struct pieces *pieces, const char *at, struct text *why)
{
	if (*at == '/') {
		const char *colon = strchr(at, ':');

		if (pieces->prefix.at) {
			text_add(why, "has two prefixes; write one, as in [2001:db8::/32]:443");
			return false;
		}
		pieces->prefix = piece_to(at + 1, colon ? colon : end_of(at));
		at = colon ? colon : end_of(at);
	}
	if (*at == ':') {
		pieces->ports = piece_to(at + 1, end_of(at));
	} else if (*at) {
		text_add(why, "has something behind the ']'; write [2001:db8::]/32:443");
		return false;
	}
	return true;
}

/* "[2001:db8::/32]:443" and "[2001:db8::]/32:443" */
static bool split_bracketed(struct pieces *pieces, const char *words, struct text *why)
{
	const char *close = strchr(words, ']'), *slash = strchr(words, '/');

	pieces->bracketed = true;
	if (!close) {
		text_add(why, "has a '[' without a ']'; write [2001:db8::1]:443");
		return false;
	}
	if (slash && slash < close) {
		pieces->addr = piece_to(words + 1, slash);
		pieces->prefix = piece_to(slash + 1, close);
	} else {
		pieces->addr = piece_to(words + 1, close);
	}
	return split_tail(pieces, close + 1, why);
}

/* Two colons: an address of IPv6 has nothing but digits before the first. */
static void explain_colons(struct text *why, const char *words)
{
	if (words[strspn(words, "0123456789abcdefABCDEF")] == ':')
		text_add(why, "is an IPv6 address without brackets; write [2001:db8::1]:443, or [2001:db8::1] for any port");
	else
		text_add(why, "has two ports; write one, or a range such as 8000-8099, and each further one with its address");
}

static bool split(struct pieces *pieces, const char *words, struct text *why)
{
	const char *colon = strchr(words, ':'), *end = words + strcspn(words, ":/");

	*pieces = (struct pieces){ 0 };
	if (*words == '[')
		return split_bracketed(pieces, words, why);
	if (colon && strchr(colon + 1, ':')) {
		explain_colons(why, words);
		return false;
	}
	pieces->addr = piece_to(words, end);
	if (end == words) {
		text_add(why, "has no address; write *:53 for any address");
		return false;
	}
	return split_tail(pieces, end, why);
}

static bool port_number(struct piece piece, uint16_t *port)
{
	uint64_t number;

	if (!text_to_number(piece.at, piece.length, 65535, &number) || number == 0)
		return false;
	*port = (uint16_t)number;
	return true;
}

static void suggest_order(struct text *why, uint16_t lo, uint16_t hi)
{
	text_add(why, "has a reversed range of ports; write ");
	text_add_number(why, hi);
	text_add(why, "-");
	text_add_number(why, lo);
}

static bool take_ports(struct target *target, struct piece ports, struct text *why)
{
	const char *dash;

	target->port_lo = 0;
	target->port_hi = 65535;
	if (!ports.at || (ports.length == 1 && *ports.at == '*'))
		return true;
	dash = memchr(ports.at, '-', ports.length);
	if (!port_number(piece_to(ports.at, dash ? dash : ports.at + ports.length), &target->port_lo) ||
	    !port_number(dash ? piece_to(dash + 1, ports.at + ports.length) : ports, &target->port_hi)) {
		text_add(why, "has no good port behind the ':'; write a number from 1 to 65535 or a range such as 8000-8099");
		return false;
	}
	if (target->port_lo > target->port_hi) {
		suggest_order(why, target->port_lo, target->port_hi);
		return false;
	}
	return true;
}

static uint64_t mask_of(unsigned int bits)
{
	return bits == 0 ? 0 : ~0ULL << (64 - bits);
}

static void set_masks(struct target *target, unsigned int prefix)
{
	if (target->net.family == FAMILY_IPV4) {
		target->mask_hi = 0;
		target->mask_lo = mask_of(prefix) >> 32;
	} else {
		target->mask_hi = mask_of(prefix < 64 ? prefix : 64);
		target->mask_lo = mask_of(prefix < 64 ? 0 : prefix - 64);
	}
}

static bool prefix_number(struct piece piece, unsigned int max, unsigned int *prefix, struct text *why)
{
	uint64_t number = max;

	if (piece.at && !text_to_number(piece.at, piece.length, max, &number)) {
		text_add(why, "has no good prefix behind the '/'; write a number from 0 to ");
		text_add_number(why, max);
		return false;
	}
	*prefix = (unsigned int)number;
	return true;
}

static bool masked_already(struct target *target, unsigned int prefix, struct text *why)
{
	struct ip_addr net = target->net;

	net.hi &= target->mask_hi;
	net.lo &= target->mask_lo;
	if (net.hi == target->net.hi && net.lo == target->net.lo)
		return true;
	text_add(why, "has bits set beyond its prefix; write ");
	text_add_addr(why, &net, true);
	text_add(why, "/");
	text_add_number(why, prefix);
	return false;
}

/* Calls to 0.0.0.0 and :: go to loopback and are taken as such before any rule is asked: this would never match. */
static bool not_unspecified(const struct target *target, unsigned int prefix, struct text *why)
{
	bool ipv4 = target->net.family == FAMILY_IPV4;

	if (target->net.hi || target->net.lo || prefix != (ipv4 ? 32 : 128))
		return true;
	text_add(why, ipv4 ? "as a destination means loopback; write 127.0.0.1, or 0.0.0.0/0 for any IPv4 address"
	                   : "as a destination means loopback; write [::1], or [::]/0 for any IPv6 address");
	return false;
}

static bool take_prefix(struct target *target, struct piece words, struct text *why)
{
	bool mapped = is_mapped(&target->net);
	unsigned int prefix;

	if (!prefix_number(words, target->net.family == FAMILY_IPV4 ? 32 : 128, &prefix, why))
		return false;
	if (mapped && prefix < 96) {
		text_add(why, "is a v4-mapped address with a prefix shorter than 96; write the IPv4 network, as in 10.0.0.0/8");
		return false;
	}
	if (mapped) {
		unmap(&target->net);
		prefix -= 96;
	}
	set_masks(target, prefix);
	return masked_already(target, prefix, why) && not_unspecified(target, prefix, why);
}

static void explain_no_address(struct text *why, const struct pieces *pieces)
{
	const char *at = pieces->addr.at;
	size_t length = pieces->addr.length;

	if (memchr(at, '%', length))
		text_add(why, "names an interface; leave the '%' and what follows out");
	else if (memchr(at, '*', length))
		text_add(why, "has a '*' in an address; write a prefix, as in 10.20.0.0/16, or * alone for any address");
	else if (pieces->bracketed || strspn(at, "0123456789.") >= length)
		text_add(why, "is not an address; write four numbers, as in 192.0.2.7, or IPv6 in brackets");
	else
		text_add(why, "is not an address; write the address itself, since names are not resolved");
}

static bool take_addr(struct target *target, const struct pieces *pieces, struct text *why)
{
	char words[ADDR_WORDS];
	struct piece addr = pieces->addr;
	bool good = addr.length < sizeof(words);

	if (good) {
		memcpy(words, addr.at, addr.length);
		words[addr.length] = '\0';
		good = parse_as_written(&target->net, words) && (target->net.family == FAMILY_IPV6) == pieces->bracketed;
	}
	if (!good)
		explain_no_address(why, pieces);
	return good;
}

bool target_parse(struct target *target, const char *words, struct text *why)
{
	struct pieces pieces;

	*target = (struct target){ 0 };
	if (*words == '!' || words[strcspn(words, " \t")]) {
		text_add(why, *words == '!' ? "is an exclusion, and 'to' has none; write a rule with it and action = pass above this one"
		                            : TEXT_WANTS_COMMAS);
		return false;
	}
	if (!split(&pieces, words, why) || !take_ports(target, pieces.ports, why))
		return false;
	if (pieces.addr.length == 1 && *pieces.addr.at == '*' && !pieces.bracketed) {
		if (pieces.prefix.at)
			text_add(why, "has a prefix on '*'; write * alone for any address");
		return !pieces.prefix.at;
	}
	return take_addr(target, &pieces, why) && take_prefix(target, pieces.prefix, why);
}
