/* The registry's files; formats in registry.h. */
#include <stdio.h>
#include <stdlib.h>

#include "base/js.h"
#include "base/mem.h"
#include "base/text.h"
#include "job/registry_int.h"

static void put_path(const struct registry *r, struct buf *b, const char *folder, const char *name, const char *ending)
{
	buf_printf(b, "%s/%s/", r->dir, folder);
	text_put_file_name(b, name);
	buf_puts(b, ending);
}

/* The name that a file's name stands for; false when it is not one of ours. */
static bool name_of_file(const char *file, const char *ending, char name[256])
{
	size_t len = strlen(file), tail = strlen(ending), i, n = 0;

	if (len <= tail || strcmp(file + len - tail, ending) != 0)
		return false;
	for (i = 0; i < len - tail && n < 255; i++) {
		if (file[i] == '_' && i + 2 < len) {
			char hex[3] = {file[i + 1], file[i + 2], 0};

			name[n++] = (char)strtoul(hex, NULL, 16);
			i += 2;
		} else {
			name[n++] = file[i];
		}
	}
	name[n] = '\0';
	return true;
}

int registry_store_connector(struct registry *r, const struct entry_connector *e, struct err *err)
{
	struct buf path = BUF_INIT(4096), b = BUF_INIT(8 << 20);
	int rc;

	put_path(r, &path, "connectors", e->name, ".json");
	buf_printf(&b, "{\"state\":\"%s\",\"tasks\":%s,\"config\":", connector_state_name(e->desired), e->has_task ? "true" : "false");
	buf_putv(&b, connector_config(e->connector)->json);
	if (e->topics_reset)
		buf_printf(&b, ",\"topics_reset\":%s", e->topics_reset);
	buf_puts(&b, "}\n");
	rc = io_replace(r->o.io, buf_cstr(&path), buf_view(&b), err);
	buf_release(&path);
	buf_release(&b);
	return rc;
}

int registry_unlink_connector(struct registry *r, const char *name, struct err *err)
{
	struct buf path = BUF_INIT(4096);
	int rc;

	put_path(r, &path, "connectors", name, ".json");
	rc = io_unlink(r->o.io, buf_cstr(&path), err);
	buf_release(&path);
	return rc;
}

int registry_store_job(struct registry *r, const struct entry_job *e, struct err *err)
{
	struct buf path = BUF_INIT(4096), b = BUF_INIT(8 << 20);
	int rc;

	put_path(r, &path, "jobs", job_name(e->pub.job), ".sql");
	if (e->desired == JOB_CANCELED) {
		rc = io_unlink(r->o.io, buf_cstr(&path), err);
	} else {
		buf_printf(&b, "-- walmill: state=%s replace=%s id=%s\n", job_state_name(e->desired), e->replace ? "true" : "false", e->pub.id);
		buf_putv(&b, job_text(e->pub.job));
		rc = io_replace(r->o.io, buf_cstr(&path), buf_view(&b), err);
	}
	buf_release(&path);
	buf_release(&b);
	return rc;
}

/* ---- loading ---- */

struct names {
	char (*list)[256];
	uint32_t n;
	const char *ending;
};

static int note_name(void *arg, const char *file)
{
	struct names *names = arg;
	char name[256];

	if (!name_of_file(file, names->ending, name))
		return 0;
	names->list = mem_realloc(names->list, (names->n + 1) * sizeof(*names->list));
	memcpy(names->list[names->n++], name, sizeof(name));
	return 0;
}

static int read_entry(struct registry *r, const char *folder, const char *name, const char *ending, struct buf *into, struct err *err)
{
	struct buf path = BUF_INIT(4096);
	int rc;

	put_path(r, &path, folder, name, ending);
	buf_clear(into);
	rc = io_read_file(r->o.io, buf_cstr(&path), into, err);
	buf_release(&path);
	return rc;
}

static enum connector_state state_of(struct view text)
{
	return view_is(text, "PAUSED") ? CONNECTOR_PAUSED : view_is(text, "STOPPED") ? CONNECTOR_STOPPED : CONNECTOR_RUNNING;
}

static int load_connector(struct registry *r, const char *name, struct view file, struct err *err)
{
	struct loaded_connector l = {.desired = CONNECTOR_RUNNING, .has_task = true};
	struct js_reader js;
	struct js_token t;

	js_reader_init(&js, file, 0);
	js_next(&js, &t);
	while (js_next(&js, &t) != JS_OBJECT_END && t.kind != JS_BAD && t.kind != JS_END) {
		if (t.kind == JS_STRING && view_is(t.key, "state")) {
			l.desired = state_of(t.text);
		} else if (t.kind == JS_FALSE && view_is(t.key, "tasks")) {
			l.has_task = false;
		} else if (t.kind == JS_OBJECT) {
			struct view *into = view_is(t.key, "config") ? &l.config : &l.topics_reset;
			const uint8_t *from = js.ptr - 1;

			js_skip(&js, &t);
			*into = view_of(from, (size_t)(js.ptr - from));
		}
	}
	if (!l.config.ptr)
		return err_set(err, ERR_CORRUPT, "file connectors/%s.json of the data directory cannot be read", name);
	l.has_task = l.desired == CONNECTOR_RUNNING || (l.desired == CONNECTOR_PAUSED && l.has_task);
	return registry_add_loaded_connector(r, view_str(name), &l, err);
}

/* The word after key in the first line of a job's file; empty when it is not there. */
static struct view head_word(struct view line, const char *key)
{
	const char *at = memmem(line.ptr, line.len, key, strlen(key)), *to;

	if (!at)
		return VIEW_NULL;
	at += strlen(key);
	for (to = at; to < (const char *)line.ptr + line.len && *to != ' '; to++)
		;
	return view_of(at, (size_t)(to - at));
}

static int load_job(struct registry *r, const char *name, struct buf *file, struct err *err)
{
	const char *text = buf_cstr(file), *end = strchr(text, '\n');
	struct view head = view_of(text, end ? (size_t)(end - text) : 0);
	struct view state = head_word(head, " state="), replace = head_word(head, " replace="), word = head_word(head, " id=");
	char id[33];

	if (!end || !state.len || !replace.len || word.len != 32)
		return err_set(err, ERR_CORRUPT, "file jobs/%s.sql of the data directory cannot be read", name);
	snprintf(id, sizeof(id), "%.32s", (const char *)word.ptr);
	registry_add_loaded_job(r, name, view_str(end + 1), view_is(replace, "true"), id,
		view_is(state, "PAUSED") ? JOB_PAUSED : JOB_RUNNING);
	return 0;
}

static int load_folder(struct registry *r, const char *folder, const char *ending, struct err *err)
{
	struct buf path = BUF_INIT(4096), file = BUF_INIT(8 << 20);
	struct names names = {.ending = ending};
	uint32_t i;
	int rc = -1;

	buf_printf(&path, "%s/%s", r->dir, folder);
	if (io_make_dir(r->o.io, buf_cstr(&path), err) || io_list(r->o.io, buf_cstr(&path), note_name, &names, err))
		goto out;
	for (i = 0; i < names.n; i++) {
		if (read_entry(r, folder, names.list[i], ending, &file, err))
			goto out;
		if (strcmp(folder, "jobs") == 0 ? load_job(r, names.list[i], &file, err) : load_connector(r, names.list[i], buf_view(&file), err)) {
			err_context(err, "could not start %s \"%s\"", strcmp(folder, "jobs") == 0 ? "job" : "connector", names.list[i]);
			goto out;
		}
	}
	rc = 0;
out:
	mem_free(names.list);
	buf_release(&path);
	buf_release(&file);
	return rc;
}

int registry_load(struct registry *r, struct err *err)
{
	return load_folder(r, "connectors", ".json", err) || load_folder(r, "jobs", ".sql", err) ? -1 : 0;
}
