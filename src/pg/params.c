/* Connection parameters; see conn.h. */
#include <stdio.h>

#include <libpq-fe.h>

#include "base/mem.h"
#include "pg/conn.h"

static char **field(struct pg_params *p, const char *keyword)
{
	static const struct {
		const char *keyword;
		size_t at;
	} known[] = {
#define F(name) {#name, offsetof(struct pg_params, name)}
		F(host), F(port), F(user), F(password), F(dbname), F(sslmode), F(sslrootcert), F(sslcert), F(sslkey),
#undef F
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].keyword, keyword) == 0)
			return (char **)((char *)p + known[i].at);
	return NULL;
}

int pg_params_parse(const char *dsn, struct pg_params *ret, struct err *err)
{
	struct pg_params p = {0};
	char *why = NULL;
	PQconninfoOption *options, *o;
	int rc = -1;

	options = PQconninfoParse(dsn, &why);
	if (!options) {
		err_set(err, ERR_INVALID, "the connection string cannot be read: %s", why ? why : "out of memory");
		err_hint(err, "Write it as postgresql://user:password@host:port/database or as host=... port=... user=... dbname=....");
		PQfreemem(why);
		return -1;
	}
	for (o = options; o->keyword; o++) {
		char **to = field(&p, o->keyword);

		if (!o->val)
			continue;
		if (!to) {
			err_set(err, ERR_INVALID, "connection option \"%s\" is not allowed", o->keyword);
			err_hint(err, "Allowed are host, port, user, password, dbname, sslmode, sslrootcert, sslcert and sslkey.");
			goto out;
		}
		*to = mem_strdup(o->val);
	}
	*ret = p;
	rc = 0;
out:
	PQconninfoFree(options);
	if (rc)
		pg_params_release(&p);
	return rc;
}

static char *copy(const char *s)
{
	return s ? mem_strdup(s) : NULL;
}

void pg_params_copy(struct pg_params *to, const struct pg_params *from)
{
	*to = (struct pg_params){copy(from->host), copy(from->port), copy(from->user), copy(from->password), copy(from->dbname),
				 copy(from->sslmode), copy(from->sslrootcert), copy(from->sslcert), copy(from->sslkey)};
}

void pg_params_release(struct pg_params *p)
{
	if (p->password)
		explicit_bzero(p->password, strlen(p->password));
	mem_free(p->host);
	mem_free(p->port);
	mem_free(p->user);
	mem_free(p->password);
	mem_free(p->dbname);
	mem_free(p->sslmode);
	mem_free(p->sslrootcert);
	mem_free(p->sslcert);
	mem_free(p->sslkey);
	*p = (struct pg_params){0};
}

void pg_params_describe(const struct pg_params *p, struct buf *into)
{
	const char *host = p->host ? p->host : "";

	buf_printf(into, "postgresql://%s%s%s%s%s/%s", p->user ? p->user : "", p->user ? "@" : "", *host ? host : "(local socket)",
		   p->port ? ":" : "", p->port ? p->port : "", p->dbname ? p->dbname : "");
	if (*host == '/')
		buf_puts(into, " (socket directory)");
}
