/* walmill: the program's entry, its commands and its global options. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/cli.h"

static const struct command *const commands[] = {
	&command_up, &command_demo, &command_connector, &command_job, &command_topic, &command_verify, &command_doctor, NULL,
};

int cli_error(const struct err *err)
{
	struct buf b = BUF_INIT(1 << 16);

	cli_put_error(err, &b);
	fputs(buf_cstr(&b), stderr);
	buf_release(&b);
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
	const struct command *const *c;

	puts("walmill " WALMILL_VERSION ": PostgreSQL change data capture and live analytics in one program\n");
	for (c = commands; *c; c++)
		printf("  walmill %s\n      %s\n", (*c)->usage, (*c)->purpose);
	printf("  walmill %s\n      load a published data set into the demonstration's tables\n\n", cmd_load_usage);
	puts("walmill COMMAND --help lists the command's options and all settings.");
}

int cli_params(const struct cli *c, enum walmill_setting row, bool needed, struct pg_params *ret, struct err *err)
{
	const char *dsn = settings_text(c->settings, row);

	*ret = (struct pg_params){0};
	if (!*dsn && needed) {
		err_set(err, ERR_INVALID, "no %s server is set", walmill_settings[row].name);
		return err_hint(err, "Add --%s postgresql://user:password@host:5432/database, or set it in the configuration file.",
			walmill_settings[row].name);
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

/* The log keeps each of its files open, and each client is one more: as many as the system lets this user have, not as few as it gives at
 * first (1,024, for programs that still use select). */
static void raise_open_files(void)
{
	struct rlimit n;

	if (!getrlimit(RLIMIT_NOFILE, &n)) {
		n.rlim_cur = n.rlim_max;
		setrlimit(RLIMIT_NOFILE, &n);
	}
}

static int run(const struct command *cmd, char **argv)
{
	struct cli_args args;
	struct err err = ERR_INIT;
	struct cli c;
	int rc;

	if (cli_parse(io_system(), argv, environ, cmd->options, cmd->noptions, &args, &err)) {
		cli_error(&err);
		rc = EXIT_USAGE;
	} else if (args.help) {
		struct buf b = BUF_INIT(1 << 20);

		cli_help(cmd->usage, cmd->options, cmd->noptions, &b);
		fputs(buf_cstr(&b), stdout);
		buf_release(&b);
		rc = 0;
	} else {
		c = (struct cli){.settings = args.settings, .json = args.json, .argc = (int)args.n_words, .argv = args.words};
		rc = cmd->run(&c);
	}
	cli_args_release(&args);
	return rc;
}

int main(int argc, char **argv)
{
	const struct command *const *cmd;

	if (argc < 2)
		return cli_usage("which command?");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		help();
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("walmill " WALMILL_VERSION);
		return 0;
	}
	keep_secrets();
	raise_open_files();
	mem_return_what_is_large();
	if (strcmp(argv[1], "load") == 0)
		return cmd_load(io_system(), argv + 2, environ, stdout, stderr);
	for (cmd = commands; *cmd && strcmp((*cmd)->name, argv[1]) != 0; cmd++)
		;
	return *cmd ? run(*cmd, argv + 2) : cli_usage("unknown command \"%s\"", argv[1]);
}
