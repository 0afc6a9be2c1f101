/* Connections; see conn.h. Parameters in params.c, the replication stream in stream.c. */
#include "pg/conn.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/io.h"
#include "base/mem.h"
#include "pg/conn_internal.h"

enum { CONNECT_TIMEOUT_MS = 15000, STATEMENT_TIMEOUT_MS = 60000 };

/* ---- errors ---- */

static enum err_code code_of(const char *sqlstate)
{
	static const struct {
		const char *prefix;
		enum err_code code;
	} known[] = {
		{"08", ERR_CONNECTION}, {"57P", ERR_CONNECTION}, {"57014", ERR_TIMEOUT}, {"28", ERR_PERMISSION}, {"42501", ERR_PERMISSION},
		{"42710", ERR_EXISTS}, {"42P07", ERR_EXISTS}, {"42704", ERR_NOT_FOUND}, {"42P01", ERR_NOT_FOUND}, {"3D000", ERR_NOT_FOUND},
		{"55006", ERR_BUSY}, {"55P03", ERR_BUSY}, {"40", ERR_BUSY}, {"53100", ERR_NO_SPACE}, {"53", ERR_BUSY}, {"55000", ERR_STATE},
		{"22", ERR_DATA}, {"23", ERR_DATA}, {"0A", ERR_UNSUPPORTED}, {"42", ERR_INVALID}, {"XX", ERR_INTERNAL},
	};
	size_t i;

	for (i = 0; sqlstate && i < sizeof(known) / sizeof(known[0]); i++)
		if (strncmp(sqlstate, known[i].prefix, strlen(known[i].prefix)) == 0)
			return known[i].code;
	return sqlstate ? ERR_STATE : ERR_CONNECTION;
}

/* libpq ends its messages with newlines and puts several lines in one; ours are one line */
static void one_line(char *s)
{
	size_t n = strlen(s);

	while (n && (s[n - 1] == '\n' || s[n - 1] == ' '))
		s[--n] = '\0';
	for (; *s; s++)
		if (*s == '\n' || *s == '\t')
			*s = ' ';
}

int pg_result_error(struct pg_conn *c, const PGresult *res, struct err *err)
{
	const char *state = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
	const char *text = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	const char *detail = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL) : NULL;
	const char *hint = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_HINT) : NULL;

	const char *position = res ? PQresultErrorField(res, PG_DIAG_STATEMENT_POSITION) : NULL;

	c->error_position = position ? (uint32_t)strtoul(position, NULL, 10) : 0;
	if (PQstatus(c->pq) == CONNECTION_BAD)
		c->broken = true;
	if (!text)
		text = PQerrorMessage(c->pq);
	err_set(err, c->broken && !state ? ERR_CONNECTION : code_of(state), "%s", text && *text ? text : "the server closed the connection");
	one_line(err->text);
	if (state)
		snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", state);
	if (detail)
		err_detail(err, "%s", detail);
	if (hint)
		err_hint(err, "%s", hint);
	return -1;
}

/* ---- waiting ---- */

int pg_wait(struct pg_conn *c, bool write, int64_t deadline_us, struct err *err)
{
	struct pollfd fds[2] = {{PQsocket(c->pq), (short)(write ? POLLIN | POLLOUT : POLLIN), 0}, {c->interrupt_fd, POLLIN, 0}};
	int64_t left_ms = -1;
	int n;

	for (;;) {
		if (deadline_us) {
			left_ms = (deadline_us - io_monotonic_us(io_system()) + 999) / 1000;
			if (left_ms < 0)
				left_ms = 0;
		}
		n = poll(fds, 2, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, errno, "could not wait for the server");
		if (fds[1].revents) {
			c->broken = true;
			return err_set(err, ERR_CANCELED, "interrupted while waiting for the server");
		}
		return n > 0;
	}
}

int64_t pg_deadline(const struct pg_conn *c)
{
	return c->timeout_ms ? io_monotonic_us(io_system()) + c->timeout_ms * 1000 : 0;
}

int pg_next_result(struct pg_conn *c, int64_t deadline_us, PGresult **ret, struct err *err)
{
	int flushed, ready;

	for (;;) {
		flushed = PQflush(c->pq);
		if (flushed < 0)
			return pg_result_error(c, NULL, err);
		if (!PQisBusy(c->pq)) {
			*ret = PQgetResult(c->pq);
			return 0;
		}
		ready = pg_wait(c, flushed > 0, deadline_us, err);
		if (ready < 0)
			return -1;
		if (ready == 0) {
			c->broken = true;
			return err_set(err, ERR_TIMEOUT, "the server did not answer within %" PRId64 " ms", c->timeout_ms);
		}
		if (!PQconsumeInput(c->pq))
			return pg_result_error(c, NULL, err);
	}
}

/* ---- connecting ---- */

static int finish_connecting(struct pg_conn *c, struct err *err)
{
	int64_t deadline = io_monotonic_us(io_system()) + (int64_t)CONNECT_TIMEOUT_MS * 1000;
	bool write = true;

	for (;;) {
		PostgresPollingStatusType s;
		int ready = pg_wait(c, write, deadline, err);

		if (ready < 0)
			return -1;
		if (ready == 0)
			return err_set(err, ERR_TIMEOUT, "no connection within %d ms", CONNECT_TIMEOUT_MS);
		s = PQconnectPoll(c->pq);
		if (s == PGRES_POLLING_OK)
			return 0;
		if (s == PGRES_POLLING_FAILED) {
			/* the server's own refusals (unknown database, password) have a SQLSTATE, but libpq does not hand it out here */
			err_set(err, strstr(PQerrorMessage(c->pq), "FATAL:") ? ERR_PERMISSION : ERR_CONNECTION, "%s", PQerrorMessage(c->pq));
			if (strstr(err->text, "starting up") || strstr(err->text, "shutting down") || strstr(err->text, "recovery") ||
			    strstr(err->text, "too many"))
				err->code = ERR_CONNECTION, err->retriable = true;
			one_line(err->text);
			return -1;
		}
		write = s == PGRES_POLLING_WRITING;
	}
}

static void quiet(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

int pg_connect(const struct pg_params *p, enum pg_conn_kind kind, const char *name, int interrupt_fd, struct pg_conn **ret, struct err *err)
{
	const char *pinned = "-c DateStyle=ISO,MDY -c IntervalStyle=postgres -c TimeZone=UTC -c extra_float_digits=3 -c bytea_output=hex "
				     "-c search_path= -c row_security=off -c statement_timeout=0 -c lock_timeout=0 "
				     "-c idle_in_transaction_session_timeout=0 -c standard_conforming_strings=on";
	const char *keys[24], *values[24];
	struct pg_conn *c;
	unsigned n = 0;
	struct buf where = BUF_INIT(2048);

#define OPTION(key, value) do { if (value) { keys[n] = (key); values[n++] = (value); } } while (0)
	OPTION("host", p->host);
	OPTION("port", p->port);
	OPTION("user", p->user);
	OPTION("password", p->password);
	OPTION("dbname", p->dbname);
	OPTION("sslmode", p->sslmode);
	OPTION("sslrootcert", p->sslrootcert);
	OPTION("sslcert", p->sslcert);
	OPTION("sslkey", p->sslkey);
	OPTION("application_name", name);
	OPTION("client_encoding", "UTF8");
	OPTION("options", pinned);
	OPTION("keepalives_idle", "30");
	OPTION("tcp_user_timeout", "60000");
	OPTION("replication", kind == PG_CONN_REPLICATION ? "database" : NULL);
#undef OPTION
	keys[n] = values[n] = NULL;
	c = mem_zalloc(sizeof(*c));
	c->interrupt_fd = interrupt_fd;
	c->timeout_ms = STATEMENT_TIMEOUT_MS;
	c->pq = PQconnectStartParams(keys, values, 0);
	if (!c->pq || PQstatus(c->pq) == CONNECTION_BAD) {
		err_set(err, ERR_CONNECTION, "%s", c->pq ? PQerrorMessage(c->pq) : "out of memory");
		one_line(err->text);
	} else if (finish_connecting(c, err) == 0) {
		PQsetNoticeProcessor(c->pq, quiet, NULL);
		PQsetnonblocking(c->pq, 1);
		*ret = c;
		return 0;
	}
	pg_params_describe(p, &where);
	err_context(err, "could not connect to %s", buf_cstr(&where));
	buf_release(&where);
	pg_close(c);
	return -1;
}

void pg_close(struct pg_conn *c)
{
	if (!c)
		return;
	if (c->copy)
		PQfreemem(c->copy);
	pg_forget_statements(c);
	PQfinish(c->pq);
	mem_free(c);
}

int64_t pg_set_deadline(struct pg_conn *c, int64_t timeout_ms)
{
	int64_t was = c->timeout_ms;

	c->timeout_ms = timeout_ms;
	return was;
}

int pg_server_version(const struct pg_conn *c)
{
	return PQserverVersion(c->pq);
}

bool pg_is_broken(const struct pg_conn *c)
{
	return !c || c->broken || PQstatus(c->pq) == CONNECTION_BAD;
}

int pg_check(struct pg_conn *c, struct err *err)
{
	if (!pg_is_broken(c) && PQconsumeInput(c->pq) && PQstatus(c->pq) == CONNECTION_OK)
		return 0;
	pg_result_error(c, NULL, err);
	return -1;
}

int pg_fd(const struct pg_conn *c)
{
	return PQsocket(c->pq);
}

int pg_backend_pid(const struct pg_conn *c)
{
	return PQbackendPID(c->pq);
}

/* ---- statements ---- */

struct pg_result {
	PGresult *res;
};

/* Collects every result of what was sent; keeps the last one that has rows or a command, fails on the first that failed. */
static int collect(struct pg_conn *c, PGresult **ret, struct err *err)
{
	int64_t deadline = pg_deadline(c);
	PGresult *last = NULL, *res;
	int rc = 0;

	for (;;) {
		if (pg_next_result(c, deadline, &res, err)) {
			PQclear(last);
			return -1;
		}
		if (!res)
			break;
		switch (PQresultStatus(res)) {
		case PGRES_COMMAND_OK:
		case PGRES_TUPLES_OK:
		case PGRES_EMPTY_QUERY:
			break;
		case PGRES_COPY_OUT:
		case PGRES_COPY_IN:
		case PGRES_COPY_BOTH:
			PQclear(last);
			*ret = res;
			return rc;
		default:
			if (rc == 0)
				rc = pg_result_error(c, res, err);
		}
		PQclear(last);
		last = res;
	}
	if (rc == 0 && !last)
		rc = pg_result_error(c, NULL, err);
	if (rc)
		PQclear(last);
	else
		*ret = last;
	return rc;
}

static int run(struct pg_conn *c, const char *sql, unsigned nparams, const char *const *params, int format, PGresult **ret, struct err *err)
{
	int sent;

	if (pg_is_broken(c))
		return err_set(err, ERR_CONNECTION, "the connection to the server is gone");
	sent = nparams || format ? PQsendQueryParams(c->pq, sql, (int)nparams, NULL, params, NULL, NULL, format) : PQsendQuery(c->pq, sql);
	if (!sent)
		return pg_result_error(c, NULL, err);
	return collect(c, ret, err);
}

int pg_exec(struct pg_conn *c, const char *sql, struct err *err)
{
	PGresult *res;

	if (run(c, sql, 0, NULL, 0, &res, err))
		return -1;
	PQclear(res);
	return 0;
}

static int wrap(PGresult *res, struct pg_result **ret)
{
	*ret = mem_alloc(sizeof(**ret));
	(*ret)->res = res;
	return 0;
}

int pg_take_result(struct pg_conn *c, struct pg_result **ret, struct err *err)
{
	PGresult *res;

	return collect(c, &res, err) ? -1 : wrap(res, ret);
}

static int query(
	struct pg_conn *c, const char *sql, unsigned nparams, const char *const *params, int format, struct pg_result **ret, struct err *err)
{
	PGresult *res;

	return run(c, sql, nparams, params, format, &res, err) ? -1 : wrap(res, ret);
}

int pg_query(struct pg_conn *c, const char *sql, unsigned nparams, const char *const *params, struct pg_result **ret, struct err *err)
{
	return query(c, sql, nparams, params, 0, ret, err);
}

int pg_query_binary(
	struct pg_conn *c, const char *sql, unsigned nparams, const char *const *params, struct pg_result **ret, struct err *err)
{
	return query(c, sql, nparams, params, 1, ret, err);
}

uint32_t pg_error_position(const struct pg_conn *c)
{
	return c->error_position;
}

unsigned pg_rows(const struct pg_result *r)
{
	return (unsigned)PQntuples(r->res);
}

unsigned pg_columns(const struct pg_result *r)
{
	return (unsigned)PQnfields(r->res);
}

bool pg_null(const struct pg_result *r, unsigned row, unsigned col)
{
	return PQgetisnull(r->res, (int)row, (int)col);
}

struct view pg_value(const struct pg_result *r, unsigned row, unsigned col)
{
	return view_of(PQgetvalue(r->res, (int)row, (int)col), (size_t)PQgetlength(r->res, (int)row, (int)col));
}

const char *pg_text(const struct pg_result *r, unsigned row, unsigned col)
{
	return PQgetvalue(r->res, (int)row, (int)col);
}

int64_t pg_int(const struct pg_result *r, unsigned row, unsigned col)
{
	return strtoll(pg_text(r, row, col), NULL, 10);
}

bool pg_bool(const struct pg_result *r, unsigned row, unsigned col)
{
	return *pg_text(r, row, col) == 't';
}

uint64_t pg_affected(const struct pg_result *r)
{
	return strtoull(PQcmdTuples(r->res), NULL, 10);
}

void pg_result_free(struct pg_result *r)
{
	if (!r)
		return;
	PQclear(r->res);
	mem_free(r);
}

void pg_put_ident(struct buf *b, struct view name)
{
	size_t i;

	buf_putc(b, '"');
	for (i = 0; i < name.len; i++) {
		if (name.ptr[i] == '"')
			buf_putc(b, '"');
		buf_putc(b, (char)name.ptr[i]);
	}
	buf_putc(b, '"');
}

void pg_put_literal(struct buf *b, struct view text)
{
	size_t i;

	if (text.len && memchr(text.ptr, '\\', text.len))
		buf_puts(b, " E");
	buf_putc(b, '\'');
	for (i = 0; i < text.len; i++) {
		if (text.ptr[i] == '\'' || text.ptr[i] == '\\')
			buf_putc(b, (char)text.ptr[i]);
		buf_putc(b, (char)text.ptr[i]);
	}
	buf_putc(b, '\'');
}

/* ---- COPY ---- */

static int start_copy(struct pg_conn *c, const char *sql, ExecStatusType want, struct err *err)
{
	PGresult *res;
	ExecStatusType got;

	if (run(c, sql, 0, NULL, 0, &res, err))
		return -1;
	got = PQresultStatus(res);
	PQclear(res);
	if (got != want)
		return err_set(err, ERR_INTERNAL, "the server did not start a COPY");
	return 0;
}

int pg_copy_out(struct pg_conn *c, const char *sql, struct err *err)
{
	return start_copy(c, sql, PGRES_COPY_OUT, err);
}

int pg_copy_next(struct pg_conn *c, struct view *ret, struct err *err)
{
	PGresult *res;
	int n, ready;

	if (c->copy)
		PQfreemem(c->copy);
	for (;;) {
		c->copy = NULL;
		n = PQgetCopyData(c->pq, &c->copy, 1);
		if (n > 0) {
			*ret = view_of(c->copy, (size_t)n);
			return 0;
		}
		if (n == -1) {
			/* the end; a failure of the statement shows only in its result */
			if (collect(c, &res, err))
				return -1;
			PQclear(res);
			*ret = VIEW_NULL;
			return 0;
		}
		if (n < 0)
			return pg_result_error(c, NULL, err);
		ready = pg_wait(c, false, pg_deadline(c), err);
		if (ready < 0)
			return -1;
		if (ready == 0) {
			c->broken = true;
			return err_set(err, ERR_TIMEOUT, "the server sent nothing for %" PRId64 " ms", c->timeout_ms);
		}
		if (!PQconsumeInput(c->pq))
			return pg_result_error(c, NULL, err);
	}
}

int pg_copy_in(struct pg_conn *c, const char *sql, struct err *err)
{
	return start_copy(c, sql, PGRES_COPY_IN, err);
}

int pg_copy_put(struct pg_conn *c, struct view bytes, struct err *err)
{
	for (;;) {
		int n = PQputCopyData(c->pq, (const char *)bytes.ptr, (int)bytes.len), ready;

		if (n > 0)
			return 0;
		if (n < 0)
			return pg_result_error(c, NULL, err);
		ready = pg_wait(c, true, pg_deadline(c), err);
		if (ready < 0)
			return -1;
		if (ready == 0) {
			c->broken = true;
			return err_set(err, ERR_TIMEOUT, "the server took nothing for %" PRId64 " ms", c->timeout_ms);
		}
		if (!PQconsumeInput(c->pq) || PQflush(c->pq) < 0)
			return pg_result_error(c, NULL, err);
	}
}

int pg_copy_finish(struct pg_conn *c, uint64_t *ret_rows, struct err *err)
{
	PGresult *res;

	if (PQputCopyEnd(c->pq, NULL) < 0)
		return pg_result_error(c, NULL, err);
	if (collect(c, &res, err))
		return -1;
	*ret_rows = strtoull(PQcmdTuples(res), NULL, 10);
	PQclear(res);
	return 0;
}
