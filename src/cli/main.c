/* walmill: the program's entry, its commands and its global options. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/cli.h"

const struct command commands[] = {
	{"up", "[--until LSN]", "run connectors, log and jobs in the foreground", cmd_up},
	{"demo", "[--rate N] [--no-simulator]", "the same over demonstration data, with a simulator", cmd_demo},
	{"connector", "create FILE | create --name N --tables PATTERN | list | status N | pause|resume|restart|delete N", "connectors of the running instance", cmd_connector},
	{"job", "submit FILE [--name N] [--replace] | list | explain N | pause|resume|cancel|repair N", "jobs of the running instance", cmd_job},
	{"topic", "list | tail T [--from beginning|end|OFFSET] [-n N] [--follow] | verify-log", "topics of the log", cmd_topic},
	{"verify", "[JOB...]", "compare the jobs' tables with their SQL; exit 0 equal, 1 different, 2 not compared", cmd_verify},
	{"load", "nyc311 FILE [--dry-run] [--rejects FILE]", "load a published data set into the demonstration's tables", cmd_load},
	{"doctor", "", "look at the source server and say what to change", cmd_doctor},
	{NULL, NULL, NULL, NULL},
};

int cli_error(const struct err *err)
{
	fprintf(stderr, "walmill: %s\n", err->text);
	if (err->detail[0])
		fprintf(stderr, "  %s\n", err->detail);
	if (err->hint[0])
		fprintf(stderr, "  %s\n", err->hint);
	return EXIT_FAILED;
}

int cli_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("walmill: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputs("\nTry: walmill --help\n", stderr);
	va_end(ap);
	return EXIT_USAGE;
}

static void help(void)
{
	struct buf b = BUF_INIT(1 << 20);
	const struct command *c;

	printf("walmill " WALMILL_VERSION ": PostgreSQL change data capture and live analytics in one program\n\nUsage: walmill COMMAND [ARGUMENTS] [OPTIONS]\n\n");
	for (c = commands; c->name; c++)
		printf("  walmill %s %s\n      %s\n", c->name, c->arguments, c->purpose);
	printf("\nOptions of every command:\n"
	       "  --config FILE      read settings from FILE\n"
	       "  --data DIR, --source DSN, --target DSN\n"
	       "  --set NAME=VALUE   any setting, as often as needed\n"
	       "  --json             answer in JSON\n"
	       "  --help, --version\n\nSettings (in a file, by --set, or as environment variable WALMILL_NAME):\n");
	settings_help(walmill_settings, SET_COUNT, &b);
	fputs(buf_cstr(&b), stdout);
	buf_release(&b);
}

int cli_options(struct cli *c, const struct option_def *defs, size_t n)
{
	int from, to = 0;
	size_t k;

	for (from = 0; from < c->argc; from++) {
		char *arg = c->argv[from], *equals;
		size_t len;

		if (arg[0] != '-' || strcmp(arg, "-") == 0) {
			c->argv[to++] = arg;
			continue;
		}
		equals = strchr(arg, '=');
		len = equals ? (size_t)(equals - arg) : strlen(arg);
		for (k = 0; k < n && (strlen(defs[k].name) != len || strncmp(defs[k].name, arg, len) != 0); k++)
			;
		if (k == n)
			return cli_usage("unknown option \"%s\"", arg);
		if (!defs[k].takes_value && equals)
			return cli_usage("option %s takes no value", defs[k].name);
		if (!defs[k].takes_value)
			*defs[k].value = "";
		else if (equals)
			*defs[k].value = equals + 1;
		else if (from + 1 < c->argc)
			*defs[k].value = c->argv[++from];
		else
			return cli_usage("option %s needs a value", defs[k].name);
	}
	c->argc = to;
	return 0;
}

/* ---- global options ---- */

struct global {
	const char *config;
	const char *set[256];    /* NAME=VALUE, or the value of a short option with its name */
	const char *set_name[256];
	unsigned nset;
};

static int take_global(struct cli *c, struct global *g)
{
	static const struct {
		const char *option, *name;
	} shorts[] = {{"--config", NULL}, {"--data", "data"}, {"--source", "source"}, {"--target", "target"}, {"--set", ""}};
	int from, to = 0;
	size_t k;

	for (from = 0; from < c->argc; from++) {
		char *arg = c->argv[from];
		const char *value = NULL;
		size_t len = 0;

		if (strcmp(arg, "--json") == 0) {
			c->json = true;
			continue;
		}
		for (k = 0; k < sizeof(shorts) / sizeof(shorts[0]); k++) {
			len = strlen(shorts[k].option);
			if (strncmp(arg, shorts[k].option, len) == 0 && (arg[len] == '\0' || arg[len] == '='))
				break;
		}
		if (k == sizeof(shorts) / sizeof(shorts[0])) {
			c->argv[to++] = arg;
			continue;
		}
		if (arg[len] == '=')
			value = arg + len + 1;
		else if (from + 1 < c->argc)
			value = c->argv[++from];
		else
			return cli_usage("option %s needs a value", shorts[k].option);
		if (!shorts[k].name) {
			g->config = value;
		} else {
			if (g->nset == 256)
				return cli_usage("too many options");
			g->set_name[g->nset] = shorts[k].name;
			g->set[g->nset++] = value;
		}
	}
	c->argc = to;
	return 0;
}

static int load_settings(struct cli *c, const struct global *g, struct err *err)
{
	static const char *const others[] = {"WALMILL_INJECT", "WALMILL_CONFIG", NULL};
	const char *file = g->config ? g->config : getenv("WALMILL_CONFIG");
	unsigned i;

	if (file && settings_load_file(c->settings, io_system(), file, err))
		return -1;
	if (settings_load_environment(c->settings, environ, others, err))
		return -1;
	for (i = 0; i < g->nset; i++) {
		int rc = *g->set_name[i] ? settings_set(c->settings, SETTINGS_COMMAND_LINE, g->set_name[i], g->set[i], "command line", err)
			: settings_set_argument(c->settings, g->set[i], err);

		if (rc)
			return -1;
	}
	return 0;
}

int cli_params(const struct cli *c, enum walmill_setting row, bool needed, struct pg_params *ret, struct err *err)
{
	const char *dsn = settings_text(c->settings, row);

	*ret = (struct pg_params){0};
	if (!*dsn && needed) {
		err_set(err, ERR_INVALID, "no %s server is set", walmill_settings[row].name);
		return err_hint(err, "Add --%s postgresql://user:password@host:5432/database, or set it in the configuration file.", walmill_settings[row].name);
	}
	return *dsn ? pg_params_parse(dsn, ret, err) : 0;
}

int cli_target(const struct cli *c, struct pg_params *ret, struct err *err)
{
	return cli_params(c, *settings_text(c->settings, SET_TARGET) ? SET_TARGET : SET_SOURCE, true, ret, err);
}

/* No core file and no ptrace by others: connection strings with passwords are in memory. */
static void keep_secrets(void)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
}

int main(int argc, char **argv)
{
	struct cli c = {.argc = argc - 2, .argv = argv + 2};
	struct global g = {0};
	const struct command *cmd;
	struct err err = ERR_INIT;
	int i, rc;

	for (i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			help();
			return 0;
		}
	if (argc < 2)
		return cli_usage("which command?");
	if (strcmp(argv[1], "--version") == 0) {
		puts("walmill " WALMILL_VERSION);
		return 0;
	}
	for (cmd = commands; cmd->name && strcmp(cmd->name, argv[1]) != 0; cmd++)
		;
	if (!cmd->name)
		return cli_usage("unknown command \"%s\"", argv[1]);
	keep_secrets();
	c.settings = settings_new(walmill_settings, SET_COUNT);
	rc = take_global(&c, &g);
	if (rc == 0)
		rc = load_settings(&c, &g, &err) ? cli_error(&err) : cmd->run(&c);
	settings_free(c.settings);
	return rc;
}
