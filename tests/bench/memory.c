/* memory.c - what the table that processes share takes of memory, and how often the kernel is asked what it has. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define CONNECTIONS 10000

/* The number behind "asked" in what `portshim status --json` prints; -1: there is no such command, or number. */
static double questions(void)
{
	char command[600], text[65536], *at;
	size_t length;
	double asked = -1;
	FILE *out;

	snprintf(command, sizeof(command), "%s status --json 2>/dev/null", built("portshim"));
	out = popen(command, "r");
	if (!out)
		return -1;
	length = fread(text, 1, sizeof(text) - 1, out);
	text[length] = '\0';
	pclose(out);
	at = strstr(text, "\"asked\"");
	if (at)
		sscanf(at, "\"asked\" : %lf", &asked);
	return asked;
}

void memory(void)
{
	char *policy = policy_make("memory.conf", "[rule memory]\nports = 20000-47999\n");
	struct load bare = { .how = "connect", .count = CONNECTIONS, .options = { "rss" } }, ours = bare;
	struct row row = row_make("  table"), rss = row_make("  resident"), asked = row_make("  questions asked");
	long size, resident;
	double before, after, without;

	ours.policy = policy;
	table_section("Memory, after 10,000 connections of a process over 28,000 ports");
	net_enter("60000 60999");
	server_start(SERVER_DROPS, 1);
	without = load_run(&bare).rss;
	row_note(&rss, "%.0f KiB more than the bare program's %.0f", load_run(&ours).rss - without, without);
	if (net_table(&size, &resident))
		row_note(&row, "file of %ld KiB, %ld of them in memory", size, resident);
	else
		row_note(&row, "none");
	row_print(&row);
	row_print(&rss);
	before = questions();
	load_run(&ours);
	after = questions();
	if (before >= 0 && after >= 0) {
		row_note(&asked, "%.4f per connection", (after - before) / (CONNECTIONS + 1));
		row_print(&asked);
	}
	server_stop();
	free(policy);
}
