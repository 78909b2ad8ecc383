/* nat.c - whether connections of this machine itself come to a rule that rewrites destinations.
 *
 * Theory of operation. nftables tells of its chains and rules by netlink (nfnetlink, linux/netfilter/nf_tables.h), to who has
 * CAP_NET_ADMIN in the network namespace. What is sent from here passes the chains of type nat on the hook `output`, and
 * those that they lead to by jump or goto; a map of verdicts may lead to any chain of the table. iptables-nft keeps its rules
 * there as well, with DNAT and REDIRECT as "target". Those of iptables-legacy are not seen. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/check/machine.h"
#include "tools/memory.h"

#define PART_MAX 65536 /* the kernel's parts of an answer are no larger than 32 KiB */

/* --- attributes ------------------------------------------------------------------------------------------- */

/* A run of attributes. */
struct run {
	const char *at;
	size_t length;
};

/* The next one; NULL where there is none, or none that is whole. */
static const struct nlattr *run_next(struct run *run)
{
	const struct nlattr *attribute = (const void *)run->at;
	if (run->length < sizeof(*attribute) || attribute->nla_len < sizeof(*attribute) || attribute->nla_len > run->length)
		return NULL;
	size_t step = NLA_ALIGN(attribute->nla_len);
	step = step < run->length ? step : run->length;
	run->at += step;
	run->length -= step;
	return attribute;
}

static struct run within(const struct nlattr *attribute)
{
	if (!attribute)
		return (struct run){ .at = NULL };
	return (struct run){ (const char *)attribute + NLA_HDRLEN, attribute->nla_len - NLA_HDRLEN };
}

static const struct nlattr *find(struct run run, uint16_t type)
{
	for (const struct nlattr *attribute; (attribute = run_next(&run)) != NULL;)
		if ((attribute->nla_type & NLA_TYPE_MASK) == type)
			return attribute;
	return NULL;
}

/* The attribute's words, with a NUL; "" if there is none. */
static const char *words_of(const struct nlattr *attribute)
{
	struct run run = within(attribute);
	return run.length && run.at[run.length - 1] == '\0' ? run.at : "";
}

/* A number, which is sent in network byte order; `otherwise` if there is none. */
static uint32_t number_of(const struct nlattr *attribute, uint32_t otherwise)
{
	struct run run = within(attribute);
	uint32_t number;
	if (run.length != sizeof(number))
		return otherwise;
	memcpy(&number, run.at, sizeof(number));
	return ntohl(number);
}

/* --- chains and rules ------------------------------------------------------------------------------------- */

struct chain {
	char *table, *name;
	uint8_t family;
	bool reached;      /* by what is sent from here */
	bool rewrites;
	bool leads_anywhere;
};

struct jump {
	struct chain *from, *to;
};

struct ruleset {
	struct chain *chain;
	size_t chains, chains_room;
	struct jump *jump;
	size_t jumps, jumps_room;
};

static int by_name(const void *a, const void *b)
{
	const struct chain *one = a, *other = b;
	int order = (one->family > other->family) - (one->family < other->family);
	order = order ? order : strcmp(one->table, other->table);
	return order ? order : strcmp(one->name, other->name);
}

static struct chain *chain_find(const struct ruleset *ruleset, uint8_t family, const char *table, const char *name)
{
	const struct chain wanted = { .table = (char *)(uintptr_t)table, .name = (char *)(uintptr_t)name, .family = family };
	return ruleset->chains ? bsearch(&wanted, ruleset->chain, ruleset->chains, sizeof(wanted), by_name) : NULL;
}

static void chain_seen(struct ruleset *ruleset, uint8_t family, struct run body)
{
	ruleset->chain = memory_for_one(ruleset->chain, ruleset->chains, &ruleset->chains_room, sizeof(*ruleset->chain));
	uint32_t hook = number_of(find(within(find(body, NFTA_CHAIN_HOOK)), NFTA_HOOK_HOOKNUM), NF_INET_NUMHOOKS);
	ruleset->chain[ruleset->chains++] = (struct chain){
		.table = memory_words("%s", words_of(find(body, NFTA_CHAIN_TABLE))),
		.name = memory_words("%s", words_of(find(body, NFTA_CHAIN_NAME))), .family = family,
		.reached = hook == NF_INET_LOCAL_OUT && strcmp(words_of(find(body, NFTA_CHAIN_TYPE)), "nat") == 0,
	};
}

static bool expression_rewrites(const char *name, struct run data)
{
	const char *target = strcmp(name, "target") == 0 ? words_of(find(data, NFTA_TARGET_NAME)) : "";
	return strcmp(name, "redir") == 0 || strcmp(target, "DNAT") == 0 || strcmp(target, "REDIRECT") == 0 ||
	       (strcmp(name, "nat") == 0 && number_of(find(data, NFTA_NAT_TYPE), NFT_NAT_SNAT) == NFT_NAT_DNAT);
}

static void expression_seen(struct ruleset *ruleset, struct chain *chain, const struct nlattr *expression)
{
	const char *name = words_of(find(within(expression), NFTA_EXPR_NAME));
	struct run data = within(find(within(expression), NFTA_EXPR_DATA));
	chain->rewrites |= expression_rewrites(name, data);
	if (strcmp(name, "lookup") == 0)
		chain->leads_anywhere |= number_of(find(data, NFTA_LOOKUP_DREG), NFT_REG_1) == NFT_REG_VERDICT;
	if (strcmp(name, "immediate") != 0)
		return;
	const struct nlattr *verdict = find(within(find(data, NFTA_IMMEDIATE_DATA)), NFTA_DATA_VERDICT);
	struct chain *to = chain_find(ruleset, chain->family, chain->table,
	                              words_of(find(within(verdict), NFTA_VERDICT_CHAIN)));
	if (!to)
		return;
	ruleset->jump = memory_for_one(ruleset->jump, ruleset->jumps, &ruleset->jumps_room, sizeof(*ruleset->jump));
	ruleset->jump[ruleset->jumps++] = (struct jump){ chain, to };
}

/* The chains are known and sorted by then. */
static void rule_seen(struct ruleset *ruleset, uint8_t family, struct run body)
{
	struct chain *chain = chain_find(ruleset, family, words_of(find(body, NFTA_RULE_TABLE)),
	                                 words_of(find(body, NFTA_RULE_CHAIN)));
	struct run expressions = within(find(body, NFTA_RULE_EXPRESSIONS));
	for (const struct nlattr *one; chain && (one = run_next(&expressions)) != NULL;)
		expression_seen(ruleset, chain, one);
}

static bool same_table(const struct chain *a, const struct chain *b)
{
	return a->family == b->family && strcmp(a->table, b->table) == 0;
}

/* Marks what is reached from chains that are. False if nothing is new. */
static bool reach_further(struct ruleset *ruleset)
{
	bool further = false;
	for (size_t i = 0; i < ruleset->jumps; i++) {
		further |= ruleset->jump[i].from->reached && !ruleset->jump[i].to->reached;
		ruleset->jump[i].to->reached |= ruleset->jump[i].from->reached;
	}
	for (size_t i = 0; i < ruleset->chains; i++) {
		struct chain *from = &ruleset->chain[i];
		for (size_t j = 0; from->reached && from->leads_anywhere && j < ruleset->chains; j++) {
			struct chain *to = &ruleset->chain[j];
			further |= same_table(from, to) && !to->reached;
			to->reached |= same_table(from, to);
		}
		from->leads_anywhere &= !from->reached; /* once is enough */
	}
	return further;
}

static bool ruleset_rewrites(struct ruleset *ruleset)
{
	while (reach_further(ruleset))
		continue;
	for (size_t i = 0; i < ruleset->chains; i++)
		if (ruleset->chain[i].reached && ruleset->chain[i].rewrites)
			return true;
	return false;
}

static void ruleset_free(struct ruleset *ruleset)
{
	for (size_t i = 0; i < ruleset->chains; i++) {
		free(ruleset->chain[i].table);
		free(ruleset->chain[i].name);
	}
	free(ruleset->chain);
	free(ruleset->jump);
}

/* --- asking ----------------------------------------------------------------------------------------------- */

typedef void seen(struct ruleset *ruleset, uint8_t family, struct run body);

static bool ask(int fd, unsigned type)
{
	struct {
		struct nlmsghdr head;
		struct nfgenmsg body;
	} question = {
		.head = {
			.nlmsg_len = sizeof(question),
			.nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.body = { .nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0 },
	};
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	return sendto(fd, &question, sizeof(question), 0, (const struct sockaddr *)&kernel, sizeof(kernel)) >= 0;
}

/* One part of the answer. False: it was the last. */
static bool part_read(const char *buffer, size_t left, seen *listener, struct ruleset *ruleset)
{
	const size_t before = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));
	const struct nlmsghdr *head = (const void *)buffer;
	while (left >= sizeof(*head) && head->nlmsg_len >= sizeof(*head) && head->nlmsg_len <= left) {
		if (head->nlmsg_type == NLMSG_DONE || head->nlmsg_type == NLMSG_ERROR)
			return false;
		if (head->nlmsg_len >= before) {
			const struct nfgenmsg *body = NLMSG_DATA(head);
			listener(ruleset, body->nfgen_family, (struct run){ (const char *)head + before, head->nlmsg_len - before });
		}
		size_t step = NLMSG_ALIGN(head->nlmsg_len);
		if (step >= left)
			return true;
		left -= step;
		head = (const void *)((const char *)head + step);
	}
	return false;
}

/* Each part is there when the one before was read: nothing waits. */
static void tell_all(int fd, unsigned type, seen *listener, struct ruleset *ruleset)
{
	char *buffer = memory_zeroed(1, PART_MAX);
	ssize_t length = ask(fd, type) ? 1 : 0;
	while (length > 0) {
		do
			length = recv(fd, buffer, PART_MAX, MSG_DONTWAIT);
		while (length < 0 && errno == EINTR);
		if (length > 0 && !part_read(buffer, (size_t)length, listener, ruleset))
			break;
	}
	free(buffer);
}

bool nat_rewrites(void)
{
	struct ruleset ruleset = { .chains = 0 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (fd < 0)
		return false;
	tell_all(fd, NFT_MSG_GETCHAIN, chain_seen, &ruleset);
	if (ruleset.chains) {
		qsort(ruleset.chain, ruleset.chains, sizeof(*ruleset.chain), by_name);
		tell_all(fd, NFT_MSG_GETRULE, rule_seen, &ruleset);
	}
	bool rewrites = ruleset_rewrites(&ruleset);
	ruleset_free(&ruleset);
	close(fd);
	return rewrites;
}
