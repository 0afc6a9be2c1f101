/*
 * HTTP/1.1 servers on libmicrohttpd: one per listener, a thread per connection, bodies bounded and read whole before the handler runs.
 *
 * Before a body is read the request is refused (400, connection closed) when its framing is ambiguous: Content-Length beside
 * Transfer-Encoding, or several Content-Lengths; libmicrohttpd itself would take the first. Requests from another origin are refused too: a
 * Host that is neither an address nor localhost (DNS rebinding), and unsafe methods whose Origin is neither the Host nor this machine's
 * loopback.
 *
 * The handler runs on the connection's thread and may block; many may run at once. Everything in the request lives until it returns.
 */
#ifndef WALMILL_HTTP_SERVER_H
#define WALMILL_HTTP_SERVER_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/metrics.h"

struct http_server;
struct MHD_Connection;

struct http_request {
	const char *method;        /* "GET" */
	const char *path;          /* decoded, begins with / */
	const char *raw;           /* path and query as they were sent; or NULL */
	struct view body;
	struct MHD_Connection *mhd;
};

/* "" when absent */
const char *http_query(const struct http_request *r, const char *name);
bool http_query_given(const struct http_request *r, const char *name);
bool http_query_has(const struct http_request *r, const char *name, const char *value);   /* one of several of that name */
const char *http_header(const struct http_request *r, const char *name);

/* Every value of a parameter that may be repeated, in order; those beyond the eighth are left out. */
struct http_query_values {
	const char *values[8];
	unsigned n;
};
struct http_query_values http_query_all(const struct http_request *r, const char *name);

/* Nobody will read the answer: the client has closed the connection, or its side of it. For handlers that wait. */
bool http_client_left(const struct http_request *r);

/* An answer that goes on: `next` waits for more and appends it; false = the end. `end` is called once. Both on the connection's thread. */
struct http_stream {
	bool (*next)(void *arg, struct buf *into);
	void (*end)(void *arg);
	void *arg;
};

struct http_response {
	unsigned status;
	const char *content_type;  /* NULL = application/json */
	const char *location;      /* or NULL */
	struct buf headers;        /* more of them, by http_header_add */
	struct buf body;
	struct http_stream stream; /* next not NULL: in place of the body */
};

/* One more header. Cache-Control is no-store unless it is given. */
void http_header_add(struct http_response *out, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

typedef void (*http_handler)(void *arg, const struct http_request *r, struct http_response *out);

enum { HTTP_BODY_MAX = 8 << 20 };

/* address: "127.0.0.1:8083", "[::1]:8083"; port 0 picks one. ERR_BUSY when it is taken. seconds: a histogram in which every run of the
 * handler is counted, or NULL. */
int http_server_start(const char *address, http_handler handler, void *arg, struct metric *seconds, struct http_server **ret,
	struct err *err) WM_MUST_USE;
/* Waits for handlers that run; streams must have been told to end. NULL is fine. */
void http_server_stop(struct http_server *s);
unsigned http_server_port(const struct http_server *s);

/*
 * A path against a pattern: '/connectors/{}/status'. The texts that stand at {} go to args (room for 4), decoded; true when it matches.
 * A {} matches one segment, not empty.
 */
bool http_match(const char *path, const char *pattern, struct view args[4]);

/*
 * The path's segments, each decoded by itself, so that a name may hold an encoded slash; into the arena. Empty segments at the end are left
 * out. A handler that is mounted below a prefix moves `path` on and leaves `raw`: the prefix must have nothing to decode. Returns their
 * number; most + 1 when there are more.
 */
unsigned http_segments(const struct http_request *r, struct arena *a, struct view *segments, unsigned most);
void http_put_segment(struct buf *b, struct view segment);   /* encoded as in a path; slashes stay */

#endif
