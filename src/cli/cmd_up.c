/* walmill up: the instance in the foreground. */
#include <stdio.h>

#include "cli/instance.h"
#include "model/unit.h"

static void print_ready(const struct instance *in)
{
	static const char *const names[] = {"connect", "jobs", "api"};
	unsigned i;

	printf("walmill ready");
	for (i = 0; i < 3; i++)
		if (in->ports[i])
			printf(" %s=%u", names[i], in->ports[i]);
	printf("\n");
	fflush(stdout);
}

int cmd_up(struct cli *c)
{
	const char *until = NULL;
	const struct option_def options[] = {{"--until", true, &until}};
	struct instance in;
	struct err err = ERR_INIT;
	lsn_t lsn = 0;
	int rc;

	rc = cli_options(c, options, 1);
	if (rc)
		return rc;
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
