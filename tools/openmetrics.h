/* openmetrics.h - what tables count, as text for Prometheus and its kin. */
#ifndef PORTSHIM_TOOLS_OPENMETRICS_H
#define PORTSHIM_TOOLS_OPENMETRICS_H

#include <stddef.h>
#include <stdio.h>

#include "tools/snapshot.h"

/* A table that was looked at. */
struct counted_table {
	char *path;
	char *shown;                /* the path, fit to be shown */
	struct snapshot *snapshot;  /* after snapshot_unite() */
};

enum metrics_format {
	METRICS_OPENMETRICS, /* OpenMetrics 1.0.0 */
	METRICS_PROMETHEUS,  /* Prometheus' text format 0.0.4: there a counter is named with its "_total" */
};

void metrics_print(const struct counted_table *table, size_t n, enum metrics_format format, FILE *to);

#endif
