/*
 * kill -9 of the broker while a client produces: what was acknowledged is there, and with an idempotent producer that sends again what was
 * not, everything is there once and in order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "kafka/errors.h"
#include "kafka/kafka.h"
#include "kafkaclient.h"
#include "log/batch.h"

enum { KILLS = 15, IN_FLIGHT = 5, RECORDS = 20 };

static char dir[] = "/tmp/walmill-test-kafka-kill-XXXXXX";

static void broker(int out)
{
	static const struct kafka_address listen = {"127.0.0.1", 0};
	struct kafka_options o = kafka_options_default();
	struct log_settings s = log_settings_default();
	struct kafka *kafka;
	struct log *log_;
	char path[300];
	struct err err = ERR_INIT;
	unsigned port;

	s.reserve_bytes = 0;
	s.segment_bytes = 1 << 18;
	snprintf(path, sizeof(path), "%s/log", dir);
	wm_assert(log_open(io_system(), path, &s, &log_, &err) == 0);
	snprintf(path, sizeof(path), "%s/kafka", dir);
	o.io = io_system();
	o.log = log_;
	o.dir = path;
	o.listen = &listen;
	o.n_listen = 1;
	wm_assert(kafka_start(&o, &kafka, &err) == 0);
	port = kafka_port(kafka, 0);
	wm_assert(write(out, &port, sizeof(port)) == sizeof(port));
	for (;;)
		pause();
}

static pid_t start(unsigned *port)
{
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		broker(ends[1]);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], port, sizeof(*port)), sizeof(*port));
	close(ends[0]);
	return pid;
}

/* Sends the batches number from..from+n-1, each of RECORDS records. */
static void send_batches(struct client *c, int64_t producer, unsigned from, unsigned n)
{
	struct buf b = BUF_INIT(1 << 20);
	unsigned i;

	for (i = from; i < from + n; i++) {
		struct produce_request_topic_partition p = {0};
		struct produce_request_topic t = {view_str("t"), &p, 1};
		struct produce_request req = {.acks = -1, .timeout_ms = 10000, .topics = &t, .n_topics = 1};

		client_batch(&b, RECORDS, i * RECORDS, producer, 0, (int32_t)(i * RECORDS));
		p.records = buf_view(&b);
		client_send(c, KAFKA_PRODUCE, 9, &req);
	}
	buf_release(&b);
}

/* Produces from batch `acked` on until the broker dies; how many are acknowledged then. */
static unsigned produce_until_death(unsigned port, int64_t producer, unsigned acked)
{
	struct client c;
	unsigned sent = acked;

	client_open(&c, port);
	send_batches(&c, producer, sent, IN_FLIGHT);
	sent += IN_FLIGHT;
	for (;;) {
		struct produce_response *out = client_receive(&c, KAFKA_PRODUCE, 9, c.correlation - IN_FLIGHT + 1);

		if (!out)
			break;
		assert_int_equal(out->topics[0].partitions[0].error, 0);
		assert_int_equal(out->topics[0].partitions[0].base_offset, acked * RECORDS);
		acked++;
		send_batches(&c, producer, sent++, 1);
		if (acked % 50 == 0)
			arena_reset(&c.arena);
	}
	client_close(&c);
	return acked;
}

static int64_t first_time(unsigned port)
{
	struct init_producer_id_request req = {.producer_id = -1, .producer_epoch = -1};
	struct init_producer_id_response *out;
	struct client c;
	int64_t id;

	client_open(&c, port);
	client_make_topic(&c, "t");
	out = client_call(&c, KAFKA_INIT_PRODUCER_ID, 4, &req);
	id = out->producer_id;
	client_close(&c);
	return id;
}

/* Every record from 0 on, once; how many. */
static unsigned check_all(unsigned port)
{
	struct client c;
	int64_t at = 0;

	client_open(&c, port);
	for (;;) {
		struct fetch_response_topic_partition f = client_fetch(&c, 11, "t", 0, at, 0, 0);
		struct view rest = f.records;

		assert_int_equal(f.error, 0);
		if (rest.len == 0)
			break;
		while (rest.len) {
			struct record_reader rr;
			struct record rec;
			struct err err = ERR_INIT;
			struct batch_info info;
			char text[32];

			assert_int_equal(batch_get(rest, &info, &err), 0);
			assert_int_equal(batch_records(&rr, view_of(rest.ptr, info.size), &err), 0);
			while (record_next(&rr, &rec, &err) > 0) {
				assert_int_equal(rec.offset, at);
				snprintf(text, sizeof(text), "value-%lld", (long long)at++);
				assert_true(view_is(rec.value, text));
			}
			rest = view_of(rest.ptr + info.size, rest.len - info.size);
		}
		arena_reset(&c.arena);
	}
	client_close(&c);
	return (unsigned)at;
}

static void acknowledged_records_survive_kills(void **state)
{
	unsigned port, acked = 0, total, seed = 5;
	int64_t producer = -1;
	int i, status;
	pid_t pid;

	for (i = 0; i < KILLS; i++) {
		pid_t killer;

		pid = start(&port);
		if (i == 0)
			producer = first_time(port);
		total = check_all(port);
		assert_true(total >= acked * RECORDS);
		killer = fork();
		if (killer == 0) {
			seed = seed * 1103515245 + 12345 + (unsigned)i * 7919;
			usleep(20000 + (seed >> 8) % 200000);
			kill(pid, SIGKILL);
			_exit(0);
		}
		acked = produce_until_death(port, producer, acked);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		assert_int_equal(waitpid(killer, &status, 0), killer);
	}
	pid = start(&port);
	total = check_all(port);
	assert_true(acked > KILLS && total >= acked * RECORDS && total <= (acked + IN_FLIGHT) * RECORDS);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

static int tear_down(void **state)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(acknowledged_records_survive_kills, NULL, tear_down)};

	wm_assert(mkdtemp(dir));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
