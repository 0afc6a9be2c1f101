/*
 * Rows of named columns; see load_source.h. One thread.
 *
 * A column's names over the years stand in one string, separated by |; they are compared without regard to case and outer blanks.
 */
#include "cli/load_source.h"

#include <stdio.h>

#include "base/js.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/load_json.h"

enum { RECORD_MAX = 1 << 20 };

struct load_source {
	const struct load_dataset *set;
	struct text_file input;
	uint64_t size;
	bool is_json;
	struct csv *csv;
	struct json_cutter *json;
	int *column_of;           /* CSV: of each header field its column, or -1 */
	size_t header_fields;
	unsigned lines_before;    /* the header */
	bool found[LOAD_COLUMNS_MAX];
	const char *layout;
};

/* The column that one of the names `names` ("a|b") stands for. */
static bool is_named(const char *names, struct view name)
{
	while (*names) {
		size_t len = strcspn(names, "|");
		char one[80];

		wm_assert(len < sizeof(one));
		memcpy(one, names, len);
		one[len] = '\0';
		if (text_is(name, one))
			return true;
		names += len + (names[len] == '|');
	}
	return false;
}

static int find_column(const struct load_dataset *set, struct view name)
{
	size_t i;

	name = text_trim(name);
	for (i = 0; i < set->n_columns; i++)
		if (is_named(set->columns[i], name))
			return (int)i;
	return -1;
}

static int require_columns(const struct load_source *s, const char *path, struct err *err)
{
	size_t i;

	for (i = 0; i < s->set->n_columns; i++) {
		if (!(s->set->required & LOAD_NEEDS(i)) || s->found[i])
			continue;
		err_set(err, ERR_INVALID, "\"%s\" is not %s: it has no column \"%.*s\"", path, s->set->title,
			(int)strcspn(s->set->columns[i], "|"), s->set->columns[i]);
		return err_hint(err, "Its first line, or the keys of its first object, must name the columns as the publisher names them.");
	}
	return 0;
}

/* A name that is not UTF-8 is read as Windows-1252, as values are. */
static struct view clean_name(struct view name, struct arena *a)
{
	struct buf b = BUF_INIT(1 << 16);

	if (text_utf8_valid(name))
		return name;
	text_put_cp1252(&b, name);
	name = arena_view(a, buf_view(&b));
	buf_release(&b);
	return name;
}

/* Whether all that a kind of file needs is among the names. */
static bool fits(const struct load_dataset *set, const struct view *names, size_t n)
{
	uint64_t missing = set->required;
	size_t i;

	for (i = 0; i < n && missing; i++) {
		int c = find_column(set, names[i]);

		if (c >= 0)
			missing &= ~LOAD_NEEDS(c);
	}
	return !missing;
}

static const struct load_dataset *kind_of(const struct load_dataset *set, const struct view *names, size_t n)
{
	while (set && !fits(set, names, n))
		set = set->next;
	return set;
}

/* ---- looking for the header ---- */

enum { HEAD_MAX = 32 << 10, HEAD_LINES = 8, NAMES_MAX = 400 };

struct head {
	uint8_t bytes[HEAD_MAX];
	size_t len;
	struct arena arena;
};

struct piece {
	const uint8_t *ptr;
	size_t len;
};

static int fill_piece(void *arg, void *ptr, size_t len, size_t *ret_len, struct err *err)
{
	struct piece *p = arg;

	*ret_len = len < p->len ? len : p->len;
	memcpy(ptr, p->ptr, *ret_len);
	p->ptr += *ret_len;
	p->len -= *ret_len;
	return 0;
}

/* The kind of file whose header this line is, were its fields parted by that character; or NULL. */
static const struct load_dataset *kind_of_line(
	const struct load_dataset *set, struct head *h, const uint8_t *line, size_t len, char separator)
{
	struct piece piece = {line, len};
	struct csv *csv = csv_new(fill_piece, &piece, &(struct csv_options){.separator = separator, .record_max = HEAD_MAX});
	struct view names[NAMES_MAX];
	struct csv_record record;
	struct err ignored = ERR_INIT;
	size_t i, n = 0;

	if (csv_next(csv, &record, &ignored) > 0)
		for (n = record.n < NAMES_MAX ? record.n : NAMES_MAX, i = 0; i < n; i++)
			names[i] = clean_name(record.fields[i], &h->arena);
	set = n ? kind_of(set, names, n) : NULL;
	csv_free(csv);
	return set;
}

/*
 * Sets the kind, where the header begins and what parts its fields. What is not found leaves the first line to be the header of the first
 * kind, so that the error says what is missing there.
 */
static void find_header(struct load_source *s, struct head *h, char *ret_separator)
{
	static const char separators[] = ",;\t";
	const uint8_t *line = h->bytes, *end = h->bytes + h->len;
	unsigned i, k;

	for (i = 0; i < HEAD_LINES && line < end; i++) {
		const uint8_t *nl = memchr(line, '\n', (size_t)(end - line));
		size_t len = nl ? (size_t)(nl - line) : (size_t)(end - line);

		for (k = 0; separators[k]; k++) {
			const struct load_dataset *kind = kind_of_line(s->set, h, line, len, separators[k]);

			if (!kind)
				continue;
			s->set = kind;
			s->lines_before = i;
			s->input.off = (uint64_t)(line - h->bytes);
			*ret_separator = separators[k];
			return;
		}
		line += len + (nl != NULL);
	}
}

static int open_csv(struct load_source *s, struct head *h, const char *path, struct err *err)
{
	struct csv_record header;
	char separator = 0;
	bool api = false;
	size_t i;
	int rc;

	find_header(s, h, &separator);
	s->csv = csv_new(text_fill_file, &s->input,
		&(struct csv_options){.record_max = RECORD_MAX, .separator = separator, .literal_quotes = s->set->literal_quotes});
	rc = csv_next(s->csv, &header, err);
	if (rc < 0)
		return err_context(err, "%s", path);
	if (rc == 0)
		return err_set(err, ERR_INVALID, "\"%s\" is empty", path);
	s->header_fields = header.n;
	s->column_of = mem_alloc(header.n * sizeof(*s->column_of));
	for (i = 0; i < header.n; i++) {
		int c = find_column(s->set, clean_name(header.fields[i], &h->arena));

		if (c >= 0 && memchr(header.fields[i].ptr, '_', header.fields[i].len))
			api = true;
		/* the first of two that mean the same */
		s->column_of[i] = c >= 0 && s->found[c] ? -1 : c;
		if (c >= 0)
			s->found[c] = true;
	}
	if (require_columns(s, path, err))
		return -1;
	s->layout = s->set->layout(s->found, header.n, api ? LOAD_API_CSV : LOAD_PORTAL);
	return 0;
}

/* ---- JSON: the first object tells ---- */

static int open_json(struct load_source *s, struct head *h, struct err *err)
{
	struct view names[NAMES_MAX], text;
	const struct load_dataset *kind;
	struct piece piece = {h->bytes, h->len};
	struct json_cutter *cutter = json_cutter_new(fill_piece, &piece, HEAD_MAX);
	struct err ignored = ERR_INIT;
	struct js_reader r;
	struct js_token t;
	uint64_t line;
	size_t n = 0;

	if (s->set->next && json_cutter_next(cutter, &text, &line, &ignored) > 0) {
		js_reader_init(&r, text, 0);
		js_next(&r, &t);
		while (n < NAMES_MAX && js_next(&r, &t) != JS_OBJECT_END && t.kind != JS_BAD && t.kind != JS_END) {
			names[n++] = js_unescape(&h->arena, t.key, t.key_escaped);
			js_skip(&r, &t);
		}
		kind = kind_of(s->set, names, n);
		if (kind)
			s->set = kind;
	}
	json_cutter_free(cutter);
	s->json = json_cutter_new(text_fill_file, &s->input, RECORD_MAX);
	s->layout = s->set->layout(s->found, 0, LOAD_API_JSON);
	return 0;
}

/* The first byte that is not blank tells JSON from CSV. */
static bool looks_like_json(const struct head *h)
{
	size_t i;

	for (i = 0; i < h->len && (h->bytes[i] <= ' ' || h->bytes[i] >= 0x80); i++)
		;
	return i < h->len && (h->bytes[i] == '[' || h->bytes[i] == '{');
}

int load_source_open(struct io *io, const char *path, const struct load_dataset *set, struct load_source **ret, struct err *err)
{
	struct load_source *s = mem_zalloc(sizeof(*s));
	struct head *h = mem_zalloc(sizeof(*h));
	int rc = -1;

	wm_assert(set->n_columns <= LOAD_COLUMNS_MAX);
	s->set = set;
	h->arena = ARENA_INIT;
	if (io_open(io, path, IO_READ, &s->input.file, err) || io_size(s->input.file, &s->size, err) ||
		io_read(s->input.file, 0, h->bytes, sizeof(h->bytes), &h->len, err))
		goto out;
	s->is_json = looks_like_json(h);
	rc = s->is_json ? open_json(s, h, err) : open_csv(s, h, path, err);
	if (rc == 0 && s->set->refused) {
		rc = err_set(err, ERR_UNSUPPORTED, "\"%s\" cannot be loaded: %s", path, s->set->refused);
		err_detail(err, "It is of the kind: %s.", s->set->title);
	}
out:
	arena_release(&h->arena);
	mem_free(h);
	if (rc)
		load_source_close(s);
	else
		*ret = s;
	return rc;
}

void load_source_close(struct load_source *s)
{
	if (!s)
		return;
	csv_free(s->csv);
	json_cutter_free(s->json);
	io_close(s->input.file);
	mem_free(s->column_of);
	mem_free(s);
}

const struct load_dataset *load_source_set(const struct load_source *s)
{
	return s->set;
}

const char *load_source_layout(const struct load_source *s)
{
	return s->layout;
}

uint64_t load_source_size(const struct load_source *s)
{
	return s->size;
}

uint64_t load_source_pos(const struct load_source *s)
{
	return s->input.off;
}

/* Trims; a text that is not UTF-8 becomes it. */
static struct view clean(struct view v, struct arena *a, struct load_record *r)
{
	struct buf b = BUF_INIT(RECORD_MAX * 3);

	v = text_trim(v);
	if (v.len && memchr(v.ptr, 0, v.len))
		r->skip = LOAD_SKIP_ZERO;
	if (text_utf8_valid(v))
		return v;
	text_put_cp1252(&b, v);
	v = arena_view(a, buf_view(&b));
	buf_release(&b);
	r->recoded++;
	return v;
}

static int next_csv(struct load_source *s, struct arena *a, struct load_record *ret, struct err *err)
{
	struct csv_record record;
	int rc = csv_next(s->csv, &record, err);
	size_t i;

	if (rc <= 0)
		return rc;
	ret->line = record.line + s->lines_before;
	ret->skip = record.n == s->header_fields ? LOAD_TAKEN : LOAD_SKIP_FIELDS;
	for (i = 0; i < record.n && i < s->header_fields; i++)
		if (s->column_of[i] >= 0)
			ret->values[s->column_of[i]] = clean(record.fields[i], a, ret);
	return 1;
}

/* One member's value: a string's text, a number's or container's as it stands, nothing for null. */
static int member(struct js_reader *r, struct js_token *t, struct arena *a, struct view *ret)
{
	const uint8_t *from = r->ptr - 1; /* the bracket, when it is a container */

	*ret = VIEW_NULL;
	switch (t->kind) {
	case JS_STRING:
		*ret = js_unescape(a, t->text, t->text_escaped);
		return 0;
	case JS_NUMBER:
		*ret = t->text;
		return 0;
	case JS_TRUE:
	case JS_FALSE:
		*ret = view_str(t->kind == JS_TRUE ? "true" : "false");
		return 0;
	case JS_NULL:
		return 0;
	case JS_OBJECT:
	case JS_ARRAY:
		if (js_skip(r, t) == JS_BAD)
			return -1;
		*ret = view_of(from, (size_t)(r->ptr - from));
		return 0;
	default:
		return -1;
	}
}

static int next_json(struct load_source *s, struct arena *a, struct load_record *ret, struct err *err)
{
	struct js_reader r;
	struct js_token t;
	struct view text, value;
	char where[40];
	int rc = json_cutter_next(s->json, &text, &ret->line, err), c;

	if (rc <= 0)
		return rc;
	js_reader_init(&r, text, 0);
	if (js_next(&r, &t) != JS_OBJECT)
		goto bad;
	while (js_next(&r, &t) != JS_OBJECT_END) {
		struct view key = js_unescape(a, t.key, t.key_escaped);

		if (member(&r, &t, a, &value))
			goto bad;
		c = find_column(s->set, key);
		if (c >= 0 && !ret->values[c].len)
			ret->values[c] = clean(value, a, ret);
	}
	if (js_next(&r, &t) == JS_END)
		return 1;
bad:
	snprintf(where, sizeof(where), "line %llu: the object", (unsigned long long)ret->line);
	return js_error(&r, where, err);
}

int load_source_next(struct load_source *s, struct arena *a, struct load_record *ret, struct err *err)
{
	memset(ret, 0, sizeof(*ret));
	return s->is_json ? next_json(s, a, ret, err) : next_csv(s, a, ret, err);
}
