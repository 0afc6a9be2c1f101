/*
 * COPY and upsert; see load_copy.h. One thread.
 *
 * Within one file the last row of a reference wins. Running the same file again changes nothing: the update has a condition, and rows that
 * it leaves alone are neither written nor seen by change data capture.
 */
#include "cli/load_copy.h"

#include "base/mem.h"

enum { FLUSH = 64 << 10 };

struct load_copy {
	struct pg_conn *conn;
	char *user_domain;
	struct buf out;
	uint64_t rows;
};

static const char begin_sql[] =
	"BEGIN;"
	" CREATE TEMPORARY TABLE walmill_load (seq bigint, reference varchar(50), title varchar(160), description text, status varchar(20),"
	" assignment_mode varchar(20), planned_us bigint, started_us bigint, completed_us bigint, technician varchar(120),"
	" latitude numeric(9,6), longitude numeric(9,6)) ON COMMIT DROP";

/* What stands before the @ of a technician's address: letters and digits of the name without their accents, all else a hyphen. Names that
 * differ in nothing else are one user. */
#define CODE(name) \
	"trim('-' from regexp_replace(translate(lower(" name "), 'àâäáçéèêëíîïñóôöúùûüÿ', 'aaaaceeeeiiinooouuuuy'), '[^a-z0-9]+', '-', 'g'))"

/* $1: the domain of the users' addresses */
static const char users_sql[] =
	"INSERT INTO public.users (email, full_name, role)"
	" SELECT DISTINCT ON (" CODE("technician") ") " CODE("technician") " || '@' || $1, technician, 'TECH'"
	" FROM pg_temp.walmill_load WHERE technician IS NOT NULL ORDER BY " CODE("technician") ", seq"
	" ON CONFLICT (email) DO NOTHING";

#define AT(column) "timestamptz '2000-01-01 00:00+00' + " column " * interval '1 microsecond'"
#define MAPPED "title, description, status, assignment_mode, planned_at, started_at, completed_at, validated_at, technician_id," \
	" latitude, longitude"

static const char upsert_sql[] =
	"WITH latest AS ("
	"  SELECT DISTINCT ON (lower(reference)) * FROM pg_temp.walmill_load ORDER BY lower(reference), seq DESC),"
	" written AS ("
	"  INSERT INTO public.interventions AS i (reference, " MAPPED ")"
	"  SELECT l.reference, l.title, l.description, l.status, l.assignment_mode, " AT("l.planned_us") ", " AT("l.started_us") ", "
	AT("l.completed_us") ", NULL::timestamptz, u.id, l.latitude, l.longitude"
	"  FROM latest l LEFT JOIN public.users u ON u.email = " CODE("l.technician") " || '@' || $1 ORDER BY l.seq"
	"  ON CONFLICT (lower(reference)) DO UPDATE SET (" MAPPED ", updated_at) ="
	"   (excluded.title, excluded.description, excluded.status, excluded.assignment_mode, excluded.planned_at, excluded.started_at,"
	"    excluded.completed_at, excluded.validated_at, excluded.technician_id, excluded.latitude, excluded.longitude, now())"
	"  WHERE (i.title, i.description, i.status, i.assignment_mode, i.planned_at, i.started_at, i.completed_at, i.validated_at,"
	"   i.technician_id, i.latitude, i.longitude) IS DISTINCT FROM"
	"   (excluded.title, excluded.description, excluded.status, excluded.assignment_mode, excluded.planned_at, excluded.started_at,"
	"    excluded.completed_at, excluded.validated_at, excluded.technician_id, excluded.latitude, excluded.longitude)"
	"  RETURNING i.xmax = 0 AS inserted)" /* a row that was there before carries the lock that the conflict took */
	" SELECT count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE NOT inserted) FROM written";

int load_copy_begin(const struct pg_params *target, const char *user_domain, struct load_copy **ret, struct err *err)
{
	struct load_copy *c = mem_zalloc(sizeof(*c));

	c->user_domain = mem_strdup(user_domain);
	c->out = BUF_INIT(16 << 20);
	if (pg_connect(target, PG_CONN_PLAIN, "walmill load", -1, &c->conn, err))
		goto fail;
	pg_set_deadline(c->conn, 0); /* the operator looks on, and has Ctrl-C */
	if (pg_exec(c->conn, begin_sql, err))
		goto fail;
	if (pg_copy_in(c->conn, "COPY pg_temp.walmill_load FROM STDIN", err))
		goto fail;
	*ret = c;
	return 0;
fail:
	load_copy_close(c);
	return -1;
}

void load_copy_close(struct load_copy *c)
{
	if (!c)
		return;
	pg_close(c->conn);
	buf_release(&c->out);
	mem_free(c->user_domain);
	mem_free(c);
}

/* A field of COPY's text format; nothing stands for NULL. */
static void put_text(struct buf *b, struct view v)
{
	size_t i;

	buf_putc(b, '\t');
	if (!v.len)
		buf_puts(b, "\\N");
	for (i = 0; i < v.len; i++) {
		uint8_t c = v.ptr[i];

		if (c == '\\' || c == '\t' || c == '\n' || c == '\r') {
			buf_putc(b, '\\');
			buf_putc(b, c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : '\\');
		} else {
			buf_u8(b, c);
		}
	}
}

static void put_time(struct buf *b, int64_t us)
{
	buf_putc(b, '\t');
	if (us == LOAD_NO_TIME)
		buf_puts(b, "\\N");
	else
		buf_i64(b, us);
}

static int flush(struct load_copy *c, struct err *err)
{
	int rc;

	if (!buf_ok(&c->out))
		return err_set(err, ERR_LIMIT, "row %llu is larger than %zu bytes", (unsigned long long)c->rows, c->out.max);
	rc = pg_copy_put(c->conn, buf_view(&c->out), err);
	buf_clear(&c->out);
	return rc;
}

int load_copy_put(struct load_copy *c, const struct load_row *row, struct err *err)
{
	static const char *const status[] = {"SCHEDULED", "IN_PROGRESS", "COMPLETED"};
	struct buf *b = &c->out;

	buf_u64(b, ++c->rows);
	put_text(b, row->reference);
	put_text(b, row->title);
	put_text(b, row->description);
	put_text(b, view_str(status[row->status]));
	put_text(b, view_str(row->automatic ? "AUTO" : "MANUAL"));
	put_time(b, row->planned_us);
	put_time(b, row->started_us);
	put_time(b, row->completed_us);
	put_text(b, row->technician);
	put_text(b, row->latitude);
	put_text(b, row->longitude);
	buf_putc(b, '\n');
	return b->len >= FLUSH || !buf_ok(b) ? flush(c, err) : 0;
}

int load_copy_finish(struct load_copy *c, uint64_t *ret_inserted, uint64_t *ret_updated, struct err *err)
{
	const char *domain = c->user_domain;
	struct pg_result *users = NULL, *counts = NULL;
	uint64_t rows;
	int rc = -1;

	if (flush(c, err) || pg_copy_finish(c->conn, &rows, err))
		goto out;
	if (pg_query(c->conn, users_sql, 1, &domain, &users, err) || pg_query(c->conn, upsert_sql, 1, &domain, &counts, err))
		goto out;
	*ret_inserted = (uint64_t)pg_int(counts, 0, 0);
	*ret_updated = (uint64_t)pg_int(counts, 0, 1);
	rc = pg_exec(c->conn, "COMMIT", err);
out:
	pg_result_free(users);
	pg_result_free(counts);
	return rc;
}
