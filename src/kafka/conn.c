/*
 * Connections: frames in, answers out in the order of the requests. The thread `kafka`.
 *
 * A frame is an i32 size and so many bytes. Its size is charged against kafka.memory as a whole before more than 64 KiB of it are read, so
 * that an admitted frame can always be completed; the buffer grows with what has really come. Requests start in order, see may_start().
 */
#include "kafka/kafka_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"

enum {
	FREE_BYTES = 64 << 10,       /* of a frame, admitted without asking; also what is read at once at least */
	READ_MAX = 1 << 20,
	FRAME_MIN = 8,               /* key, version, correlation */
	PIPELINE_MAX = 64,           /* requests of a connection that are under way */
	IOVS = 64,                   /* of one sendmsg */
	STUCK_US = 30000000,         /* a frame that does not go on coming, an answer that is not taken */
};

/* ---- memory ---- */

void kafka_charge(struct kafka *k, size_t bytes)
{
	k->memory += bytes;
	atomic_store_explicit(&k->stats_memory, k->memory + k->group_bytes, memory_order_relaxed);
}

void kafka_discharge(struct kafka *k, size_t bytes)
{
	wm_assert(bytes <= k->memory);
	k->memory -= bytes;
	atomic_store_explicit(&k->stats_memory, k->memory + k->group_bytes, memory_order_relaxed);
}

static void admitted(struct conn *c, size_t size)
{
	c->admitted = size;
	kafka_charge(c->k, size);
}

static bool fits(const struct kafka *k, size_t size)
{
	return k->memory == 0 || k->memory + size <= k->o.memory_bytes;
}

/* In order: while one waits for memory, the next large one waits behind it. */
static bool admit(struct conn *c, size_t size)
{
	struct kafka *k = c->k;

	if (size <= FREE_BYTES || (!k->starved && fits(k, size))) {
		admitted(c, size);
		return true;
	}
	c->starved = true;
	c->wanted = size;
	c->next_starved = NULL;
	*k->starved_end = c;
	k->starved_end = &c->next_starved;
	return false;
}

static void feed_starved(struct kafka *k)
{
	while (k->starved && fits(k, k->starved->wanted)) {
		struct conn *c = k->starved;

		k->starved = c->next_starved;
		if (!k->starved)
			k->starved_end = &k->starved;
		c->starved = false;
		admitted(c, c->wanted);
		conn_touch(c);
	}
}

/* ---- life ---- */

static void address_text(const struct sockaddr_storage *sa, char *to, size_t room, int32_t *port)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sa;

	to[0] = '\0';
	if (sa->ss_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, to, (socklen_t)room);
	else if (sa->ss_family == AF_INET6)
		inet_ntop(AF_INET6, &v6->sin6_addr, to, (socklen_t)room);
	*port = ntohs(sa->ss_family == AF_INET ? v4->sin_port : v6->sin6_port);
}

static void conn_names(struct conn *c)
{
	struct kafka *k = c->k;
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof(sa);
	int32_t ignored;

	if (getsockname(c->fd, (struct sockaddr *)&sa, &len) == 0)
		address_text(&sa, c->host, sizeof(c->host), &c->port);
	len = sizeof(sa);
	if (getpeername(c->fd, (struct sockaddr *)&sa, &len) == 0)
		address_text(&sa, c->peer, sizeof(c->peer), &ignored);
	if (k->advertised[0]) {
		snprintf(c->host, sizeof(c->host), "%s", k->advertised);
		c->port = k->o.advertised.port ? k->o.advertised.port : c->port;
	}
}

void conn_accept(struct kafka *k, int listener_fd)
{
	struct epoll_event ev = {.events = EPOLLIN};
	struct conn *c;
	int fd, on = 1;

	fd = accept4(listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	if (k->n_conns >= k->o.connections) {
		atomic_fetch_add_explicit(&k->stats_refused, 1, memory_order_relaxed);
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c = mem_zalloc(sizeof(*c));
	c->k = k;
	c->fd = fd;
	c->rx = BUF_INIT(k->o.request_bytes + READ_MAX + 4);
	c->last = &c->first;
	c->active_us = k->now_us;
	c->events = EPOLLIN;
	conn_names(c);
	ev.data.ptr = c;
	if (epoll_ctl(k->epoll, EPOLL_CTL_ADD, fd, &ev)) {
		close(fd);
		mem_free(c);
		return;
	}
	c->next = k->conns;
	c->prev = &k->conns;
	if (k->conns)
		k->conns->prev = &c->next;
	k->conns = c;
	k->n_conns++;
	atomic_fetch_add_explicit(&k->stats_accepted, 1, memory_order_relaxed);
}

static void leave_starved(struct conn *c)
{
	struct conn **at = &c->k->starved;

	if (!c->starved)
		return;
	while (*at != c)
		at = &(*at)->next_starved;
	*at = c->next_starved;
	if (c->k->starved_end == &c->next_starved)
		c->k->starved_end = at;
	c->starved = false;
}

/* Requests under way go on without it; the struct is freed at the end of the round, since events of this round may name it. */
void conn_close(struct conn *c)
{
	struct kafka *k = c->k;
	struct request *rq, *next;

	if (c->dead)
		return;
	c->dead = true;
	close(c->fd);
	leave_starved(c);
	kafka_discharge(k, c->admitted);
	c->admitted = 0;
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	k->n_conns--;
	for (rq = c->first; rq; rq = next) {
		next = rq->next;
		rq->conn = NULL;
		if (rq->step == REQUEST_ANSWERED)
			request_free(rq);
		else if (rq->cancel)
			rq->cancel(rq);
	}
	c->first = NULL;
	buf_release(&c->rx);
	c->next = k->dead;
	k->dead = c;
}

void conn_touch(struct conn *c)
{
	if (c->dirty || c->dead)
		return;
	c->dirty = true;
	c->next_dirty = c->k->dirty;
	c->k->dirty = c;
}

/* ---- out ---- */

static size_t answer_len(const struct request *rq)
{
	return rq->answer.len + rq->pieces.bytes;
}

struct parts {
	struct iovec v[IOVS];
	unsigned n;
	size_t skip;                 /* bytes in front that are sent already */
};

/* False when there is no room for more. */
static bool add_part(struct parts *to, struct view part)
{
	size_t skip = to->skip < part.len ? to->skip : part.len;

	to->skip -= skip;
	if (part.len > skip) {
		if (to->n == IOVS)
			return false;
		to->v[to->n++] = (struct iovec){(void *)(uintptr_t)(part.ptr + skip), part.len - skip};
	}
	return true;
}

static bool add_answer(struct parts *to, const struct request *rq)
{
	size_t at = 0;
	uint32_t i;

	for (i = 0; i < rq->pieces.n; i++) {
		const struct wire_piece *p = &rq->pieces.list[i];

		if (!add_part(to, view_of(rq->answer.ptr + at, p->at - at)) || !add_part(to, p->bytes))
			return false;
		at = p->at;
	}
	return add_part(to, view_of(rq->answer.ptr + at, rq->answer.len - at));
}

static void conn_send(struct conn *c)
{
	struct kafka *k = c->k;

	while (c->first && c->first->step == REQUEST_ANSWERED) {
		struct parts parts;
		struct msghdr m = {.msg_iov = parts.v};
		struct request *rq = c->first;
		ssize_t n;

		parts.n = 0;
		parts.skip = c->sent;
		while (rq && rq->step == REQUEST_ANSWERED && add_answer(&parts, rq))
			rq = rq->next;
		m.msg_iovlen = parts.n;
		n = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			conn_close(c);
			return;
		}
		c->active_us = k->now_us;
		atomic_fetch_add_explicit(&k->stats_out, (uint64_t)n, memory_order_relaxed);
		c->sent += (size_t)n;
		while ((rq = c->first) && rq->step == REQUEST_ANSWERED && c->sent >= answer_len(rq)) {
			c->sent -= answer_len(rq);
			c->first = rq->next;
			if (!c->first)
				c->last = &c->first;
			c->n_requests--;
			request_free(rq);
		}
	}
}

/* ---- in ---- */

/* Whether the request at the head of rx may begin. Kafka's own broker serves one request of a connection at a time; here Produces follow
 * each other as soon as the one before has been given to the log, so that they share its sync. */
static bool may_start(const struct conn *c, int16_t key)
{
	const struct request *rq;

	if (!c->first)
		return true;
	if (key != KAFKA_PRODUCE || c->n_requests >= PIPELINE_MAX)
		return false;
	for (rq = c->first; rq; rq = rq->next)
		if (!rq->passed)
			return false;
	return true;
}

static struct request *take_frame(struct conn *c, size_t size)
{
	struct request *rq = mem_zalloc(sizeof(*rq));

	rq->k = c->k;
	rq->conn = c;
	rq->arena = ARENA_INIT;
	rq->answer = BUF_INIT((size_t)1 << 30);
	rq->charged = c->admitted;
	c->admitted = 0;
	memcpy(rq->host, c->host, sizeof(rq->host));
	memcpy(rq->peer, c->peer, sizeof(rq->peer));
	rq->port = c->port;
	if (c->rx_at == 0 && c->rx.len == size && size > FREE_BYTES / 4) {
		rq->frame = c->rx;
		c->rx = BUF_INIT(rq->frame.max);
	} else {
		rq->frame = BUF_INIT(size);
		buf_put(&rq->frame, c->rx.ptr + c->rx_at, size);
		c->rx_at += size;
	}
	*c->last = rq;
	c->last = &rq->next;
	c->n_requests++;
	return rq;
}

static void compact(struct conn *c)
{
	if (c->rx_at == c->rx.len) {
		if (c->rx.cap > FREE_BYTES * 2)
			buf_release(&c->rx);
		buf_clear(&c->rx);
		c->rx_at = 0;
	} else if (c->rx_at > FREE_BYTES) {
		memmove(c->rx.ptr, c->rx.ptr + c->rx_at, c->rx.len - c->rx_at);
		c->rx.len -= c->rx_at;
		c->rx_at = 0;
	}
}

/* Starts what is there and may start. Returns whether more bytes are wanted. */
static bool conn_requests(struct conn *c)
{
	struct kafka *k = c->k;

	for (;;) {
		size_t have = c->rx.len - c->rx_at, size;
		const uint8_t *p = c->rx.ptr + c->rx_at;
		struct request *rq;
		uint32_t len;

		if (have < 4)
			return true;
		len = get_be32(p);
		if (len < FRAME_MIN || len > k->o.request_bytes) {
			atomic_fetch_add_explicit(&k->stats_bad, 1, memory_order_relaxed);
			conn_close(c);
			return false;
		}
		size = 4 + (size_t)len;
		if (!c->admitted && (c->starved || !admit(c, size)))
			return false;
		if (have < size)
			return true;
		if (!may_start(c, (int16_t)get_be16(p + 4)))
			return false;
		rq = take_frame(c, size);
		atomic_fetch_add_explicit(&k->stats_requests, 1, memory_order_relaxed);
		if (!request_start(c, rq)) {
			atomic_fetch_add_explicit(&k->stats_bad, 1, memory_order_relaxed);
			rq->step = REQUEST_ANSWERED; /* nobody has it: it goes with the connection */
			conn_close(c);
			return false;
		}
		if (c->dead)
			return false;
	}
}

static void conn_receive(struct conn *c)
{
	size_t have, room = FREE_BYTES;
	uint8_t *to;
	ssize_t n;

	compact(c);
	have = c->rx.len - c->rx_at;
	if (c->admitted > have + room)
		room = c->admitted - have < READ_MAX ? c->admitted - have : READ_MAX;
	to = buf_reserve(&c->rx, room);
	if (!to) {
		conn_close(c);
		return;
	}
	n = recv(c->fd, to, room, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_close(c);
		return;
	}
	c->rx.len += (size_t)n;
	c->active_us = c->k->now_us;
	atomic_fetch_add_explicit(&c->k->stats_in, (uint64_t)n, memory_order_relaxed);
}

void conn_event(struct conn *c, uint32_t events)
{
	if (c->dead)
		return;
	if (events & EPOLLIN)
		conn_receive(c);
	else if (events & (EPOLLHUP | EPOLLERR))
		conn_close(c);
	conn_touch(c);
}

/* ---- rounds ---- */

static void conn_round(struct conn *c)
{
	struct epoll_event ev = {.data.ptr = c};
	bool more;

	conn_send(c);
	if (c->dead)
		return;
	more = conn_requests(c);
	if (c->dead)
		return;
	/* what was answered at once */
	conn_send(c);
	if (c->dead)
		return;
	if (!c->first && !more && !c->starved)
		conn_touch(c); /* all was sent meanwhile, and a frame is there */
	ev.events = (more ? EPOLLIN : 0) | (c->first && c->first->step == REQUEST_ANSWERED ? EPOLLOUT : 0);
	if (ev.events != c->events) {
		c->events = ev.events;
		if (epoll_ctl(c->k->epoll, EPOLL_CTL_MOD, c->fd, &ev))
			conn_close(c);
	}
}

void conns_round(struct kafka *k)
{
	struct conn *c, *next;

	do {
		feed_starved(k);
		c = k->dirty;
		k->dirty = NULL;
		for (; c; c = next) {
			next = c->next_dirty;
			c->dirty = false;
			if (!c->dead)
				conn_round(c);
		}
	} while (k->dirty);
	for (c = k->dead; c; c = next) {
		next = c->next;
		mem_free(c);
	}
	k->dead = NULL;
}

/* A socket holds megabytes: over a slow line it takes minutes until there is room for another byte of ours. */
static void look_at_socket(struct conn *c)
{
	int n;

	if (ioctl(c->fd, SIOCOUTQ, &n) == 0 && n != c->unacked) {
		c->unacked = n;
		c->active_us = c->k->now_us;
	}
}

void conns_sweep(struct kafka *k)
{
	struct conn *c, *next;

	for (c = k->conns; c; c = next) {
		bool unsent = c->first && c->first->step == REQUEST_ANSWERED, partial = !c->first && c->rx.len > c->rx_at && !c->starved;
		int64_t quiet;

		next = c->next;
		if (unsent)
			look_at_socket(c);
		quiet = k->now_us - c->active_us;
		if ((quiet > STUCK_US && (unsent || partial)) || (quiet > k->o.idle_us && !c->first))
			conn_close(c);
	}
}
