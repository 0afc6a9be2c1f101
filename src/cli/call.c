/* Asking the running instance on behalf of a command: what is wrong is said on standard error. */
#include <stdio.h>

#include "base/js.h"
#include "cli/cli.h"

/* The message in an error body: Connect's {"message":...} or Flink's {"errors":[...]}. */
static void print_refusal(struct view body)
{
	struct arena a = ARENA_INIT;
	struct js_reader r;
	struct js_token t;
	bool said = false;

	js_reader_init(&r, body, 0);
	while (js_next(&r, &t) != JS_END && t.kind != JS_BAD)
		if (t.kind == JS_STRING && (!t.has_key || view_is(t.key, "message"))) {
			struct view v = js_unescape(&a, t.text, t.text_escaped);

			fprintf(stderr, "walmill: %.*s\n", (int)v.len, (const char *)v.ptr);
			said = true;
		}
	if (!said)
		fprintf(stderr, "walmill: %.*s\n", (int)body.len, (const char *)body.ptr);
	arena_release(&a);
}

int cli_call(const struct cli *c, enum walmill_setting listener, const char *method, const char *path, struct view body, struct buf *answer)
{
	struct err err = ERR_INIT;
	unsigned status;

	if (cli_request(c, listener, method, path, body, &status, answer, &err))
		return cli_error(&err);
	if (status / 100 == 2)
		return 0;
	print_refusal(buf_view(answer));
	return EXIT_FAILED;
}
