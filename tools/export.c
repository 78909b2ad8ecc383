/* export.c - `portshim export`: the policy as rules for a firewall, as a setting of the kernel's, or as JSON. */
#define _GNU_SOURCE
#include "tools/export.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "tools/commands.h"
#include "tools/export_plan.h"
#include "tools/memory.h"
#include "tools/message.h"
#include "tools/policy_file.h"
#include "tools/reserve.h"
#include "tools/utf8.h"

enum format { NFT, IPTABLES, IP6TABLES, FIREWALLD, SYSCTL, JSON, FORMATS };

static const char *const format_names[] = { "nft", "iptables", "ip6tables", "firewalld", "sysctl", "json" };

struct options {
	const char *config, *ports;
	enum format format;
	bool has_format, has_rest, help;
	struct export export;
	struct net *from;
	size_t from_room;
};

static void usage_print(void)
{
	fputs("Usage: portshim export nft|iptables|ip6tables|firewalld|sysctl|json [-c FILE | -p PORTS]\n"
	      "                       [--remote --from=HOSTS] [--rest=ACTION] [--cgroup]\n\n"
	      "Prints the policy on standard output: as rules that let out what it says and nothing else, ready to load\n"
	      "(portshim export nft | nft -f -), as a sysctl.d file that keeps its ports from others, or as JSON. What a\n"
	      "firewall cannot ask for is said on standard error and in the output.\n\n"
	      "  -c, --config=FILE   the policy (without -c and -p: the one that programs would find)\n"
	      "  -p, --ports=PORTS   a policy of one rule with these ports\n"
	      "      --remote        for a firewall on the way\n"
	      "      --from=HOSTS    with --remote: the hosts on which the policy is in force, as 192.0.2.7,2001:db8::/64\n"
	      "      --rest=ACTION   what becomes of packets that no rule lets out: reject (default), drop, or accept\n"
	      "                      unless they come from one of the policy's own ports\n"
	      "      --cgroup        ask for control groups, as they are now\n"
	      "      --json          the same as json\n"
	      "  -h, --help          show this\n", stdout);
}

static bool usage_wrong(const char *words, const char *what)
{
	say_error("export: %s%s; see 'portshim export --help'", words, what);
	return false;
}

/* --- options -------------------------------------------------------------------------------------------------------- */

/* The parser of `to =` has IPv6 addresses in brackets. */
static bool host_parse(struct net *net, const char *words, struct text *why)
{
	struct target target;
	bool bare = strchr(words, ':') && strchr(words, ':') != strrchr(words, ':') && words[0] != '[';
	char *bracketed = memory_words(bare ? "[%s]" : "%s", words);
	bool good = target_parse(&target, bracketed, why);
	free(bracketed);
	if (good && (!target.net.family || target.port_lo != 0 || target.port_hi != 65535)) {
		text_add(why, "is no host or network; write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/64");
		return false;
	}
	if (good)
		*net = (struct net){ .addr = target.net, .prefix = (unsigned int)(__builtin_popcountll(target.mask_hi) +
		                                                                  __builtin_popcountll(target.mask_lo)) };
	return good;
}

/* None twice: nft and firewalld take none that overlap. */
static void from_add(struct options *options, const struct net *net)
{
	size_t kept = 0;
	for (size_t i = 0; i < options->export.n_from; i++) {
		if (net_covers(&options->from[i], net))
			return;
		if (!net_covers(net, &options->from[i]))
			options->from[kept++] = options->from[i];
	}
	options->from = memory_for_one(options->from, kept, &options->from_room, sizeof(*net));
	options->from[kept++] = *net;
	options->export.n_from = kept;
}

static bool from_read(struct options *options, const char *list)
{
	char *copy = memory_words("%s", list), *rest = copy, buffer[200] = "";
	bool good = true;
	for (char *item; good && (item = strsep(&rest, ",")) != NULL;) {
		struct text why = TEXT_OVER(buffer);
		struct net net;
		text_clear(&why);
		good = host_parse(&net, item, &why);
		if (!good) {
			say_error("export: --from: '%s' %s", item, buffer);
			continue;
		}
		from_add(options, &net);
	}
	free(copy);
	return good;
}

static bool rest_read(struct options *options, const char *word)
{
	static const char *const words[] = { [REST_REJECT] = "reject", [REST_DROP] = "drop", [REST_ACCEPT] = "accept" };
	options->has_rest = true;
	for (enum rest rest = REST_REJECT; rest <= REST_ACCEPT; rest++)
		if (strcmp(word, words[rest]) == 0) {
			options->export.rest = rest;
			return true;
		}
	return usage_wrong("--rest is reject, drop or accept, and not ", word);
}

static bool format_read(struct options *options, const char *word)
{
	if (options->has_format)
		return usage_wrong("one format at a time: ", word);
	options->has_format = true;
	for (options->format = NFT; options->format < FORMATS; options->format++)
		if (strcmp(word, format_names[options->format]) == 0)
			return true;
	return usage_wrong("no such format: ", word);
}

static bool options_fit(const struct options *options)
{
	bool firewall = options->format < SYSCTL;
	if (!options->has_format)
		return usage_wrong("no format: nft, iptables, ip6tables, firewalld, sysctl or json", "");
	if (options->config && options->ports)
		return usage_wrong("--config and --ports exclude each other: give one of them", "");
	if (!firewall && (options->export.remote || options->has_rest))
		return usage_wrong("--remote and --rest are for firewalls, and not for ", format_names[options->format]);
	if (options->export.remote && !options->export.n_from)
		return usage_wrong("--remote needs the hosts on which the policy is in force: --from=192.0.2.7", "");
	if (!options->export.remote && options->export.n_from)
		return usage_wrong("--from is for --remote", "");
	if (options->export.cgroup && (!firewall || options->format == FIREWALLD || options->export.remote))
		return usage_wrong("--cgroup is for nft, iptables and ip6tables on the host itself", "");
	return true;
}

static bool options_read(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' }, { "ports", required_argument, NULL, 'p' },
		{ "remote", no_argument, NULL, 'r' },       { "from", required_argument, NULL, 'f' },
		{ "rest", required_argument, NULL, 'e' },   { "cgroup", no_argument, NULL, 'g' },
		{ "json", no_argument, NULL, 'j' },         { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool good = true;
	opterr = 0;
	optind = 0;
	for (int option; good && (option = getopt_long(argc, argv, "-:c:p:h", known, NULL)) != -1;) {
		switch (option) {
		case 1: good = format_read(options, optarg); break;
		case 'c': options->config = optarg; break;
		case 'p': options->ports = optarg; break;
		case 'r': options->export.remote = true; break;
		case 'f': good = from_read(options, optarg); break;
		case 'e': good = rest_read(options, optarg); break;
		case 'g': options->export.cgroup = true; break;
		case 'j': good = format_read(options, "json"); break;
		case 'h': options->help = true; return true;
		case ':': return usage_wrong("a value is missing after ", argv[optind - 1]);
		default: return usage_wrong("no such option: ", argv[optind > 1 ? optind - 1 : 1]);
		}
	}
	if (good && optind < argc)
		good = format_read(options, argv[optind]) && (optind + 1 == argc || format_read(options, argv[optind + 1]));
	return good && options_fit(options);
}

/* --- the formats ------------------------------------------------------------------------------------------------------ */

static bool print(const struct export *export, enum format format)
{
	switch (format) {
	case NFT: return export_nft(export);
	case IPTABLES: return export_iptables(export, FAMILY_IPV4);
	case IP6TABLES: return export_iptables(export, FAMILY_IPV6);
	case FIREWALLD: return export_firewalld(export);
	case SYSCTL: return reserve_print(export->to, export->policy, export->name, export->kernel);
	case JSON: return export_json(export);
	case FORMATS: break;
	}
	return false;
}

static int policy_print(struct options *options)
{
	static struct policy_file loaded;
	struct export *export = &options->export;
	if (!policy_file_load(&loaded, options->config, options->ports, NULL))
		return EXIT_USAGE;
	char *name = utf8_cleaned(loaded.name);
	export->policy = &loaded.policy;
	export->name = name;
	export->kernel = kernel_now();
	export->from = options->from;
	export->to = stdout;
	bool good = print(export, options->format);
	free(name);
	policy_file_free(&loaded);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int export_main(int argc, char **argv)
{
	struct options options = { .help = false };
	int code = EXIT_USAGE;
	if (options_read(&options, argc, argv)) {
		if (options.help)
			usage_print();
		code = options.help ? EXIT_SUCCESS : policy_print(&options);
	}
	free(options.from);
	return code;
}
