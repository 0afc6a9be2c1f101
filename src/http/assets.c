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
	const char *last = strrchr(path, '/');

	if (a || (last && strchr(last, '.')))
		return a;
	return http_asset_find(index);
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
