/* reserve.c - the ports to be kept from other programs, and the file that does so. */
#include "tools/reserve.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/message.h"
#include "tools/portmap.h"
#include "tools/utf8.h"

#define SETTING "net.ipv4.ip_local_reserved_ports"

enum { PORTS = 65536, REASONS_MAX = 20 };

static void set_one(uint64_t ports[PORTS / 64], uint32_t port)
{
	ports[port / 64] |= UINT64_C(1) << port % 64;
}

static bool has(const uint64_t ports[PORTS / 64], uint32_t port)
{
	return ports[port / 64] >> port % 64 & 1;
}

bool reserve_means(const struct rule *rule, const struct port_interval *interval)
{
	return rule->action == ACTION_ASSIGN && rule->choose != CHOOSE_KERNEL && !interval->named;
}

uint32_t reserve_wanted(const struct policy *policy, const struct kernel *now, uint64_t ports[PORTS / 64],
                        uint32_t *missing)
{
	uint32_t wanted = 0, new = 0;
	memset(ports, 0, PORTS / 8);
	for (uint32_t i = 0; i < policy->rules; i++) {
		const struct port_set *set = &policy->rule[i].ports;
		for (uint32_t j = 0; j < set->intervals; j++)
			for (uint32_t port = set->interval[j].lo;
			     reserve_means(&policy->rule[i], &set->interval[j]) && port <= set->interval[j].hi; port++)
				set_one(ports, port);
	}
	for (uint32_t port = 0; port < PORTS; port++) {
		wanted += has(ports, port);
		new += has(ports, port) && !kernel_reserves(now, (uint16_t)port);
	}
	if (missing)
		*missing = new;
	return wanted;
}

/* As the kernel prints it: "8080,20000-20099". "" if there are none. To be freed. */
static char *list_of(const uint64_t ports[PORTS / 64])
{
	struct portmap map;
	memcpy(map.word, ports, sizeof(map.word));
	return portmap_words(&map, 0, ",");
}

/* Of ip_local_port_range, those that the kernel can still give. */
static uint32_t remaining(const struct kernel *now, const uint64_t reserved[PORTS / 64])
{
	uint32_t n = 0;
	for (uint32_t port = now->ephemeral.lo; port <= now->ephemeral.hi; port++)
		n += !has(reserved, port);
	return n;
}

static const char *left_out_words(const struct rule *rule)
{
	if (rule->action != ACTION_ASSIGN)
		return NULL;
	if (rule->choose == CHOOSE_KERNEL)
		return "the kernel chooses, and never gives a port that is reserved";
	for (uint32_t i = 0; i < rule->ports.intervals; i++)
		if (rule->ports.interval[i].named)
			return "of a range given by name, reserved ports are left out";
	return NULL;
}

/* Which rules' ports are not in the line, and why. */
static void left_out_print(FILE *to, const struct policy *policy)
{
	uint32_t found = 0;
	for (uint32_t i = 0; i < policy->rules; i++) {
		const char *words = left_out_words(&policy->rule[i]);
		if (!words || ++found > REASONS_MAX)
			continue;
		char *name = utf8_cleaned(policy->rule[i].name);
		fprintf(to, "# Not reserved, rule %s: %s.\n", name, words);
		free(name);
	}
	if (found > REASONS_MAX)
		fprintf(to, "# And %" PRIu32 " rules more.\n", found - REASONS_MAX);
}

static void kept_print(FILE *to, const uint64_t wanted[PORTS / 64], const struct kernel *now)
{
	uint64_t kept[PORTS / 64];
	for (uint32_t i = 0; i < PORTS / 64; i++)
		kept[i] = now->reserved[i] & ~wanted[i];
	char *words = list_of(kept);
	if (words[0] != '\0')
		fprintf(to, "# Reserved before, and kept, as this line takes the place of all others (take out what is not\n"
		            "# needed any more): %s\n", words);
	free(words);
}

static void line_print(FILE *to, const char *list)
{
	if (strlen(list) > RESERVE_ONE_WRITE) {
		fprintf(to, "# The line is longer than one write(2) of this setting takes (%d bytes). systemd-sysctl(8) sets all\n"
		            "# of it; sysctl(8) of procps cuts it without a word: do not load this file with it.\n",
		        RESERVE_ONE_WRITE);
		say_warning("the list is longer than the %d bytes that sysctl(8) of procps can set: load the file by "
		            "systemd-sysctl, or use sets of fewer pieces", RESERVE_ONE_WRITE);
	}
	fprintf(to, SETTING " = %s\n", list);
}

static bool leaves_none(const struct kernel *now, uint32_t remain)
{
	if (remain > 0 || now->ephemeral.lo > now->ephemeral.hi)
		return false;
	say_error("nothing printed: to reserve the policy's ports would leave none of ip_local_port_range, %u-%u, for other "
	          "programs; use fewer ports, or move that range", now->ephemeral.lo, now->ephemeral.hi);
	return true;
}

bool reserve_print(FILE *to, const struct policy *policy, const char *name, const struct kernel *now)
{
	uint64_t wanted[PORTS / 64], all[PORTS / 64];
	uint32_t missing, n = reserve_wanted(policy, now, wanted, &missing);
	for (uint32_t i = 0; i < PORTS / 64; i++)
		all[i] = wanted[i] | now->reserved[i];
	uint32_t remain = remaining(now, all);
	if (n > 0 && leaves_none(now, remain))
		return false;
	char *shown = utf8_cleaned(name);
	fprintf(to, "# Keeps the ports of %s from programs that are not under portshim: the kernel gives them to\n"
	            "# nobody by itself. For a file in /etc/sysctl.d; then: systemctl restart systemd-sysctl\n", shown);
	free(shown);
	left_out_print(to, policy);
	if (n == 0) {
		fputs("# No rule names a port by number: there is nothing to reserve.\n", to);
		return true;
	}
	kept_print(to, wanted, now);
	fprintf(to, "# Of the policy's %" PRIu32 " ports %" PRIu32 " were not reserved when this was made. "
	            "Of ip_local_port_range, %u-%u,\n# %" PRIu32 " remain for other programs.\n", n, missing,
	        now->ephemeral.lo, now->ephemeral.hi, remain);
	char *list = list_of(all);
	line_print(to, list);
	free(list);
	return true;
}
