/* walmill up: the instance in the foreground. */
#include <stdio.h>

#include "cli/instance.h"
#include "model/unit.h"

static void print_ready(const struct instance *in)
{
	static const char *const names[] = {"connect", "jobs", "api", "console"};
	unsigned i;

	printf("walmill ready");
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (in->ports[i])
			printf(" %s=%u", names[i], in->ports[i]);
	for (i = 0; in->kafka && kafka_port(in->kafka, i); i++)
		printf("%s%u", i ? "," : " kafka=", kafka_port(in->kafka, i));
	printf("\n");
	fflush(stdout);
}

static const char *until;

static int run(struct cli *c)
{
	struct instance in;
	struct err err = ERR_INIT;
	lsn_t lsn = 0;
	int rc = 0;

	if (c->argc)
		return cli_usage("walmill up takes no argument \"%s\"", c->argv[0]);
	if (until && !lsn_parse(view_str(until), &lsn))
		return cli_usage("--until needs an LSN such as 16/B374D848, not \"%s\"", until);
	instance_catch_signals();
	if (instance_start(&in, c, &err)) {
		rc = cli_error(&err);
	} else {
		print_ready(&in);
		while (!instance_stopping()) {
			instance_report_changes(&in);
			if (until && registry_reached(in.registry, lsn))
				break;
			instance_wait(&in, 200000);
		}
	}
	instance_stop(&in);
	return rc;
}

static const struct cli_option options[] = {{"--until", "LSN", "exit 0 when everything up to LSN is durable and applied", &until, NULL}};

const struct command command_up = {"up", "up [--until LSN]", "run connectors, log and jobs in the foreground", options, 1, run};
