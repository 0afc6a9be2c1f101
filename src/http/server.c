/* HTTP servers; see server.h. */
#include "http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/io.h"
#include "base/mem.h"

enum { CONNECTIONS_MAX = 256, IDLE_TIMEOUT_S = 60, MEMORY_PER_CONNECTION = 64 << 10, HEADERS_MAX = 16 << 10, STREAM_BLOCK = 32 << 10 };

struct http_server {
	struct MHD_Daemon *daemon;
	http_handler handler;
	void *arg;
	struct metric *seconds;
	unsigned port;
};

/* A request while its body comes in. */
struct exchange {
	struct buf body;
	bool too_large;
	unsigned refuse;      /* status to answer with, before the handler; 0 = none */
};

/* ---- framing and origin ---- */

struct framing {
	unsigned lengths, encodings;
};

static enum MHD_Result count_framing(void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct framing *f = arg;

	f->lengths += strcasecmp(key, "Content-Length") == 0;
	f->encodings += strcasecmp(key, "Transfer-Encoding") == 0;
	return MHD_YES;
}

static bool ambiguous(struct MHD_Connection *c)
{
	struct framing f = {0, 0};

	MHD_get_connection_values(c, MHD_HEADER_KIND, count_framing, &f);
	return f.lengths > 1 || f.encodings > 1 || (f.lengths && f.encodings);
}

enum host_kind { HOST_NAME, HOST_ADDRESS, HOST_LOOPBACK };

/* What a Host, or an Origin behind its scheme, calls the machine. */
static enum host_kind host_kind(const char *host)
{
	char name[64];
	size_t n = strcspn(host, "/");
	struct in_addr v4;
	struct in6_addr v6;
	char *end;

	if (n >= sizeof(name))
		return HOST_NAME;
	memcpy(name, host, n);
	name[n] = '\0';
	if (name[0] == '[') {
		end = strchr(name, ']');
		if (!end)
			return HOST_NAME;
		*end = '\0';
		if (inet_pton(AF_INET6, name + 1, &v6) != 1)
			return HOST_NAME;
		return IN6_IS_ADDR_LOOPBACK(&v6) ? HOST_LOOPBACK : HOST_ADDRESS;
	}
	end = strrchr(name, ':');
	if (end)
		*end = '\0';
	if (strcasecmp(name, "localhost") == 0)
		return HOST_LOOPBACK;
	if (inet_pton(AF_INET, name, &v4) != 1)
		return HOST_NAME;
	return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET ? HOST_LOOPBACK : HOST_ADDRESS;
}

/*
 * NULL, or the sentence that refuses. A Host that is a name may be any page's owner's, pointed here a moment ago; an address cannot. What
 * changes something comes from a page of this listener or of this machine, or from no page at all.
 */
static const char *foreign(struct MHD_Connection *c, const char *method)
{
	const char *host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host"),
			   *origin = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Origin");

	if (host && host_kind(host) == HOST_NAME)
		return "the request's Host is a name other than localhost, which any page's owner could point here: use this machine's address";
	if (!origin || strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
		return NULL;
	origin = strstr(origin, "://");
	if (origin && ((host && strcasecmp(origin + 3, host) == 0) || host_kind(origin + 3) == HOST_LOOPBACK))
		return NULL;
	return "requests from other origins are refused";
}

/* ---- requests ---- */

const char *http_query(const struct http_request *r, const char *name)
{
	const char *v = MHD_lookup_connection_value(r->mhd, MHD_GET_ARGUMENT_KIND, name);

	return v ? v : "";
}

const char *http_header(const struct http_request *r, const char *name)
{
	const char *v = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name);

	return v ? v : "";
}

struct wanted {
	const char *name, *value;
	bool given, has;
};

static enum MHD_Result look_at(void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct wanted *w = arg;

	if (strcmp(key, w->name) != 0)
		return MHD_YES;
	w->given = true;
	w->has = w->has || strcmp(value ? value : "", w->value) == 0;
	return MHD_YES;
}

bool http_query_given(const struct http_request *r, const char *name)
{
	struct wanted w = {.name = name, .value = ""};

	MHD_get_connection_values(r->mhd, MHD_GET_ARGUMENT_KIND, look_at, &w);
	return w.given;
}

bool http_query_has(const struct http_request *r, const char *name, const char *value)
{
	struct wanted w = {.name = name, .value = value};

	MHD_get_connection_values(r->mhd, MHD_GET_ARGUMENT_KIND, look_at, &w);
	return w.has;
}

struct gathered {
	const char *name;
	struct http_query_values got;
};

static enum MHD_Result gather(void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct gathered *g = arg;

	/* "?name" has no value */
	if (strcmp(key, g->name) == 0 && g->got.n < sizeof(g->got.values) / sizeof(g->got.values[0]))
		g->got.values[g->got.n++] = value ? value : "";
	return MHD_YES;
}

bool http_client_left(const struct http_request *r)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct pollfd p = {.fd = info ? info->connect_fd : -1, .events = POLLRDHUP};

	return poll(&p, 1, 0) > 0 && p.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

struct http_query_values http_query_all(const struct http_request *r, const char *name)
{
	struct gathered g = {.name = name};

	MHD_get_connection_values(r->mhd, MHD_GET_ARGUMENT_KIND, gather, &g);
	return g.got;
}

/* ---- what was sent, for http_segments: kept with the connection, as it comes before there is an exchange ---- */

static void *note_uri(void *arg, const char *uri, struct MHD_Connection *c)
{
	char **kept = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;

	if (kept) {
		mem_free(*kept);
		*kept = mem_strdup(uri);
	}
	return NULL;
}

static const char *noted_uri(struct MHD_Connection *c)
{
	char **kept = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;

	return kept ? *kept : NULL;
}

static void connected(void *arg, struct MHD_Connection *c, void **context, enum MHD_ConnectionNotificationCode code)
{
	char **kept = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = mem_zalloc(sizeof(char *));
	} else if (kept) {
		mem_free(*kept);
		mem_free(kept);
		*context = NULL;
	}
}

/* ---- answers ---- */

/* headers: "Name\0value\0" one after the other */
void http_header_add(struct http_response *out, const char *name, const char *fmt, ...)
{
	va_list ap;

	buf_puts(&out->headers, name);
	buf_putc(&out->headers, '\0');
	va_start(ap, fmt);
	buf_vprintf(&out->headers, fmt, ap);
	va_end(ap);
	buf_putc(&out->headers, '\0');
}

static void add_headers(struct MHD_Response *res, struct http_response *out)
{
	struct reader r = reader_of(buf_view(&out->headers));
	bool cache = false;

	while (buf_ok(&out->headers) && reader_left(&r)) {
		const char *name = (const char *)reader_cstr(&r).ptr, *value = (const char *)reader_cstr(&r).ptr;

		MHD_add_response_header(res, name, value);
		cache = cache || strcasecmp(name, "Cache-Control") == 0;
	}
	if (!cache)
		MHD_add_response_header(res, "Cache-Control", "no-store");
}

struct streaming {
	struct http_stream stream;
	struct buf pending;
	size_t sent;
};

static ssize_t stream_read(void *arg, uint64_t pos, char *to, size_t max)
{
	struct streaming *s = arg;
	size_t n;

	while (s->sent == s->pending.len) {
		buf_clear(&s->pending);
		s->sent = 0;
		if (!s->stream.next(s->stream.arg, &s->pending))
			return MHD_CONTENT_READER_END_OF_STREAM;
	}
	n = s->pending.len - s->sent < max ? s->pending.len - s->sent : max;
	memcpy(to, s->pending.ptr + s->sent, n);
	s->sent += n;
	return (ssize_t)n;
}

static void stream_end(void *arg)
{
	struct streaming *s = arg;

	s->stream.end(s->stream.arg);
	buf_release(&s->pending);
	mem_free(s);
}

/* A thread of its own has every connection, so that a stream's may wait. */
static struct MHD_Response *stream_response(const struct http_stream *stream)
{
	struct streaming *s = mem_zalloc(sizeof(*s));
	struct MHD_Response *res;

	s->stream = *stream;
	s->pending = BUF_INIT(SIZE_MAX);
	res = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, stream_read, s, stream_end);
	if (!res)
		stream_end(s);
	return res;
}

static enum MHD_Result answer(struct MHD_Connection *c, struct http_response *out)
{
	struct MHD_Response *res = out->stream.next ? stream_response(&out->stream)
		: MHD_create_response_from_buffer(out->body.len, out->body.ptr, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result rc;

	if (!res)
		return MHD_NO;
	if (out->body.len || out->content_type || out->stream.next)
		MHD_add_response_header(res, "Content-Type", out->content_type ? out->content_type : "application/json");
	MHD_add_response_header(res, "X-Content-Type-Options", "nosniff");
	add_headers(res, out);
	if (out->location)
		MHD_add_response_header(res, "Location", out->location);
	rc = MHD_queue_response(c, out->status, res);
	MHD_destroy_response(res);
	return rc;
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned status, const char *why)
{
	struct http_response out = {.status = status, .body = BUF_INIT(1024)};
	enum MHD_Result rc;

	/* no face has been asked yet: members of each family of errors */
	buf_printf(&out.body,
		"{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"detail\":\"%s\",\"error_code\":%u,\"message\":\"%s\"}",
		status == 413 ? "Content Too Large" : status == 400 ? "Bad Request" : "Forbidden", status, why, status, why);
	rc = answer(c, &out);
	buf_release(&out.body);
	return rc;
}

/* A target may be a whole URL (RFC 9112: a server takes it); then what is behind its authority counts, if that is the Host that was
 * judged. */
static const char *origin_form(const char *target, struct MHD_Connection *c)
{
	const char *host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host");
	size_t n = host ? strlen(host) : 0;

	if (!target || !n || strncasecmp(target, "http://", 7) != 0 || strncasecmp(target + 7, host, n) != 0)
		return target;
	return target[7 + n] == '/' ? target + 7 + n : target[7 + n] == '\0' ? "/" : target;
}

static enum MHD_Result access_cb(void *arg, struct MHD_Connection *c, const char *url, const char *method, const char *version,
	const char *data, size_t *data_len, void **state)
{
	struct http_server *s = arg;
	struct exchange *x = *state;
	struct http_request req = {.method = method, .path = origin_form(url, c), .raw = origin_form(noted_uri(c), c), .mhd = c};
	struct http_response out = {.status = 500, .headers = BUF_INIT(HEADERS_MAX), .body = BUF_INIT((size_t)1 << 28)};
	enum MHD_Result rc;
	const char *why;
	int64_t began_us;

	if (!x) {
		/* the body has not been read: what is refused here is refused by closing */
		if (ambiguous(c))
			return MHD_NO;
		x = *state = mem_zalloc(sizeof(*x));
		x->body = BUF_INIT(HTTP_BODY_MAX);
		return MHD_YES;
	}
	if (*data_len) {
		buf_put(&x->body, data, *data_len);
		x->too_large = x->too_large || !buf_ok(&x->body);
		*data_len = 0;
		return MHD_YES;
	}
	if (x->too_large)
		return refuse(c, 413, "the body is larger than 8 MiB");
	why = foreign(c, method);
	if (why)
		return refuse(c, 403, why);
	/* decoded, it would end the path early: another resource than the one that was named */
	if (req.raw && strstr(req.raw, "%00"))
		return refuse(c, 400, "the request's path or query holds a NUL");
	req.body = buf_view(&x->body);
	began_us = io_monotonic_us(io_system());
	s->handler(s->arg, &req, &out);
	if (s->seconds)
		metric_observe(s->seconds, (double)(io_monotonic_us(io_system()) - began_us) / 1e6);
	rc = answer(c, &out);
	buf_release(&out.headers);
	buf_release(&out.body);
	return rc;
}

static void completed(void *arg, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why)
{
	struct exchange *x = *state;

	if (!x)
		return;
	buf_release(&x->body);
	mem_free(x);
	*state = NULL;
}

/* ---- listening ---- */

static bool parse_address(const char *address, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	const char *colon = strrchr(address, ':');
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	char host[64], *end;
	unsigned long port;
	size_t n;

	memset(ret, 0, sizeof(*ret));
	if (!colon)
		return false;
	port = strtoul(colon + 1, &end, 10);
	if (*end || end == colon + 1 || port > 65535)
		return false;
	n = (size_t)(colon - address);
	if (n >= 2 && address[0] == '[' && address[n - 1] == ']') {
		address++;
		n -= 2;
	}
	if (n >= sizeof(host))
		return false;
	memcpy(host, address, n);
	host[n] = '\0';
	if (strcmp(host, "localhost") == 0)
		snprintf(host, sizeof(host), "127.0.0.1");
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		*ret_len = sizeof(*v4);
		return true;
	}
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
		return false;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	*ret_len = sizeof(*v6);
	return true;
}

static int open_socket(const char *address, unsigned *ret_port, struct err *err)
{
	struct sockaddr_storage addr;
	socklen_t len;
	int fd, on = 1;

	if (!parse_address(address, &addr, &len)) {
		err_set(err, ERR_INVALID, "listener address \"%s\" cannot be read", address);
		return err_hint(err, "Write it as 127.0.0.1:8083 or [::1]:8083.");
	}
	fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set_errno(err, errno, "could not make a socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&addr, len) || listen(fd, 128)) {
		int num = errno;

		close(fd);
		err_set_errno(err, num, "could not listen on %s", address);
		if (num == EADDRINUSE) {
			err->code = ERR_BUSY;
			err_hint(err, "Another program has the port. Stop it, or choose another address for this listener.");
		}
		return -1;
	}
	len = sizeof(addr);
	getsockname(fd, (struct sockaddr *)&addr, &len);
	*ret_port = ntohs(addr.ss_family == AF_INET ? ((struct sockaddr_in *)&addr)->sin_port : ((struct sockaddr_in6 *)&addr)->sin6_port);
	return fd;
}

int http_server_start(
	const char *address, http_handler handler, void *arg, struct metric *seconds, struct http_server **ret, struct err *err)
{
	struct http_server *s = mem_zalloc(sizeof(*s));
	int fd = open_socket(address, &s->port, err);

	if (fd < 0) {
		mem_free(s);
		return -1;
	}
	s->handler = handler;
	s->arg = arg;
	s->seconds = seconds;
	s->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL | MHD_USE_ITC, 0, NULL,
		NULL, access_cb, s, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)MEMORY_PER_CONNECTION, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, note_uri, NULL,
		MHD_OPTION_NOTIFY_CONNECTION, connected, NULL, MHD_OPTION_END);
	if (!s->daemon) {
		close(fd);
		mem_free(s);
		return err_set(err, ERR_INTERNAL, "could not start the HTTP server on %s", address);
	}
	*ret = s;
	return 0;
}

void http_server_stop(struct http_server *s)
{
	if (!s)
		return;
	MHD_stop_daemon(s->daemon);
	mem_free(s);
}

unsigned http_server_port(const struct http_server *s)
{
	return s->port;
}

bool http_match(const char *path, const char *pattern, struct view args[4])
{
	unsigned n = 0;

	while (*pattern) {
		if (pattern[0] == '{' && pattern[1] == '}') {
			size_t len = strcspn(path, "/");

			if (len == 0 || n == 4)
				return false;
			args[n++] = view_of(path, len);
			path += len;
			pattern += 2;
			continue;
		}
		if (*path++ != *pattern++)
			return false;
	}
	return *path == '\0' || strcmp(path, "/") == 0;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* What cannot be decoded stays as it is. */
static size_t decode(const char *from, size_t n, uint8_t *to)
{
	size_t i, out = 0;

	for (i = 0; i < n; i++) {
		int high = from[i] == '%' && i + 2 < n ? hex_digit(from[i + 1]) : -1, low = high >= 0 ? hex_digit(from[i + 2]) : -1;

		if (low >= 0) {
			to[out++] = (uint8_t)(high << 4 | low);
			i += 2;
		} else {
			to[out++] = (uint8_t)from[i];
		}
	}
	return out;
}

/* The part of raw that path stands for. */
static struct view raw_path(const struct http_request *r, struct arena *a)
{
	size_t n = r->raw ? strcspn(r->raw, "?#") : 0, decoded, path = strlen(r->path);
	uint8_t *text;

	if (!n)
		return VIEW_NULL;
	text = arena_alloc(a, n + 1);
	decoded = decode(r->raw, n, text);
	if (decoded < path || memcmp(text + decoded - path, r->path, path) != 0 || decoded - path > n)
		return VIEW_NULL;
	return view_of(r->raw + (decoded - path), n - (decoded - path));
}

unsigned http_segments(const struct http_request *r, struct arena *a, struct view *segments, unsigned most)
{
	struct view raw = raw_path(r, a);
	bool encoded = raw.ptr != NULL;
	const char *at = encoded ? (const char *)raw.ptr : r->path, *end = at + (encoded ? raw.len : strlen(r->path));
	unsigned n = 0;

	while (at < end) {
		const char *slash = memchr(at + 1, '/', (size_t)(end - at - 1)), *to = slash ? slash : end;
		uint8_t *text = arena_alloc(a, (size_t)(to - at) + 1);
		size_t len = (size_t)(to - at - 1);

		if (len == 0 && to == end)
			break;
		if (n == most)
			return most + 1;
		if (encoded)
			len = decode(at + 1, len, text);
		else
			memcpy(text, at + 1, len);
		segments[n++] = view_of(text, len);
		at = to;
	}
	return n;
}

void http_put_segment(struct buf *b, struct view segment)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/!$&'()*+,;=:@";
	size_t i;

	for (i = 0; i < segment.len; i++)
		if (segment.ptr[i] && strchr(plain, segment.ptr[i]))
			buf_putc(b, (char)segment.ptr[i]);
		else
			buf_printf(b, "%%%02X", segment.ptr[i]);
}
