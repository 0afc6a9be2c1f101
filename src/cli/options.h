/*
 * Command line options: those that every command takes, a command's own, and the words between them. Main thread.
 *
 *	--config FILE, --set NAME=VALUE, --data DIR, --source DSN, --target DSN    settings (base/settings.h)
 *	--json    machine readable output       --help, -h
 *
 * A value follows its option as the next word or behind "=". "--" ends the options. An unknown one is refused with the nearest known.
 */
#ifndef WALMILL_CLI_OPTIONS_H
#define WALMILL_CLI_OPTIONS_H

#include <stdio.h>

#include "base/settings.h"

struct cli_option {
	const char *name;       /* "--rejects" */
	const char *value;      /* what its value is called in the help ("FILE"); NULL: a flag without one */
	const char *doc;
	const char **ret_text;  /* with a value: where it goes, a part of argv; untouched when the option is not given */
	bool *ret_flag;         /* a flag: set to true */
};

struct cli_args {
	struct settings *settings;   /* walmill's own table, loaded from file, environment and command line */
	bool json, help;
	const char **words;          /* what is no option, in order */
	size_t n_words;
};

/*
 * argv: behind the command's name, NULL-terminated, as envp is. own: the command's options. The caller releases *ret, on failure too. With
 * --help nothing else is looked at. ERR_INVALID for what cannot be understood.
 */
int cli_parse(struct io *io, char *const *argv, char *const *envp, const struct cli_option *own, size_t n_own, struct cli_args *ret,
	struct err *err) WM_MUST_USE;
void cli_args_release(struct cli_args *a);

/* "usage: walmill USAGE", the options, the settings. */
void cli_help(const char *usage, const struct cli_option *own, size_t n_own, struct buf *out);

/* "walmill: text", detail and hint on lines of their own. Control characters are shown as \xXX. */
void cli_put_error(const struct err *err, struct buf *out);

/* ---- commands: argv behind the command's name; return the exit status ---- */

extern const char cmd_load_usage[];
int cmd_load(struct io *io, char *const *argv, char *const *envp, FILE *out, FILE *errors);

#endif
