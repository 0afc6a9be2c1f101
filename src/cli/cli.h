/*
 * What the commands share: settings, output, exit codes. The edge of the program: it alone prints, exits and takes signals.
 */
#ifndef WALMILL_CLI_CLI_H
#define WALMILL_CLI_CLI_H

#include "base/settings.h"
#include "cli/settings.h"
#include "pg/conn.h"

#define WALMILL_VERSION "0.1.0"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NOT_COMPARED = 2 };

struct cli {
	struct settings *settings;
	bool json;
	int argc;            /* what is left behind the command's name, options taken out */
	char **argv;
};

struct command {
	const char *name;
	const char *arguments;   /* for --help */
	const char *purpose;
	int (*run)(struct cli *c);
};

extern const struct command commands[];

/* One option of a command; *value set to the argument, or "" for a switch. */
struct option_def {
	const char *name;        /* "--name" */
	bool takes_value;
	const char **value;      /* filled; NULL = not given */
};

/* Takes the options out of c->argv; what is left are the positional arguments. EXIT_USAGE after having said what is wrong, else 0. */
int cli_options(struct cli *c, const struct option_def *defs, size_t n);

/* "walmill: text", detail and hint on lines of their own; returns EXIT_FAILED. */
int cli_error(const struct err *err);
int cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Connection parameters from a setting; ERR_INVALID when it is empty and `needed`. */
int cli_params(const struct cli *c, enum walmill_setting row, bool needed, struct pg_params *ret, struct err *err) WM_MUST_USE;
/* The target's, which are the source's when they are not set. */
int cli_target(const struct cli *c, struct pg_params *ret, struct err *err) WM_MUST_USE;

/* A request to the running instance's listener; the answer's body is appended. ERR_CONNECTION when nobody listens. */
int cli_request(const struct cli *c, enum walmill_setting listener, const char *method, const char *path, struct view body, unsigned *ret_status,
		struct buf *answer, struct err *err) WM_MUST_USE;
/* The same; says what is wrong when the answer is not 2xx. 0 or EXIT_FAILED. */
int cli_call(const struct cli *c, enum walmill_setting listener, const char *method, const char *path, struct view body, struct buf *answer);
void cli_put_escaped(struct buf *b, const char *text); /* percent-encoded for a path or query */

int cmd_up(struct cli *c);
int cmd_demo(struct cli *c);
int cmd_connector(struct cli *c);
int cmd_job(struct cli *c);
int cmd_topic(struct cli *c);
int cmd_verify(struct cli *c);
int cmd_load(struct cli *c);
int cmd_doctor(struct cli *c);

#endif
