/*
 * The broker: start, listeners, the event loop, stop. See kafka.h and README.md.
 */
#include "kafka/kafka_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "kafka/groups.h"
#include "kafka/names.h"
#include "kafka/producers.h"
#include "kafka/worker.h"

enum { EVENTS = 64, SWEEP_US = 1000000, GROUPS_SWEEP_US = 60000000, BACKLOG = 256 };

struct kafka_options kafka_options_default(void)
{
	return (struct kafka_options){.auto_create = true, .partitions = 1, .request_bytes = 32 << 20, .memory_bytes = 256 << 20,
		.connections = 1024, .idle_us = 600000000, .rebalance_delay_us = 500000};
}

/* ---- listeners ---- */

static bool parse_address(const struct kafka_address *a, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	const char *host = strcmp(a->host, "localhost") == 0 ? "127.0.0.1" : a->host;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(a->port);
		*ret_len = sizeof(*v4);
		return true;
	}
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
		return false;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(a->port);
	*ret_len = sizeof(*v6);
	return true;
}

static int listen_on(struct kafka *k, const struct kafka_address *a, struct err *err)
{
	struct epoll_event ev = {.events = EPOLLIN};
	struct sockaddr_storage addr;
	socklen_t len;
	int fd, on = 1;

	if (k->n_listeners == KAFKA_LISTENERS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d Kafka listeners", KAFKA_LISTENERS_MAX);
	if (!parse_address(a, &addr, &len))
		return err_set(err, ERR_INVALID, "Kafka listener address \"%s\" is not an IP address", a->host);
	fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set_errno(err, errno, "could not make a socket");
	k->listeners[k->n_listeners++].fd = fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&addr, len) || listen(fd, BACKLOG)) {
		int num = errno;

		err_set_errno(err, num, "could not listen on %s:%u", a->host, a->port);
		if (num == EADDRINUSE) {
			err->code = ERR_BUSY;
			err_hint(err, "Another program has the port. Stop it, or choose another address for kafka.listen.");
		}
		return -1;
	}
	len = sizeof(addr);
	getsockname(fd, (struct sockaddr *)&addr, &len);
	k->listeners[k->n_listeners - 1].port =
		ntohs(addr.ss_family == AF_INET ? ((struct sockaddr_in *)&addr)->sin_port : ((struct sockaddr_in6 *)&addr)->sin6_port);
	ev.data.ptr = &k->listeners[k->n_listeners - 1];
	return epoll_ctl(k->epoll, EPOLL_CTL_ADD, fd, &ev) ? err_set_errno(err, errno, "could not wait for connections") : 0;
}

/* ---- the loop ---- */

static void sweep(struct kafka *k, struct timer *t)
{
	conns_sweep(k);
	spares_sweep(&k->spares);
	produce_retry(k); /* those whose time is over */
	if (k->now_us - k->swept_us > GROUPS_SWEEP_US) {
		k->swept_us = k->now_us;
		groups_sweep(k);
		producers_save(k, false);
	}
	timer_set(&k->timers, t, k->now_us + SWEEP_US);
}

static void run_timers(struct kafka *k)
{
	struct timer *t;

	while ((t = timer_next(&k->timers)) && t->due_us <= k->now_us) {
		timer_clear(&k->timers, t);
		t->fn(k, t);
	}
}

static bool is_listener(const struct kafka *k, const void *ptr)
{
	return (const char *)ptr >= (const char *)k->listeners && (const char *)ptr < (const char *)(k->listeners + KAFKA_LISTENERS_MAX);
}

static void run_events(struct kafka *k, const struct epoll_event *events, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		void *ptr = events[i].data.ptr;
		uint64_t count;

		if (!ptr)
			(void)!read(k->event, &count, sizeof(count));
		else if (is_listener(k, ptr))
			conn_accept(k, *(int *)ptr);
		else
			conn_event(ptr, events[i].events);
	}
}

/* Until the next timer; 0 when there is something to do already. */
static int sleep_ms(struct kafka *k)
{
	struct timer *t = timer_next(&k->timers);
	int64_t us = t ? t->due_us - io_monotonic_us(k->io) : 1000000;

	if (!wake_arm(log_wake(k->log), k->log_seen, k->event) || us <= 0)
		return 0;
	return (int)((us + 999) / 1000);
}

static void loop_main(void *arg)
{
	struct kafka *k = arg;
	struct epoll_event events[EVENTS];

	while (!atomic_load(&k->stop)) {
		uint64_t seen = wake_seen(log_wake(k->log));
		int n;

		k->now_us = io_monotonic_us(k->io);
		posted_run(k);
		if (seen != k->log_seen) {
			k->log_seen = seen;
			produce_retry(k);
			fetch_retry(k);
		}
		run_timers(k);
		conns_round(k);
		n = epoll_wait(k->epoll, events, EVENTS, sleep_ms(k));
		k->now_us = io_monotonic_us(k->io);
		run_events(k, events, n > 0 ? n : 0);
		conns_round(k);
	}
}

/* ---- start and stop ---- */

/* The id that Metadata gives: 22 characters of base64url, in the file DIR/cluster_id. */
static int load_cluster_id(struct kafka *k, struct err *err)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	struct buf path = BUF_INIT(8192), b = BUF_INIT(256);
	struct err why = ERR_INIT;
	uint8_t raw[KAFKA_CLUSTER_ID];
	unsigned i;
	int rc = 0;

	buf_printf(&path, "%s/cluster_id", k->dir);
	if (io_read_file(k->io, buf_cstr(&path), &b, &why) == 0 && b.len == KAFKA_CLUSTER_ID) {
		memcpy(k->cluster, b.ptr, b.len);
	} else {
		io_random(k->io, raw, sizeof(raw));
		for (i = 0; i < KAFKA_CLUSTER_ID; i++)
			k->cluster[i] = digits[raw[i] & 63];
		rc = io_replace(k->io, buf_cstr(&path), view_str(k->cluster), err);
	}
	buf_release(&path);
	buf_release(&b);
	return rc;
}

static int open_sockets(struct kafka *k, struct err *err)
{
	struct epoll_event ev = {.events = EPOLLIN};
	unsigned i;

	k->epoll = epoll_create1(EPOLL_CLOEXEC);
	k->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (k->epoll < 0 || k->event < 0 || epoll_ctl(k->epoll, EPOLL_CTL_ADD, k->event, &ev))
		return err_set_errno(err, errno, "could not make an event loop");
	for (i = 0; i < k->o.n_listen; i++)
		if (listen_on(k, &k->o.listen[i], err))
			return -1;
	return 0;
}

static void kafka_free(struct kafka *k)
{
	unsigned i;

	for (i = 0; i < k->n_listeners; i++)
		close(k->listeners[i].fd);
	if (k->event >= 0)
		close(k->event);
	if (k->epoll >= 0)
		close(k->epoll);
	names_forget(k);
	groups_free(k);
	producers_free(k->producers);
	buf_release(&k->scratch);
	spares_release(&k->spares);
	mem_free(k->timers.heap);
	wake_release(&k->work_wake);
	lock_release(&k->lock);
	mem_free(k);
}

int kafka_start(const struct kafka_options *o, struct kafka **ret, struct err *err)
{
	struct kafka *k;

	if (o->request_bytes > o->memory_bytes / 2) {
		err_set(err, ERR_INVALID, "the largest Kafka request, %zu bytes, is more than half of the memory for them all, %zu",
			o->request_bytes, o->memory_bytes);
		return err_hint(err, "Raise kafka.memory, or lower kafka.request_bytes.");
	}
	k = mem_zalloc(sizeof(*k));
	kafka_apis_init();
	k->o = *o;
	k->io = o->io;
	k->log = o->log;
	k->epoll = k->event = -1;
	k->posted_end = &k->posted;
	k->work_end = &k->work;
	k->starved_end = &k->starved;
	k->sweep.fn = sweep;
	k->scratch = BUF_INIT(0);
	lock_init(&k->lock);
	wake_init(&k->work_wake);
	snprintf(k->dir, sizeof(k->dir), "%s", o->dir);
	if (o->advertised.host)
		snprintf(k->advertised, sizeof(k->advertised), "%s", o->advertised.host);
	k->o.dir = k->dir;
	k->o.advertised.host = k->advertised;
	k->now_us = io_monotonic_us(k->io);
	k->log_seen = wake_seen(log_wake(k->log));
	if (io_make_dir(k->io, k->dir, err) || load_cluster_id(k, err) || group_store_open(k, err) || producers_load(k, err) ||
		open_sockets(k, err)) {
		kafka_free(k);
		return -1;
	}
	timer_set(&k->timers, &k->sweep, k->now_us + SWEEP_US);
	thread_start(&k->admin, "kafka-admin", worker_main, k);
	thread_start(&k->loop, "kafka", loop_main, k);
	*ret = k;
	return 0;
}

/* The loop has ended: its work is done here, on the stopping thread. */
static void drain(struct kafka *k)
{
	struct conn *c, *next;
	uint64_t seen;

	for (c = k->conns; c; c = next) {
		next = c->next;
		conn_close(c);
	}
	produce_retry(k);
	fetch_retry(k);
	for (;;) {
		seen = wake_seen(log_wake(k->log));
		posted_run(k);
		produce_retry(k);
		if (!k->in_flight && !k->working && !k->stalled)
			break;
		wake_wait(log_wake(k->log), seen, 10000);
	}
	conns_round(k);
	worker_stop(k);
	posted_run(k);
	producers_save(k, true);
}

void kafka_stop(struct kafka *k)
{
	uint64_t one = 1;

	if (!k)
		return;
	atomic_store(&k->stop, true);
	(void)!write(k->event, &one, sizeof(one));
	thread_join(&k->loop);
	wake_arm(log_wake(k->log), 0, -1);
	drain(k);
	kafka_free(k);
}

unsigned kafka_port(const struct kafka *k, unsigned listener)
{
	return listener < k->n_listeners ? k->listeners[listener].port : 0;
}

const char *kafka_cluster_id(const struct kafka *k)
{
	return k->cluster;
}

void kafka_stats(struct kafka *k, struct kafka_stats *ret)
{
	*ret = (struct kafka_stats){.connections = k->stats_accepted, .refused_connections = k->stats_refused, .requests = k->stats_requests,
		.bad_requests = k->stats_bad, .bytes_in = k->stats_in, .bytes_out = k->stats_out, .produced_batches = k->stats_batches,
		.fetched_bytes = k->stats_fetched, .groups = k->stats_groups, .memory_bytes = k->stats_memory};
}
