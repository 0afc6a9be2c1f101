/* The application's API described in OpenAPI 3.1, made from its routes and docs/schemas.json; and a page that shows it. */
#include <stdio.h>

#include "api/app.h"
#include "api/docs.h"
#include "base/js.h"

static void put_ref(struct buf *b, const char *schema)
{
	if (strchr(schema, '/'))
		buf_puts(b, "{\"type\":\"string\"}");
	else if (*schema == '[')
		buf_printf(b, "{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/%.*s\"}}", (int)strlen(schema) - 2, schema + 1);
	else
		buf_printf(b, "{\"$ref\":\"#/components/schemas/%s\"}", schema);
}

static void put_type(struct buf *b, const char *type, int n)
{
	if (strncmp(type, "integer", 7) == 0 || strncmp(type, "string", 6) == 0)
		buf_printf(b, "{\"type\":\"%.*s\"}", n, type);
	else if (strncmp(type, "date", 4) == 0)
		buf_printf(b, "{\"type\":\"string\",\"format\":\"%.*s\"}", n, type);
	else
		buf_printf(b, "{\"$ref\":\"#/components/schemas/%.*s\"}", n, type);
}

static void put_parameters(struct buf *b, const struct route *route, const struct app_doc *d)
{
	const char *s = d->query ? d->query : "";

	buf_puts(b, ",\"parameters\":[");
	if (strstr(route->pattern, "{id}"))
		buf_puts(b, "{\"name\":\"id\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"}}");
	if (strstr(d->others, "412")) {
		js_put_comma(b);
		buf_puts(b, "{\"name\":\"If-Match\",\"in\":\"header\",\"schema\":{\"type\":\"string\"}}");
	}
	while (*s) {
		int name = (int)strcspn(s, ":"), type = (int)strcspn(s + name + 1, " ");

		js_put_comma(b);
		buf_printf(b, "{\"name\":\"%.*s\",\"in\":\"query\",\"schema\":", name, s);
		put_type(b, s + name + 1, type);
		buf_putc(b, '}');
		s += name + 1 + type;
		s += *s == ' ';
	}
	buf_putc(b, ']');
}

static void put_operation(struct buf *b, const struct route *route, const struct app_doc *d)
{
	const char *s;

	buf_printf(b, "\"%s\":{\"operationId\":\"%s\",\"tags\":[\"%.*s\"],\"summary\":\"%s\"",
		strcmp(route->method, "GET") == 0        ? "get"
			: strcmp(route->method, "POST") == 0 ? "post"
			: strcmp(route->method, "PUT") == 0  ? "put"
												 : "delete",
		d->name, (int)strcspn(route->pattern + 5, "/"), route->pattern + 5, d->summary);
	put_parameters(b, route, d);
	if (d->request) {
		buf_puts(b, ",\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":");
		put_ref(b, d->request);
		buf_puts(b, "}}}");
	}
	buf_printf(b, ",\"responses\":{\"%u\":{\"description\":\"%s\"", d->status, d->response ? "the result" : "done");
	if (d->response) {
		buf_printf(b, ",\"content\":{\"%s\":{\"schema\":", strchr(d->response, '/') ? d->response : "application/json");
		put_ref(b, d->response);
		buf_puts(b, "}}");
	}
	buf_putc(b, '}');
	for (s = d->others; *s; s += s[3] ? 4 : 3)
		buf_printf(b,
			",\"%.3s\":{\"description\":\"refused\",\"content\":{\"application/problem+json\":{\"schema\":{\"$ref\":"
			"\"#/components/schemas/Problem\"}}}}",
			s);
	buf_puts(b, "}}");
}

void app_openapi(struct call *c)
{
	struct buf *b = &c->out->body;
	unsigned i, k;

	buf_printf(b, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"walmill demonstration application\",\"version\":\"%s\"},\"paths\":{",
		c->api->version);
	for (i = 0; i < n_app_routes; i++) {
		const struct route *first = &app_routes[i];

		for (k = 0; k < i && strcmp(app_routes[k].pattern, first->pattern) != 0; k++)
			;
		if (k < i || !app_docs[i].name)
			continue; /* with its first method */
		js_put_key(b, first->pattern);
		buf_putc(b, '{');
		for (k = i; k < n_app_routes; k++)
			if (strcmp(app_routes[k].pattern, first->pattern) == 0) {
				js_put_comma(b);
				put_operation(b, &app_routes[k], &app_docs[k]);
			}
		buf_putc(b, '}');
	}
	buf_puts(b, "},\"components\":{\"schemas\":");
	buf_putv(b, schemas_json);
	buf_puts(b, "}}");
	c->out->status = 200;
}

/* ---- the page ---- */

static void give(struct call *c, const char *type, struct view file)
{
	c->out->status = 200;
	c->out->content_type = type;
	http_header_add(c->out, "Content-Security-Policy",
		"default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
		"frame-ancestors 'none'");
	buf_putv(&c->out->body, file);
}

void app_docs_page(struct call *c)
{
	give(c, "text/html; charset=utf-8", docs_html);
}

void app_docs_style(struct call *c)
{
	give(c, "text/css; charset=utf-8", docs_css);
}

void app_docs_script(struct call *c)
{
	give(c, "text/javascript; charset=utf-8", docs_js);
}
