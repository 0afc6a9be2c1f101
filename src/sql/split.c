/* Job files into statements; see sql.h. Knows PostgreSQL's lexical rules and the shapes of SET and INSERT, nothing else. */
#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "sql/sql.h"

struct lexer {
	struct view file;
	size_t pos;
	struct arena *arena;
};

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_STRING, TOKEN_NUMBER, TOKEN_CHAR, TOKEN_BAD };

struct token {
	enum token_kind kind;
	size_t start, end;
	char ch;                /* TOKEN_CHAR */
	const char *text;       /* WORD in lower case, QUOTED and STRING without their quotes, NUMBER */
	const char *why;        /* TOKEN_BAD */
};

static int fail(const struct lexer *l, size_t at, struct err *err, const char *what)
{
	unsigned line = 1, column = 1;

	for (size_t i = 0; i < at && i < l->file.len; i++) {
		column++;
		if (l->file.ptr[i] == '\n') {
			line++;
			column = 1;
		}
	}
	return err_set(err, ERR_INVALID, "%s at line %u, column %u of the job file", what, line, column);
}

static uint8_t peek(const struct lexer *l, size_t ahead)
{
	return ahead < l->file.len - l->pos ? l->file.ptr[l->pos + ahead] : 0;
}

/* Blanks and comments; false when a comment is not closed. */
static bool skip_blanks(struct lexer *l)
{
	while (l->pos < l->file.len) {
		uint8_t c = peek(l, 0);

		if (isspace(c)) {
			l->pos++;
		} else if (c == '-' && peek(l, 1) == '-') {
			while (l->pos < l->file.len && peek(l, 0) != '\n')
				l->pos++;
		} else if (c == '/' && peek(l, 1) == '*') {
			int depth = 0;

			do {
				if (l->pos + 1 >= l->file.len)
					return false;
				if (peek(l, 0) == '/' && peek(l, 1) == '*') {
					depth++;
					l->pos++;
				} else if (peek(l, 0) == '*' && peek(l, 1) == '/') {
					depth--;
					l->pos++;
				}
				l->pos++;
			} while (depth);
		} else {
			break;
		}
	}
	return true;
}

static struct token bad(struct token t, const char *why)
{
	t.kind = TOKEN_BAD;
	t.why = why;
	return t;
}

/* A run in quotes; doubled quotes stand for one; with escapes, a backslash takes the next byte along. */
static struct token take_quoted(struct lexer *l, struct token t, char quote, bool escapes)
{
	char *out = arena_alloc(l->arena, l->file.len - l->pos + 1);
	size_t n = 0;

	for (l->pos++;; l->pos++) {
		if (l->pos >= l->file.len)
			return bad(t, quote == '"' ? "unterminated quoted name" : "unterminated string");
		if (escapes && peek(l, 0) == '\\' && l->pos + 1 < l->file.len) {
			out[n++] = (char)peek(l, 0);
			l->pos++;
		} else if (peek(l, 0) == (uint8_t)quote) {
			if (peek(l, 1) != (uint8_t)quote)
				break;
			l->pos++;
		}
		out[n++] = (char)peek(l, 0);
	}
	l->pos++;
	out[n] = 0;
	t.text = out;
	t.end = l->pos;
	return t;
}

static bool word_char(uint8_t c) { return isalnum(c) || c == '_' || c >= 0x80; }

/* $tag$ ... $tag$; false when this dollar starts none */
static bool take_dollar(struct lexer *l, struct token *t)
{
	size_t tag = 1, at;

	while (word_char(peek(l, tag)))
		tag++;
	if (peek(l, tag) != '$' || isdigit(peek(l, 1)))
		return false;
	tag++;
	for (at = l->pos + tag; at + tag <= l->file.len; at++) {
		if (memcmp(l->file.ptr + at, l->file.ptr + l->pos, tag) == 0) {
			t->text = arena_str(l->arena, view_of(l->file.ptr + l->pos + tag, at - l->pos - tag));
			l->pos = t->end = at + tag;
			return true;
		}
	}
	*t = bad(*t, "unterminated dollar-quoted string");
	l->pos = l->file.len;
	return true;
}

static struct token next(struct lexer *l)
{
	struct token t = {.kind = TOKEN_END};
	uint8_t c;

	t.start = l->pos;
	if (!skip_blanks(l))
		return bad(t, "unterminated comment");
	t.start = t.end = l->pos;
	if (l->pos >= l->file.len)
		return t;
	c = peek(l, 0);
	if (c == '\'' || ((c == 'e' || c == 'E') && peek(l, 1) == '\'')) {
		bool escapes = c != '\'';

		t.kind = TOKEN_STRING;
		l->pos += escapes;
		return take_quoted(l, t, '\'', escapes);
	}
	if (c == '"') {
		t.kind = TOKEN_QUOTED;
		return take_quoted(l, t, '"', false);
	}
	t.kind = TOKEN_STRING;
	if (c == '$' && take_dollar(l, &t))
		return t;
	if (isalpha(c) || c == '_' || c >= 0x80 || isdigit(c)) {
		char *out;

		t.kind = isdigit(c) ? TOKEN_NUMBER : TOKEN_WORD;
		while (word_char(peek(l, 0)) || peek(l, 0) == '$' || (t.kind == TOKEN_NUMBER && peek(l, 0) == '.'))
			l->pos++;
		t.end = l->pos;
		out = arena_str(l->arena, view_of(l->file.ptr + t.start, t.end - t.start));
		for (char *p = out; *p; p++)
			if (*p >= 'A' && *p <= 'Z')
				*p = (char)(*p | 0x20);
		t.text = out;
		return t;
	}
	t.kind = TOKEN_CHAR;
	t.ch = (char)c;
	t.end = ++l->pos;
	return t;
}

static bool is_word(const struct token *t, const char *word) { return t->kind == TOKEN_WORD && strcmp(t->text, word) == 0; }
static bool is_char(const struct token *t, char c) { return t->kind == TOKEN_CHAR && t->ch == c; }
static bool is_name(const struct token *t) { return t->kind == TOKEN_WORD || t->kind == TOKEN_QUOTED; }
static bool at_end(const struct token *t) { return t->kind == TOKEN_END || is_char(t, ';'); }

/* name [= | TO] value ; value is a word, string, signed number, or several of them separated by commas (search_path) */
static int take_set(struct lexer *l, struct sql_part *p, struct err *err)
{
	struct token t = next(l), value;
	char list[512] = "";

	if (is_word(&t, "session") || is_word(&t, "local"))
		t = next(l);
	if (!is_name(&t))
		return fail(l, t.start, err, "expected the name of a setting");
	p->is_set = true;
	p->name = t.text;
	value = next(l);
	if (is_word(&t, "time") && is_word(&value, "zone")) {
		p->name = "timezone";
		value = next(l);
	} else {
		while (is_char(&value, '.')) {
			value = next(l);
			if (!is_name(&value))
				return fail(l, value.start, err, "expected the name of a setting");
			p->name = arena_printf(l->arena, "%s.%s", p->name, value.text);
			value = next(l);
		}
		if (!is_char(&value, '=') && !is_word(&value, "to"))
			return fail(l, value.start, err, "expected = or TO");
		value = next(l);
	}
	for (;;) {
		bool negative = is_char(&value, '-');

		if (negative || is_char(&value, '+'))
			value = next(l);
		if (value.kind != TOKEN_WORD && value.kind != TOKEN_QUOTED && value.kind != TOKEN_STRING && value.kind != TOKEN_NUMBER)
			return fail(l, value.start, err, value.kind == TOKEN_BAD ? value.why : "expected a value");
		if (strlen(list) + strlen(value.text) + 4 > sizeof(list))
			return fail(l, value.start, err, "value is too long");
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s%s", list[0] ? ", " : "", negative ? "-" : "", value.text);
		p->len = (uint32_t)(value.end - p->pos);
		value = next(l);
		if (!is_char(&value, ','))
			break;
		value = next(l);
	}
	if (!at_end(&value))
		return fail(l, value.start, err, "expected a semicolon");
	p->value = arena_str(l->arena, view_str(list));
	return 0;
}

static int take_columns(struct lexer *l, struct sql_part *p, struct err *err)
{
	const char **columns = arena_alloc(l->arena, 1700 * sizeof(*columns));     /* more than a table can have */
	struct token t;

	do {
		t = next(l);
		if (!is_name(&t) || p->ncolumns == 1699)
			return fail(l, t.start, err, t.kind == TOKEN_BAD ? t.why : "expected a column name");
		columns[p->ncolumns++] = t.text;
		t = next(l);
	} while (is_char(&t, ','));
	if (!is_char(&t, ')'))
		return fail(l, t.start, err, "expected , or )");
	p->columns = columns;
	return 0;
}

static int take_insert(struct lexer *l, struct sql_part *p, struct err *err)
{
	struct token t = next(l), ahead;
	size_t mark;
	int depth = 0;

	if (!is_word(&t, "into"))
		return fail(l, t.start, err, "expected INTO");
	t = next(l);
	if (!is_name(&t))
		return fail(l, t.start, err, "expected the name of a table");
	p->table = t.text;
	t = next(l);
	if (is_char(&t, '.')) {
		t = next(l);
		if (!is_name(&t))
			return fail(l, t.start, err, "expected the name of a table");
		p->schema = p->table;
		p->table = t.text;
		t = next(l);
	}
	if (is_char(&t, '(')) {
		/* a column list, or a SELECT in parentheses */
		mark = l->pos;
		ahead = next(l);
		l->pos = mark;
		if (!is_word(&ahead, "select") && !is_word(&ahead, "with") && !is_char(&ahead, '(')) {
			if (take_columns(l, p, err) != 0)
				return -1;
			t = next(l);
		}
	}
	if (!is_word(&t, "select") && !is_word(&t, "with") && !is_char(&t, '('))
		return fail(l, t.start, err, "expected SELECT or WITH");
	p->select_pos = (uint32_t)t.start;
	for (; !(at_end(&t) && depth <= 0) && t.kind != TOKEN_END; t = next(l)) {
		if (t.kind == TOKEN_BAD)
			return fail(l, t.start, err, t.why);
		depth += is_char(&t, '(') - is_char(&t, ')');
		p->len = (uint32_t)t.end - p->pos;
		p->select_len = (uint32_t)t.end - p->select_pos;
	}
	if (depth != 0)
		return fail(l, p->select_pos, err, "unbalanced parentheses in the statement");
	return p->select_len <= SQL_SELECT_MAX ? 0 : fail(l, p->select_pos, err, "the query is longer than 64 KiB");
}

int sql_split(struct view file, struct arena *a, struct sql_part **ret, uint32_t *ret_count, struct err *err)
{
	struct lexer l = {.file = file, .pos = 0, .arena = a};
	struct sql_part *parts = NULL;
	uint32_t n = 0, cap = 0;
	struct token t;
	int rc;

	if (file.len > SQL_FILE_MAX)
		return err_set(err, ERR_LIMIT, "a job file has at most %d bytes", SQL_FILE_MAX);
	if (memchr(file.ptr ? file.ptr : (const uint8_t *)"", 0, file.len))
		return err_set(err, ERR_INVALID, "a job file is text: it cannot contain zero bytes");
	for (t = next(&l); t.kind != TOKEN_END; t = next(&l)) {
		struct sql_part p = {.pos = (uint32_t)t.start};

		if (is_char(&t, ';'))
			continue;
		if (is_word(&t, "set"))
			rc = take_set(&l, &p, err);
		else if (is_word(&t, "insert"))
			rc = take_insert(&l, &p, err);
		else
			rc = fail(&l, t.start, err, t.kind == TOKEN_BAD ? t.why : "expected INSERT INTO ... SELECT or SET");
		if (rc != 0)
			return -1;
		if (n == cap) {
			struct sql_part *more = arena_alloc(a, (cap = cap ? cap * 2 : 8) * sizeof(*more));

			if (n)
				memcpy(more, parts, n * sizeof(*more));
			parts = more;
		}
		parts[n++] = p;
	}
	*ret = parts;
	*ret_count = n;
	return 0;
}
