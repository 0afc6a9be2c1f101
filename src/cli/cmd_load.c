/* walmill load DATASET FILE: the command around load.h. Main thread. */
#include <unistd.h>

#include "cli/cli.h"
#include "cli/load.h"
#include "cli/options.h"
#include "cli/settings.h"
#include "model/datetime.h"

const char cmd_load_usage[] = "load nyc311|chicago-permits|datagouv FILE [--via copy|rest] [--dry-run] [--rejects FILE]";

enum { BAR = 30, SHOW_US = 200000 };

struct progress {
	FILE *to;
	int64_t begun_us, shown_us;   /* monotonic; shown_us 0 = nothing was shown */
};

/* On a terminal, over the same line again and again: a bar, rows a second, and how long the rest will take at this pace. */
static void show_progress(void *arg, uint64_t rows, uint64_t bytes, uint64_t bytes_in_all)
{
	struct progress *p = arg;
	int64_t now = io_monotonic_us(io_system());
	double seconds = (double)(now - p->begun_us) / 1e6, done = bytes_in_all ? (double)bytes / (double)bytes_in_all : 1, left;
	int full = (int)(done * BAR);

	if (now - p->shown_us < SHOW_US)
		return;
	p->shown_us = now;
	left = done > 0 ? seconds / done - seconds : 0;
	fprintf(p->to, "\r\033[K[%.*s%*s] %3.0f %%  %llu rows  %.0f rows/s  %d:%02d left", full, "##############################", BAR - full,
		"", done * 100, (unsigned long long)rows, seconds > 0 ? (double)rows / seconds : 0, (int)left / 60, (int)left % 60);
	fflush(p->to);
}

/* The target's parameters, which the source's are unless said otherwise. */
static int find_target(const struct settings *s, struct pg_params *ret, struct err *err)
{
	const char *dsn = settings_text(s, SET_TARGET);

	if (!dsn[0])
		dsn = settings_text(s, SET_SOURCE);
	if (!dsn[0]) {
		err_set(err, ERR_INVALID, "no database is named");
		return err_hint(err, "Give --target, or WALMILL_TARGET; or --dry-run, which needs none.");
	}
	return pg_params_parse(dsn, ret, err);
}

/* The running instance's application API. */
static int post(void *arg, struct view body, unsigned *ret_status, struct buf *answer, struct err *err)
{
	struct cli c = {.settings = arg};

	return cli_request(&c, SET_API_LISTEN, "POST", "/api/interventions/bulk", body, ret_status, answer, err);
}

static int load(struct io *io, const struct cli_args *args, struct load_options *opts, FILE *out, struct err *err)
{
	const struct load_dataset *set = args->n_words ? load_dataset_find(args->words[0]) : NULL;
	struct buf text = BUF_INIT(1 << 20);
	struct load_report report;
	int rc;

	if (args->n_words != 2) {
		err_set(err, ERR_INVALID, "a data set and a file are needed");
		return err_hint(err, "usage: walmill %s", cmd_load_usage);
	}
	if (!set) {
		err_set(err, ERR_INVALID, "unknown data set \"%.80s\"", args->words[0]);
		return err_hint(err, "Known: nyc311, chicago-permits, datagouv.");
	}
	opts->path = args->words[1];
	opts->now_us = io_now_us(io) - UNIX_EPOCH_US;
	rc = load_run(io, set, opts, &report, err);
	if (opts->progress && ((struct progress *)opts->progress_arg)->shown_us)
		fputs("\r\033[K", ((struct progress *)opts->progress_arg)->to);
	if (rc == 0) {
		load_report_put(&report, !opts->target && !opts->rest, args->json, &text);
		rc = fputs(buf_cstr(&text), out) < 0 || fflush(out) ? err_set(err, ERR_IO, "could not write the report") : 0;
	}
	buf_release(&text);
	return rc;
}

int cmd_load(struct io *io, char *const *argv, char *const *envp, FILE *out, FILE *errors)
{
	const char *via = "copy", *rejects = NULL;
	bool dry_run = false;
	const struct cli_option own[] = {
		{"--via", "WAY", "how rows get there: copy (COPY and one upsert) or rest (the running walmill's API)", &via, NULL},
		{"--dry-run", NULL, "read and map, but write nothing", NULL, &dry_run},
		{"--rejects", "FILE", "list rows that were skipped, as CSV", &rejects, NULL},
	};
	struct progress progress = {.to = errors, .begun_us = io_monotonic_us(io)};
	struct load_options opts = {.path = NULL};
	struct pg_params target = {.host = NULL};
	struct load_poster poster;
	bool by_rest;
	struct buf text = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	struct cli_args args;
	int rc;

	rc = cli_parse(io, argv, envp, own, sizeof(own) / sizeof(own[0]), &args, &err);
	if (rc == 0 && args.help) {
		cli_help(cmd_load_usage, own, sizeof(own) / sizeof(own[0]), &text);
		fputs(buf_cstr(&text), out);
		goto out;
	}
	by_rest = strcmp(via, "rest") == 0;
	if (rc == 0 && !by_rest && strcmp(via, "copy") != 0)
		rc = err_set(&err, ERR_INVALID, "rows cannot be loaded via \"%.40s\", only via copy or rest", via);
	if (rc == 0 && !dry_run && by_rest) {
		poster = (struct load_poster){post, args.settings};
		opts.rest = &poster;
	} else if (rc == 0 && !dry_run) {
		rc = find_target(args.settings, &target, &err);
		opts.target = &target;
	}
	opts.rejects = rejects;
	if (isatty(fileno(errors))) {
		opts.progress = show_progress;
		opts.progress_arg = &progress;
	}
	if (rc == 0)
		rc = load(io, &args, &opts, out, &err);
	if (rc) {
		cli_put_error(&err, &text);
		fputs(buf_cstr(&text), errors);
	}
out:
	pg_params_release(&target);
	cli_args_release(&args);
	buf_release(&text);
	return rc ? 1 : 0;
}
