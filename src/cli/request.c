/*
 * Asking the running instance over HTTP: one request a connection, loopback or wherever the listener's setting points. Answers are read to
 * the connection's end; only what our own server sends has to be understood.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/cli.h"

static int dial(const struct setting_address *a, struct err *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list, *i;
	char port[8];
	int fd = -1, num = 0, rc;

	snprintf(port, sizeof(port), "%u", a->port);
	rc = getaddrinfo(a->host, port, &hints, &list);
	if (rc)
		return err_set(err, ERR_CONNECTION, "could not find \"%s\": %s", a->host, gai_strerror(rc));
	for (i = list; i && fd < 0; i = i->ai_next) {
		fd = socket(i->ai_family, i->ai_socktype | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect(fd, i->ai_addr, i->ai_addrlen)) {
			num = errno;
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	if (fd < 0) {
		err_set_errno(err, num, "no walmill answers on %s:%u", a->host, a->port);
		err->code = ERR_CONNECTION;
		err_hint(err, "Start it with walmill up, or name its listener with --set.");
	}
	return fd;
}

static int send_all(int fd, struct view v, struct err *err)
{
	while (v.len) {
		ssize_t n = send(fd, v.ptr, v.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, errno, "could not send the request");
		v.ptr += n;
		v.len -= (size_t)n;
	}
	return 0;
}

static int receive_all(int fd, struct buf *into, struct err *err)
{
	for (;;) {
		uint8_t *to = buf_reserve(into, 65536);
		ssize_t n;

		if (!to)
			return err_set(err, ERR_LIMIT, "the answer is too large");
		n = recv(fd, to, 65536, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, errno, "could not read the answer");
		if (n == 0)
			return 0;
		into->len += (size_t)n;
	}
}

int cli_request(const struct cli *c, enum walmill_setting listener, const char *method, const char *path, struct view body,
	unsigned *ret_status, struct buf *answer, struct err *err)
{
	struct buf b = BUF_INIT(64 << 20), raw = BUF_INIT((size_t)1 << 30);
	const struct setting_address *list;
	const char *text, *end;
	size_t n;
	int fd, rc = -1;

	list = settings_addresses(c->settings, listener, &n);
	if (n == 0)
		return err_set(
			err, ERR_INVALID, "setting %s is empty, so that the running walmill cannot be asked", walmill_settings[listener].name);
	fd = dial(&list[0], err);
	if (fd < 0)
		return -1;
	buf_printf(&b, "%s %s HTTP/1.1\r\nHost: %s:%u\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
		method, path, strchr(list[0].host, ':') ? "localhost" : list[0].host, list[0].port, body.len);
	buf_putv(&b, body);
	if (send_all(fd, buf_view(&b), err) || receive_all(fd, &raw, err))
		goto out;
	text = buf_cstr(&raw);
	end = strstr(text, "\r\n\r\n");
	if (strncmp(text, "HTTP/1.1 ", 9) != 0 || !end) {
		err_set(err, ERR_PROTOCOL, "what listens on %s:%u does not answer like walmill", list[0].host, list[0].port);
		goto out;
	}
	*ret_status = (unsigned)strtoul(text + 9, NULL, 10);
	end += 4;
	buf_put(answer, end, raw.len - (size_t)(end - text));
	rc = 0;
out:
	close(fd);
	buf_release(&b);
	buf_release(&raw);
	return rc;
}

void cli_put_escaped(struct buf *b, const char *text)
{
	for (; *text; text++)
		if ((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') || (*text >= '0' && *text <= '9') || strchr("-._~", *text))
			buf_putc(b, *text);
		else
			buf_printf(b, "%%%02X", (unsigned char)*text);
}
