/*
 * The pages that are compiled into the binary: what web/ was built into (scripts/web.sh), by path. Read only, any thread.
 *
 * A face that serves pages calls http_asset_serve(r, index, out), which goes by http_asset_route(path, index): a file by its exact path, or
 * the index page for a route of the page's own router: every other path, but for files that would stand at the root (old scripts of an
 * earlier build), which are not found. Names of scripts and styles contain a hash of their content: `immutable` ones may be kept for ever
 * (Cache-Control: public, max-age=31536000, immutable), the others are asked for again (no-cache) with their ETag.
 */
#ifndef WALMILL_HTTP_ASSETS_H
#define WALMILL_HTTP_ASSETS_H

#include "http/server.h"

struct http_asset {
	const char *path;          /* "/console.html" */
	const char *type;          /* Content-Type */
	const char *etag;          /* with its quotes */
	const char *scripts;       /* of a page: 'sha256-…' of each script that stands in it, with a space in front; or "" */
	bool immutable;
	struct view plain, gzip, br;   /* gzip and br: empty where that is not shorter */
};

#define HTTP_INDEX_DASHBOARD "/dashboard.html"
#define HTTP_INDEX_CONSOLE "/console.html"

/*
 * Everything from this origin; styles set on elements by the map and the charts are inline. %s: what scripts are allowed besides, by their
 * hashes. For pages that are served with an asset.
 */
#define HTTP_ASSET_CSP \
	"default-src 'none'; script-src 'self'%s; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; " \
	"font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

/* NULL when there is none */
const struct http_asset *http_asset_find(const char *path);
const struct http_asset *http_asset_route(const char *path, const char *index);

/* The shortest form that Accept-Encoding allows; *encoding is "br", "gzip" or NULL for none. */
struct view http_asset_body(const struct http_asset *a, const char *accept_encoding, const char **encoding);

/*
 * Answers GET and HEAD of a page or a file, with ETag, encoding and policy; false, and nothing done, when the path has none. A binary
 * without pages answers every route with HTTP_NO_PAGES. Asked last, after every resource of the listener.
 */
bool http_asset_serve(const struct http_request *r, const char *index, struct http_response *out);

/* false when the binary was built without pages; HTTP_NO_PAGES is then what to answer with */
bool http_assets_built(void);
#define HTTP_NO_PAGES \
	"<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>walmill</title><h1>No pages in this binary</h1>" \
	"<p>walmill was built where Node.js or npm's registry could not be reached. The API is here all the same. To have the pages, run " \
	"<code>scripts/web.sh</code>, which says what is missing, then <code>make</code>, and start walmill again.</p>"

/* The generated table, in the order of paths. */
extern const struct http_asset http_asset_table[];
extern const size_t http_asset_count;

#endif
