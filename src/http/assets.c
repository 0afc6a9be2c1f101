/* Pages in the binary; see assets.h. The table is made by tools/web_assets.py. */
#include "http/assets.h"

#include <stdlib.h>
#include <strings.h>

static int by_path(const void *key, const void *asset)
{
	return strcmp(key, ((const struct http_asset *)asset)->path);
}

const struct http_asset *http_asset_find(const char *path)
{
	return bsearch(path, http_asset_table, http_asset_count, sizeof(http_asset_table[0]), by_path);
}

const struct http_asset *http_asset_route(const char *path, const char *index)
{
	const struct http_asset *a = http_asset_find(path);
	bool file = path[0] == '/' && !strchr(path + 1, '/') && strchr(path, '.');

	return a || file ? a : http_asset_find(index);
}

/* Whether an Accept-Encoding names this coding, and not with q=0. */
static bool accepts(const char *header, const char *coding)
{
	size_t n = strlen(coding);

	while (*header) {
		const char *item = header + strspn(header, " \t,"), *end = item + strcspn(item, ",");

		if (strncasecmp(item, coding, n) == 0 && (item[n] == '\0' || strchr(" \t,;", item[n]))) {
			const char *q = item + n + strspn(item + n, " \t;");

			return !(q + 2 < end + 1 && strncasecmp(q, "q=0", 3) == 0 && strspn(q + 3, ".0") == (size_t)(end - q - 3));
		}
		header = end;
	}
	return false;
}

struct view http_asset_body(const struct http_asset *a, const char *accept_encoding, const char **encoding)
{
	*encoding = NULL;
	if (a->br.len && accepts(accept_encoding, "br")) {
		*encoding = "br";
		return a->br;
	}
	if (a->gzip.len && accepts(accept_encoding, "gzip")) {
		*encoding = "gzip";
		return a->gzip;
	}
	return a->plain;
}

bool http_assets_built(void)
{
	return http_asset_count != 0;
}

bool http_asset_serve(const struct http_request *r, const char *index, struct http_response *out)
{
	const struct http_asset *a = http_asset_route(r->path, index);
	const char *encoding;
	struct view body;

	if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0)
		return false;
	if (!a && (http_assets_built() || strchr(r->path, '.')))
		return false;
	out->content_type = "text/html; charset=utf-8";
	http_header_add(out, "Content-Security-Policy", HTTP_ASSET_CSP, a ? a->scripts : "");
	http_header_add(out, "Referrer-Policy", "no-referrer");
	if (!a) {
		out->status = 200;
		buf_puts(&out->body, HTTP_NO_PAGES);
		return true;
	}
	http_header_add(out, "ETag", "%s", a->etag);
	http_header_add(out, "Vary", "Accept-Encoding");
	http_header_add(out, "Cache-Control", "%s", a->immutable ? "public, max-age=31536000, immutable" : "no-cache");
	if (strstr(http_header(r, "If-None-Match"), a->etag)) {
		out->status = 304;
		return true;
	}
	body = http_asset_body(a, http_header(r, "Accept-Encoding"), &encoding);
	if (encoding)
		http_header_add(out, "Content-Encoding", "%s", encoding);
	out->status = 200;
	out->content_type = a->type;
	buf_put(&out->body, body.ptr, body.len);
	return true;
}
