/* address.h - IP addresses as numbers, and the destinations that `to =` names. */
#ifndef PORTSHIM_CONFIG_ADDRESS_H
#define PORTSHIM_CONFIG_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

enum family { FAMILY_IPV4 = 1, FAMILY_IPV6 = 2, FAMILY_ANY = 3 }; /* bits: a rule names several */

/* An address in host byte order. IPv4: hi is 0, lo the 32 bits. v4-mapped addresses are IPv4 by then. */
struct ip_addr {
	uint64_t hi, lo;
	uint8_t family; /* one bit of enum family; 0: no address */
};

struct endpoint {
	struct ip_addr addr;
	uint16_t port; /* host byte order */
};

/* One item of `to =`: an address masked with its prefix, and a range of ports. */
struct target {
	struct ip_addr net;         /* family 0: any address of either family */
	uint64_t mask_hi, mask_lo;
	uint16_t port_lo, port_hi;  /* 0..65535: any port */
};

bool target_covers(const struct target *target, const struct endpoint *to);

/* "10.20.0.0/16:1521", "[2001:db8::]/32:443", "[2001:db8::/32]:443", "*:53", "192.0.2.7:8000-8099", "*".
 * False with the reason and the remedy in *why: no such address, a prefix too long, bits set beyond the
 * prefix, an IPv6 address with a port but without brackets, a host name, a reversed range. */
bool target_parse(struct target *target, const char *words, struct text *why);

/* A bare address of either family, v4-mapped taken as IPv4. */
bool addr_parse(struct ip_addr *addr, const char *words);

#endif
