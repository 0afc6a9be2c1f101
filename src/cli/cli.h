/*
 * What the commands share: settings, output, exit codes. The edge of the program: it alone prints, exits and takes signals.
 */
#ifndef WALMILL_CLI_CLI_H
#define WALMILL_CLI_CLI_H

#include "base/settings.h"
#include "cli/options.h"
#include "cli/settings.h"
#include "pg/conn.h"

#define WALMILL_VERSION "0.1.0"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NOT_COMPARED = 2 };

struct cli {
	struct settings *settings;
	bool json;
	int argc;            /* words behind the command's name that are no options */
	const char **argv;
};

struct command {
	const char *name;
	const char *usage;       /* for --help, the command's name first */
	const char *purpose;
	const struct cli_option *options;
	size_t noptions;
	int (*run)(struct cli *c);
};

/* "walmill: text", detail and hint on lines of their own; returns EXIT_FAILED. */
int cli_error(const struct err *err);
int cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Connection parameters from a setting; ERR_INVALID when it is empty and `needed`. */
int cli_params(const struct cli *c, enum walmill_setting row, bool needed, struct pg_params *ret, struct err *err) WM_MUST_USE;
/* The target's, which are the source's when they are not set. */
int cli_target(const struct cli *c, struct pg_params *ret, struct err *err) WM_MUST_USE;

/* A request to the running instance's listener; the answer's body is appended. ERR_CONNECTION when nobody listens. */
int cli_request(const struct cli *c, enum walmill_setting listener, const char *method, const char *path, struct view body,
	unsigned *ret_status, struct buf *answer, struct err *err) WM_MUST_USE;
/* The same; says what is wrong when the answer is not 2xx. 0 or EXIT_FAILED. */
int cli_call(
	const struct cli *c, enum walmill_setting listener, const char *method, const char *path, struct view body, struct buf *answer);
void cli_put_escaped(struct buf *b, const char *text); /* percent-encoded for a path or query */

extern const struct command command_up, command_demo, command_connector, command_job, command_topic, command_verify, command_doctor;

#endif
