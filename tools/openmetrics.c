/* openmetrics.c - metrics in text. What is for OpenMetrics is read by those who expect Prometheus' older format as well: to
 * them its UNIT and EOF are comments, and counters, whose names they do not find in TYPE, have no type. */
#include "tools/openmetrics.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct metric {
	const char *name, *unit, *help; /* `unit` is the end of the name; NULL: it is a count */
	/* One of these: a figure of each rule, of each table. */
	uint64_t (*of_rule)(const struct shown_rule *rule);
	uint64_t (*of_table)(const struct snapshot *snapshot);
	bool counter, thousandths;
};

#define OF_RULE(name, value)                                                    \
	static uint64_t name(const struct shown_rule *rule) { return value; }
#define OF_TABLE(name, value)                                                   \
	static uint64_t name(const struct snapshot *snapshot) { (void)snapshot; return value; }

OF_RULE(assignments, rule->given)
OF_RULE(failures, rule->failures)
OF_RULE(waits, rule->waits)
OF_RULE(retries, rule->retries)
OF_RULE(denied, rule->denied)
OF_RULE(ports, rule->ports)
OF_RULE(in_use, rule->in_use)
OF_RULE(unused, rule->ports - rule->in_use)
OF_RULE(cooling, rule->cooling)
OF_RULE(utilization, rule->ports ? rule->in_use * UINT64_C(1000) / rule->ports : 0)
OF_TABLE(questions, snapshot->asked)
OF_TABLE(sweeps, snapshot->swept)
OF_TABLE(audit_lost, snapshot->audit_lost)
OF_TABLE(table_bytes, sizeof(struct table))
OF_TABLE(checked, !snapshot->error)

static const struct metric metrics[] = {
	{ .name = "portshim_assignments", .counter = true, .of_rule = assignments, .help = "Ports assigned by the rule." },
	{ .name = "portshim_failures", .counter = true, .of_rule = failures,
	  .help = "Calls that failed because every port of the rule's set was in use." },
	{ .name = "portshim_waits", .counter = true, .of_rule = waits, .help = "Calls that waited for a port." },
	{ .name = "portshim_retries", .counter = true, .of_rule = retries,
	  .help = "Ports that were proposed and refused, so that the next one was tried." },
	{ .name = "portshim_denied", .counter = true, .of_rule = denied, .help = "Calls that the rule denied." },
	{ .name = "portshim_ports", .of_rule = ports, .help = "Ports in the rule's set." },
	{ .name = "portshim_ports_in_use", .of_rule = in_use,
	  .help = "Ports of the rule's set in use towards anybody, by whomever, TIME-WAIT included." },
	{ .name = "portshim_ports_free", .of_rule = unused, .help = "Ports of the rule's set that are not in use." },
	{ .name = "portshim_ports_cooling", .of_rule = cooling,
	  .help = "Ports that are free and were in use less than the rule's cooldown ago." },
	{ .name = "portshim_utilization_ratio", .unit = "ratio", .of_rule = utilization, .thousandths = true,
	  .help = "Ports in use as a part of the rule's set." },
	{ .name = "portshim_kernel_questions", .counter = true, .of_table = questions,
	  .help = "Questions to the kernel about one connection." },
	{ .name = "portshim_sweeps", .counter = true, .of_table = sweeps,
	  .help = "Questions to the kernel about all connections to a destination." },
	{ .name = "portshim_audit_lost_lines", .counter = true, .of_table = audit_lost,
	  .help = "Lines of the audit that could not be written." },
	{ .name = "portshim_table_bytes", .unit = "bytes", .of_table = table_bytes, .help = "Size of the table." },
	{ .name = "portshim_table_checked", .of_table = checked,
	  .help = "Whether the table was held against the kernel's list of sockets (1) or not (0)." },
};

static void label_print(const char *name, const char *value, FILE *to)
{
	fprintf(to, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			putc('\\', to);
		putc(*value, to); /* no newline is in what is fit to be shown */
	}
	putc('"', to);
}

static void sample_print(const struct metric *metric, const char *rule, const char *table, uint64_t value, FILE *to)
{
	fprintf(to, "%s%s{", metric->name, metric->counter ? "_total" : "");
	if (rule) {
		label_print("rule", rule, to);
		putc(',', to);
	}
	label_print("table", table, to);
	if (metric->thousandths)
		fprintf(to, "} %" PRIu64 ".%03u\n", value / 1000, (unsigned)(value % 1000));
	else
		fprintf(to, "} %" PRIu64 "\n", value);
}

static void family_print(const struct metric *metric, enum metrics_format format, FILE *to)
{
	const char *suffix = metric->counter && format == METRICS_PROMETHEUS ? "_total" : "";
	fprintf(to, "# TYPE %s%s %s\n", metric->name, suffix, metric->counter ? "counter" : "gauge");
	if (metric->unit && format == METRICS_OPENMETRICS)
		fprintf(to, "# UNIT %s %s\n", metric->name, metric->unit);
	fprintf(to, "# HELP %s%s %s\n", metric->name, suffix, metric->help);
}

void metrics_print(const struct counted_table *table, size_t n, enum metrics_format format, FILE *to)
{
	for (size_t i = 0; i < sizeof(metrics) / sizeof(*metrics); i++) {
		const struct metric *metric = &metrics[i];
		family_print(metric, format, to);
		for (size_t j = 0; j < n; j++) {
			const struct snapshot *snapshot = table[j].snapshot;
			if (metric->of_table)
				sample_print(metric, NULL, table[j].shown, metric->of_table(snapshot), to);
			for (size_t k = 0; metric->of_rule && k < snapshot->rules; k++)
				sample_print(metric, snapshot->rule[k].name, table[j].shown,
				             metric->of_rule(&snapshot->rule[k]), to);
		}
	}
	if (format == METRICS_OPENMETRICS)
		fputs("# EOF\n", to);
}
