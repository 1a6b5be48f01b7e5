/* agent/probe/perfdata.h: what a Nagios plugin says (Monitoring Plugins Development Guidelines, "Plugin Output" and
 * "Performance data").
 *
 *   DISK OK - free space: / 3326 MB (56%); | /=2643MB;5948;5958;0;5968
 *
 * Pure; bounded; never fails: what is not performance data is left out. */
#ifndef KEDGE_AGENT_PROBE_PERFDATA_H
#define KEDGE_AGENT_PROBE_PERFDATA_H

#include "agent/probe/outcome.h"

/* Fills ret->text (first line, before the '|') and ret->metrics. */
void perfdata_parse(const char *output, size_t size, struct probe_outcome *ret);

#endif
