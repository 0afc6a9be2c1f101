/* Routing by table; see route.h. */
#include "api/route.h"

#include "base/text.h"

static bool matches(const char *pattern, const struct view *segments, unsigned n, struct view args[ROUTE_ARGS])
{
	unsigned i, nargs = 0;

	for (i = 0; i < n; i++) {
		size_t len;

		if (*pattern++ != '/')
			return false;
		len = strcspn(pattern, "/");
		if (pattern[0] == '{') {
			if (segments[i].len == 0 || nargs == ROUTE_ARGS || !text_utf8_valid(segments[i]))
				return false;
			args[nargs++] = segments[i];
		} else if (len != segments[i].len || memcmp(pattern, segments[i].ptr, len) != 0) {
			return false;
		}
		pattern += len;
	}
	return *pattern == '\0' || (n == 0 && strcmp(pattern, "/") == 0);
}

/* With any parameters. A body whose type is not said is taken for what the route wants; a worker refuses it. */
static bool is_json(const char *type)
{
	size_t n = strcspn(type, "; \t");

	return *type == '\0' || (n == 16 && strncasecmp(type, "application/json", n) == 0);
}

static bool is_method(const struct route *route, const char *method)
{
	return strcmp(route->method, strcmp(method, "HEAD") == 0 ? "GET" : method) == 0;
}

/* "GET, HEAD, PUT": every method of the path */
static const char *allowed(const struct route *routes, unsigned n, struct call *c, const struct view *segments, unsigned nsegments)
{
	const char *list = NULL;
	struct view args[ROUTE_ARGS];
	unsigned i;

	for (i = 0; i < n; i++)
		if (matches(routes[i].pattern, segments, nsegments, args))
			list = arena_printf(&c->arena, "%s%s%s%s", list ? list : "", list ? ", " : "", routes[i].method,
				strcmp(routes[i].method, "GET") == 0 ? ", HEAD" : "");
	return list;
}

enum route_found route_run(const struct route *routes, unsigned n, struct call *c)
{
	struct view segments[ROUTE_SEGMENTS];
	unsigned nsegments = http_segments(c->r, &c->arena, segments, ROUTE_SEGMENTS), i;

	/* "*" is no path, nor is a whole URL of somewhere else */
	if (nsegments > ROUTE_SEGMENTS || c->r->path[0] != '/')
		return ROUTE_NO_PATH;
	for (i = 0; i < n; i++) {
		if (!is_method(&routes[i], c->r->method) || !matches(routes[i].pattern, segments, nsegments, c->args))
			continue;
		if (routes[i].json && c->r->body.len && !is_json(http_header(c->r, "Content-Type")))
			return ROUTE_NO_TYPE;
		routes[i].fn(c);
		return ROUTE_ANSWERED;
	}
	c->allowed = allowed(routes, n, c, segments, nsegments);
	if (!c->allowed)
		return ROUTE_NO_PATH;
	http_header_add(c->out, "Allow", "%s", c->allowed);
	return ROUTE_NO_METHOD;
}
