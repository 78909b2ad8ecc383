/* report.c - the library's messages about calls. */
#define _GNU_SOURCE
#include "report.h"

#include "log.h"

#define MESSAGE_SIZE 384

const char *report_protocol(uint8_t protocol)
{
	static const char *const names[] = { "tcp", "udp", "sctp", "dccp", "udplite" };

	return names[__builtin_ctz(protocol)];
}

static void begin(struct text *text, const struct rule *rule, const struct question *question)
{
	log_begin(text);
	text_add(text, "rule ");
	text_add(text, rule->name);
	text_add(text, ": ");
	text_add(text, report_protocol(question->protocol));
}

static void add_destination(struct text *text, const struct question *question)
{
	if (!question->has_destination)
		return;
	text_add(text, " to ");
	text_add_addr(text, &question->destination.addr, true);
	text_add(text, ":");
	text_add_number(text, question->destination.port);
}

void report_assigned(const struct rule *rule, const struct question *question, uint16_t port, bool late)
{
	char buffer[MESSAGE_SIZE];
	struct text text = TEXT_OVER(buffer);

	if (!log_wants(LOG_LEVEL_INFO))
		return;
	begin(&text, rule, question);
	text_add(&text, " port ");
	text_add_number(&text, port);
	add_destination(&text, question);
	text_add(&text, late ? " (late)" : " (early)");
	log_send(LOG_LEVEL_INFO, &text);
}

void report_denied(const struct rule *rule, const struct question *question)
{
	char buffer[MESSAGE_SIZE];
	struct text text = TEXT_OVER(buffer);

	if (!log_wants(LOG_LEVEL_INFO))
		return;
	begin(&text, rule, question);
	add_destination(&text, question);
	text_add(&text, ": denied");
	log_send(LOG_LEVEL_INFO, &text);
}

void report_used_up(const struct rule *rule, const struct question *question, uint32_t forbidden)
{
	char buffer[MESSAGE_SIZE];
	struct text text = TEXT_OVER(buffer);

	if (!log_wants(LOG_LEVEL_WARNING))
		return;
	begin(&text, rule, question);
	add_destination(&text, question);
	text_add(&text, ": none of ");
	text_add_number(&text, rule->ports.count);
	text_add(&text, " ports is free");
	if (forbidden) {
		text_add(&text, "; ");
		text_add_number(&text, forbidden);
		text_add(&text, " below ip_unprivileged_port_start need CAP_NET_BIND_SERVICE");
	}
	log_send(LOG_LEVEL_WARNING, &text);
}
