/*
 * The CSV reader of text.h.
 *
 * Input comes in chunks into `in`; the bytes of a record's fields are gathered in `bytes`, one behind the other, with the end of
 * each in `ends`. Views are made only when the record is complete, because `bytes` may move while it grows.
 */
#include "base/mem.h"
#include "base/text.h"

enum { CHUNK = 64 << 10 };

struct csv {
	text_fill_fn fill;
	void *arg;
	char separator;
	bool literal_quotes;
	size_t fields_max;
	uint8_t *in;             /* CHUNK bytes */
	size_t in_pos, in_len;
	bool in_end;             /* fill has said that there is no more */
	bool started;
	struct err failed;       /* code set: what every further call says */
	uint64_t line;           /* of the next byte */
	struct buf bytes;
	size_t *ends;
	struct view *fields;
	size_t n, cap;
};

struct csv *csv_new(text_fill_fn fill, void *arg, const struct csv_options *opts)
{
	struct csv *c = mem_zalloc(sizeof(*c));

	c->fill = fill;
	c->arg = arg;
	c->separator = opts ? opts->separator : 0;
	c->literal_quotes = opts && opts->literal_quotes;
	c->fields_max = opts && opts->fields_max ? opts->fields_max : 1000;
	c->bytes = BUF_INIT(opts && opts->record_max ? opts->record_max : 1 << 20);
	c->in = mem_alloc(CHUNK);
	c->line = 1;
	return c;
}

void csv_free(struct csv *c)
{
	if (!c)
		return;
	buf_release(&c->bytes);
	mem_free(c->in);
	mem_free(c->ends);
	mem_free(c->fields);
	mem_free(c);
}

int text_fill_file(void *arg, void *ptr, size_t len, size_t *ret_len, struct err *err)
{
	struct text_file *f = arg;

	if (io_read(f->file, f->off, ptr, len, ret_len, err))
		return -1;
	f->off += *ret_len;
	return 0;
}

/* True when there is a byte at in_pos. False at the end and on errors (c->failed). */
static bool more(struct csv *c)
{
	if (c->in_pos < c->in_len)
		return true;
	if (c->in_end || c->failed.code)
		return false;
	c->in_pos = 0;
	if (c->fill(c->arg, c->in, CHUNK, &c->in_len, &c->failed)) {
		c->in_len = 0;
		return false;
	}
	c->in_end = c->in_len == 0;
	return !c->in_end;
}

/* The separator that the first line uses most outside quotes, as far as the first chunk shows it. */
static char sniff(const uint8_t *p, size_t len)
{
	static const char candidates[] = ",;\t";
	size_t counts[3] = {0}, i, k, best = 0;
	bool quoted = false;

	for (i = 0; i < len && (quoted || p[i] != '\n'); i++) {
		quoted ^= p[i] == '"';
		for (k = 0; k < 3 && !quoted; k++)
			counts[k] += p[i] == (uint8_t)candidates[k];
	}
	for (k = 1; k < 3; k++)
		best = counts[k] > counts[best] ? k : best;
	return candidates[best];
}

/* The first chunk is filled to the brim, however small the pieces come, so that mark and separator are seen whole. */
static void start(struct csv *c)
{
	size_t got = 1;

	c->started = true;
	while (got && c->in_len < CHUNK) {
		if (c->fill(c->arg, c->in + c->in_len, CHUNK - c->in_len, &got, &c->failed))
			return;
		c->in_len += got;
	}
	c->in_end = c->in_len == 0;
	if (c->in_len >= 3 && memcmp(c->in, "\xef\xbb\xbf", 3) == 0)
		c->in_pos = 3;
	if (!c->separator)
		c->separator = sniff(c->in + c->in_pos, c->in_len - c->in_pos);
}

static void end_field(struct csv *c, uint64_t line)
{
	if (c->n == c->fields_max) {
		err_set(&c->failed, ERR_LIMIT, "line %llu: more than %zu fields", (unsigned long long)line, c->fields_max);
		return;
	}
	if (c->n == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 64;
		c->ends = mem_realloc(c->ends, c->cap * sizeof(*c->ends));
		c->fields = mem_realloc(c->fields, c->cap * sizeof(*c->fields));
	}
	c->ends[c->n++] = c->bytes.len;
}

/* The bytes behind an opening quote, up to and with the closing one. */
static void quoted_field(struct csv *c, uint64_t line)
{
	while (more(c)) {
		const uint8_t *from = c->in + c->in_pos, *quote = memchr(from, '"', c->in_len - c->in_pos);
		size_t len = quote ? (size_t)(quote - from) : c->in_len - c->in_pos, i;

		for (i = 0; i < len; i++)
			c->line += from[i] == '\n';
		buf_put(&c->bytes, from, len);
		c->in_pos += len + (quote ? 1 : 0);
		if (!quote)
			continue;
		if (!more(c) || c->in[c->in_pos] != '"')
			return;
		buf_putc(&c->bytes, '"');
		c->in_pos++;
	}
	if (!c->failed.code)
		err_set(&c->failed, ERR_INVALID, "line %llu: a quoted field is never closed", (unsigned long long)line);
}

/* The bytes up to a separator or line end, neither taken. */
static void plain_field(struct csv *c)
{
	while (more(c)) {
		size_t i = c->in_pos;

		while (i < c->in_len && c->in[i] != (uint8_t)c->separator && c->in[i] != '\n')
			i++;
		buf_put(&c->bytes, c->in + c->in_pos, i - c->in_pos);
		c->in_pos = i;
		if (i < c->in_len)
			return;
	}
}

/* A plain field ends in CR when its line ends in CR LF. */
static void drop_cr(struct csv *c, size_t from)
{
	if (c->bytes.len > from && c->bytes.ptr[c->bytes.len - 1] == '\r')
		c->bytes.len--;
}

/* Takes the separator (true) or the end of the record (false). The field began at `from` in c->bytes. */
static bool another_field(struct csv *c, bool quoted, size_t from)
{
	uint8_t next;

	if (!more(c)) {
		if (!quoted)
			drop_cr(c, from);
		return false;
	}
	next = c->in[c->in_pos];
	if (next == (uint8_t)c->separator) {
		c->in_pos++;
		return true;
	}
	if (next == '\r' && quoted) {
		c->in_pos++;
		if (!more(c))
			return false;
		next = c->in[c->in_pos];
	}
	if (next != '\n') {
		err_set(&c->failed, ERR_INVALID, "line %llu: text behind the closing quote of a field", (unsigned long long)c->line);
		return false;
	}
	if (!quoted)
		drop_cr(c, from);
	c->in_pos++;
	c->line++;
	return false;
}

/* One line with its fields. */
static void read_record(struct csv *c, uint64_t line)
{
	bool again = true;

	buf_clear(&c->bytes);
	c->n = 0;
	while (again && !c->failed.code) {
		size_t from = c->bytes.len;
		bool quoted = more(c) && c->in[c->in_pos] == '"' && !c->literal_quotes;

		if (quoted) {
			c->in_pos++;
			quoted_field(c, line);
		} else {
			plain_field(c);
		}
		again = !c->failed.code && another_field(c, quoted, from);
		if (!buf_ok(&c->bytes) && !c->failed.code)
			err_set(&c->failed, ERR_LIMIT, "line %llu: a record of more than %zu bytes", (unsigned long long)line, c->bytes.max);
		if (!c->failed.code)
			end_field(c, line);
	}
	if (!c->failed.code && c->bytes.len && memchr(c->bytes.ptr, 0, c->bytes.len))
		err_set(&c->failed, ERR_INVALID, "line %llu: a zero byte: this is not a text file", (unsigned long long)line);
}

int csv_next(struct csv *c, struct csv_record *ret, struct err *err)
{
	size_t i, from = 0;
	uint64_t line;

	if (!c->started)
		start(c);
	do {
		line = c->line;
		if (!c->failed.code && !more(c) && !c->failed.code)
			return 0;
		read_record(c, line);
		if (c->failed.code) {
			*err = c->failed;
			return -1;
		}
	} while (c->n == 1 && c->ends[0] == 0);
	for (i = 0; i < c->n; i++) {
		c->fields[i] = view_of(c->bytes.ptr ? c->bytes.ptr + from : (const uint8_t *)"", c->ends[i] - from);
		from = c->ends[i];
	}
	*ret = (struct csv_record){c->fields, c->n, line};
	return 1;
}
