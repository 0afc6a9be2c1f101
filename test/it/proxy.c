/* See proxy.h. Messages are not taken apart: a COMMIT and the mark are told by their texts, which nothing else in these tests contains. */
#include "proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/thread.h"

enum { PAIRS = 32, CHUNK = 65536 };

struct pair {
	int client, server;         /* -1 = free */
	bool marked;                /* the mark went by; the COMMIT after it is the one */
	bool committing;            /* LOSE_ANSWER: the COMMIT is on its way, nothing goes back any more */
};

struct proxy {
	int listener, stop_fd, port, server_port;
	_Atomic int how;
	const char *mark;           /* written before how, read after it */
	_Atomic unsigned cuts;
	struct thread thread;
	struct pair pairs[PAIRS];
	uint8_t chunk[CHUNK];
};

static struct sockaddr_in local(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void drop(struct pair *p)
{
	close(p->client);
	close(p->server);
	*p = (struct pair){-1, -1, false, false};
}

static void take_in(struct proxy *p)
{
	struct sockaddr_in to = local(p->server_port);
	int client = accept(p->listener, NULL, NULL), server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), i;

	for (i = 0; i < PAIRS && p->pairs[i].client >= 0; i++)
		;
	wm_assert(client >= 0 && server >= 0 && i < PAIRS);
	wm_assert(connect(server, (struct sockaddr *)&to, sizeof(to)) == 0);
	p->pairs[i] = (struct pair){client, server, false, false};
}

/* Blocking: the peers of these tests read what they are sent. */
static bool send_all(int fd, const uint8_t *bytes, size_t n)
{
	while (n) {
		ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		bytes += sent;
		n -= (size_t)sent;
	}
	return true;
}

static const uint8_t *find_commit(const uint8_t *bytes, size_t n)
{
	return memmem(bytes, n, "COMMIT", 7); /* with the end of the string */
}

/* The COMMIT of a transaction that carries the mark: a job also writes its position alone, whenever the source has moved on. */
static const uint8_t *find_marked_commit(struct proxy *p, struct pair *pair, const uint8_t *bytes, size_t n)
{
	const uint8_t *at = pair->marked ? bytes : memmem(bytes, n, p->mark, strlen(p->mark));

	pair->marked = at != NULL;
	return at ? find_commit(at, n - (size_t)(at - bytes)) : NULL;
}

/* False when the pair is to be dropped. */
static bool from_client(struct proxy *p, struct pair *pair)
{
	ssize_t n = recv(pair->client, p->chunk, CHUNK, 0);
	int how = atomic_load(&p->how);
	const uint8_t *commit;

	if (n <= 0)
		return false;
	commit = how == PROXY_PASS ? NULL : find_marked_commit(p, pair, p->chunk, (size_t)n);
	if (commit && how == PROXY_LOSE_COMMIT) {
		atomic_store(&p->how, PROXY_PASS);
		/* the message's first bytes may go with it: the server waits for the rest until the connection ends */
		(void)send_all(pair->server, p->chunk, (size_t)(commit - p->chunk));
		atomic_fetch_add(&p->cuts, 1);
		return false;
	}
	if (commit) {
		atomic_store(&p->how, PROXY_PASS);
		pair->marked = false;
		pair->committing = true;
	}
	return send_all(pair->server, p->chunk, (size_t)n);
}

static bool from_server(struct proxy *p, struct pair *pair)
{
	ssize_t n = recv(pair->server, p->chunk, CHUNK, 0);

	if (n <= 0)
		return false;
	if (!pair->committing)
		return send_all(pair->client, p->chunk, (size_t)n);
	/* what the server says of the statements before goes with the answer */
	if (!find_commit(p->chunk, (size_t)n))
		return true;
	atomic_fetch_add(&p->cuts, 1);
	return false;
}

static void run(void *arg)
{
	struct proxy *p = arg;
	struct pollfd fds[2 + 2 * PAIRS];
	int i;

	for (;;) {
		fds[0] = (struct pollfd){p->stop_fd, POLLIN, 0};
		fds[1] = (struct pollfd){p->listener, POLLIN, 0};
		for (i = 0; i < PAIRS; i++) {
			fds[2 + 2 * i] = (struct pollfd){p->pairs[i].client, POLLIN, 0};
			fds[3 + 2 * i] = (struct pollfd){p->pairs[i].server, POLLIN, 0};
		}
		if (poll(fds, 2 + 2 * PAIRS, -1) < 0)
			continue;
		if (fds[0].revents)
			return;
		for (i = 0; i < PAIRS; i++) {
			if ((fds[2 + 2 * i].revents && !from_client(p, &p->pairs[i])) ||
				(p->pairs[i].server >= 0 && fds[3 + 2 * i].revents && !from_server(p, &p->pairs[i])))
				drop(&p->pairs[i]);
		}
		if (fds[1].revents)
			take_in(p);
	}
}

struct proxy *proxy_start(int server_port)
{
	struct proxy *p = mem_zalloc(sizeof(*p));
	struct sockaddr_in at = local(0);
	socklen_t len = sizeof(at);
	int i;

	for (i = 0; i < PAIRS; i++)
		p->pairs[i].client = p->pairs[i].server = -1;
	p->server_port = server_port;
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	p->stop_fd = eventfd(0, EFD_CLOEXEC);
	wm_assert(p->listener >= 0 && p->stop_fd >= 0);
	wm_assert(bind(p->listener, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(p->listener, 16) == 0);
	wm_assert(getsockname(p->listener, (struct sockaddr *)&at, &len) == 0);
	p->port = ntohs(at.sin_port);
	thread_start(&p->thread, "proxy", run, p);
	return p;
}

void proxy_stop(struct proxy *p)
{
	uint64_t one = 1;
	int i;

	wm_assert(write(p->stop_fd, &one, sizeof(one)) == sizeof(one));
	thread_join(&p->thread);
	for (i = 0; i < PAIRS; i++)
		if (p->pairs[i].client >= 0)
			drop(&p->pairs[i]);
	close(p->listener);
	close(p->stop_fd);
	mem_free(p);
}

int proxy_port(const struct proxy *p)
{
	return p->port;
}

void proxy_arm(struct proxy *p, enum proxy_cut how, const char *mark)
{
	p->mark = mark;
	atomic_store(&p->how, how);
}

unsigned proxy_cuts(struct proxy *p)
{
	return atomic_load(&p->cuts);
}
