/* test_reserve.c - the sysctl.d file that keeps a policy's ports from other programs. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/lib/harness.h"
#include "tools/reserve.h"

static struct kernel now;
static char *text;
static size_t size;

static void heard(void *context, enum severity severity, int line, const char *words)
{
	cr_assert(severity != SEVERITY_ERROR, "line %d: %s", line, words);
}

static void policy_of(struct policy *policy, const char *words)
{
	const struct policy_world world = { .kernel = { 32768, 60999 } };

	cr_assert(policy_read(policy, words, strlen(words), &world, heard, NULL));
}

static void reserve(uint16_t lo, uint16_t hi)
{
	for (uint32_t port = lo; port <= hi; port++)
		now.reserved[port / 64] |= UINT64_C(1) << port % 64;
}

/* The file of this policy; NULL: refused. */
static const char *file_named(const char *words, const char *name)
{
	struct policy policy;

	policy_of(&policy, words);
	FILE *to = open_memstream(&text, &size);
	bool printed_some = reserve_print(to, &policy, name, &now);
	fclose(to);
	policy_free(&policy);
	cr_assert(printed_some || size == 0, "%s", text);
	return printed_some ? text : NULL;
}

static const char *file_of(const char *words)
{
	return file_named(words, "some.conf");
}

/* The one line that is no comment. */
static const char *line_of(const char *words)
{
	static char line[1 << 19];
	const char *file = file_of(words);
	unsigned int lines = 0;

	cr_assert(file);
	line[0] = '\0';
	for (const char *at = file; *at; at += strcspn(at, "\n") + 1) {
		if (*at == '#')
			continue;
		cr_assert(lines++ == 0, "%s", file);
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
	}
	return line;
}

static void begin(void)
{
	now = (struct kernel){ .ephemeral = { 32768, 60999 } };
}

TestSuite(reserve, .init = begin);

Test(reserve, sets_are_merged_and_compact)
{
	cr_assert_str_eq(line_of("[rule b]\nports = 20100-20199, 20000, 7\n[rule a]\nports = 20001-20099, !20050, 40000\n"),
	                 "net.ipv4.ip_local_reserved_ports = 7,20000-20049,20051-20199,40000");
}

Test(reserve, what_is_reserved_already_stays)
{
	reserve(8080, 8081);
	reserve(20005, 20005);
	cr_assert_str_eq(line_of("[rule a]\nports = 20000-20009\n"),
	                 "net.ipv4.ip_local_reserved_ports = 8080-8081,20000-20009");
	cr_assert(strstr(text, "not\n# needed any more): 8080-8081\n"), "%s", text);
	cr_assert(strstr(text, "10 ports 9 were not reserved"), "%s", text);
}

Test(reserve, only_ports_that_are_assigned_by_number)
{
	cr_assert_str_eq(line_of("[rule named]\nports = linux\n[rule free]\nports = 40000-40009\nchoose = kernel\n"
	                         "[rule pass]\naction = pass\n[rule a]\nports = 20000\n"),
	                 "net.ipv4.ip_local_reserved_ports = 20000");
	cr_assert(strstr(text, "rule named: of a range given by name"), "%s", text);
	cr_assert(strstr(text, "rule free: the kernel chooses"), "%s", text);
	cr_assert(!strstr(text, "rule pass"), "%s", text);
	cr_assert_str_empty(line_of("[rule named]\nports = iana\n"));
	cr_assert_str_empty(line_of(""));
}

Test(reserve, something_remains_for_the_others)
{
	cr_assert_null(file_of("[rule all]\nports = 1024-65535\n"));
	cr_assert_str_eq(line_of("[rule all]\nports = 1024-65535, !50000\n"),
	                 "net.ipv4.ip_local_reserved_ports = 1024-49999,50001-65535");
	cr_assert(strstr(text, "32768-60999,\n# 1 remain"), "%s", text);
}

Test(reserve, names_cannot_leave_their_comment)
{
	const char *file = file_named("[rule \xff\xfe]\nports = linux\n", "a\nkernel.core_pattern = |/bin/b\033[31m");

	cr_assert(file && strstr(file, "rule ??: of a range"), "%s", file);
	for (const char *at = file; *at; at += strcspn(at, "\n") + 1)
		cr_assert(*at == '#', "%s", file);
	cr_assert(!strchr(file, '\033'), "%s", file);
}

/* As long as a list can get: pairs with a hole between them. */
Test(reserve, the_longest_list)
{
	for (uint32_t port = 3; port < 65535; port += 3)
		reserve((uint16_t)port, (uint16_t)(port + 1));
	now.reserved[20000 / 64] &= ~(UINT64_C(1) << 20000 % 64);
	const char *line = line_of("[rule a]\nports = 20001\n");
	cr_assert(strlen(line) > 200000);
	cr_assert(strstr(line, ",65532-65533"));
	cr_assert(strstr(text, "do not load this file with it"));
}

Test(reserve, missing_are_counted)
{
	struct policy policy;
	uint64_t ports[65536 / 64];
	uint32_t missing;

	policy_of(&policy, "[rule a]\nports = 20000-20009\n");
	reserve(20000, 20007);
	cr_assert_eq(reserve_wanted(&policy, &now, ports, &missing), 10);
	cr_assert_eq(missing, 2);
	policy_free(&policy);
}

/* A list longer than 8 KiB is read whole. */
Test(reserve, the_kernels_list_is_read_whole)
{
	static char list[1 << 16];
	size_t at = 0;

	net_own();
	for (int port = 10000; port < 20000; port += 2)
		at += (size_t)sprintf(list + at, "%s%d", at ? "," : "", port);
	FILE *setting = fopen("/proc/sys/net/ipv4/ip_local_reserved_ports", "w");
	setvbuf(setting, NULL, _IONBF, 0);
	cr_assert(fwrite(list, 1, at, setting) == at && fclose(setting) == 0);
	now = (struct kernel){ 0 };
	cr_assert(kernel_read(&now));
	for (uint16_t port = 10000; port < 20000; port++)
		cr_assert_eq(kernel_reserves(&now, port), port % 2 == 0, "%u", port);
}
