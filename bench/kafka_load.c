/*
 * A client of the Kafka protocol that puts one load on a broker and prints what came of it as one JSON object; bench/broker.py runs it.
 *
 * usage: kafka_load topic   BROKER TOPIC PARTITIONS [NAME=VALUE]...       creates it; configuration by name
 *        kafka_load delete  BROKER TOPIC
 *        kafka_load produce BROKER TOPIC PARTITIONS BYTES COUNT           as fast as acknowledgements allow
 *        kafka_load paced   BROKER TOPIC PARTITIONS BYTES RATE SECONDS LINGER_MS
 *        kafka_load consume BROKER TOPIC PARTITIONS COUNT                 from the beginning
 *
 * Producers want acks=all and do not compress. The paced one is an open loop: a message is due at its time whatever became of those before
 * it, and its latency runs from there to its delivery report. One thread here, librdkafka's own beside it.
 */
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { QUEUE_MESSAGES = 500000, ADMIN_MS = 20000, FINISH_MS = 60000, TICK_NS = 500000 };

struct load {
	const char *broker, *topic;
	long partitions, bytes, count;
	int64_t *latencies_us;       /* of the paced load, in order of delivery */
	long delivered, failed;
	char why[256];               /* the first failure */
};

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "kafka_load: %s: %s\n", what, why);
	exit(1); /* style: a program of its own */
}

static long number(const char *text, long least)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || *end || end == text || n < least)
		die(text, "not a number that can be");
	return n;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char why[256];

	if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
		die(name, why);
}

static rd_kafka_conf_t *configuration(const struct load *l)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	set(conf, "bootstrap.servers", l->broker);
	set(conf, "allow.auto.create.topics", "false");
	return conf;
}

/* Takes the configuration. */
static rd_kafka_t *client(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
	char why[256];
	rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof(why));

	if (!rk)
		die("client", why);
	return rk;
}

/* ---- topics ---- */

static void finish_admin(rd_kafka_t *rk, rd_kafka_queue_t *q, bool create)
{
	rd_kafka_event_t *ev = rd_kafka_queue_poll(q, ADMIN_MS);
	const rd_kafka_topic_result_t **got;
	size_t n = 0;

	if (!ev)
		die("topic", "no answer");
	if (rd_kafka_event_error(ev))
		die("topic", rd_kafka_event_error_string(ev));
	got = create ? rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(ev), &n)
	             : rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(ev), &n);
	if (n != 1 || rd_kafka_topic_result_error(got[0]))
		die("topic", n == 1 ? rd_kafka_topic_result_error_string(got[0]) : "no result");
	rd_kafka_event_destroy(ev);
	rd_kafka_queue_destroy(q);
	rd_kafka_destroy(rk);
}

static void create_topic(const struct load *l, char **configs, int n)
{
	rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, configuration(l));
	rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
	char why[256];
	rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(l->topic, (int)l->partitions, 1, why, sizeof(why));
	int i;

	if (!t)
		die(l->topic, why);
	for (i = 0; i < n; i++) {
		char *value = strchr(configs[i], '=');

		if (!value)
			die(configs[i], "not NAME=VALUE");
		*value++ = '\0';
		rd_kafka_NewTopic_set_config(t, configs[i], value);
	}
	rd_kafka_CreateTopics(rk, &t, 1, NULL, q);
	rd_kafka_NewTopic_destroy(t);
	finish_admin(rk, q, true);
	printf("{}\n");
}

static void delete_topic(const struct load *l)
{
	rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, configuration(l));
	rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
	rd_kafka_DeleteTopic_t *t = rd_kafka_DeleteTopic_new(l->topic);

	rd_kafka_DeleteTopics(rk, &t, 1, NULL, q);
	rd_kafka_DeleteTopic_destroy(t);
	finish_admin(rk, q, false);
	printf("{}\n");
}

/* ---- producing ---- */

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	struct load *l = opaque;

	(void)rk;
	if (m->err) {
		if (!l->failed++)
			snprintf(l->why, sizeof(l->why), "%s", rd_kafka_err2str(m->err));
		return;
	}
	if (l->latencies_us && m->_private)
		l->latencies_us[l->delivered] = now_us() - (int64_t)(intptr_t)m->_private;
	l->delivered++;
}

static rd_kafka_t *producer(struct load *l, const char *linger_ms, rd_kafka_topic_t **ret)
{
	rd_kafka_conf_t *conf = configuration(l);
	char queue[16];
	rd_kafka_t *rk;

	snprintf(queue, sizeof(queue), "%d", QUEUE_MESSAGES);
	set(conf, "queue.buffering.max.messages", queue);
	set(conf, "linger.ms", linger_ms);
	set(conf, "acks", "all");
	rd_kafka_conf_set_opaque(conf, l);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rk = client(RD_KAFKA_PRODUCER, conf);
	*ret = rd_kafka_topic_new(rk, l->topic, NULL);
	return rk;
}

/* Waits while the queue is full. */
static void put(rd_kafka_t *rk, rd_kafka_topic_t *t, struct load *l, long i, char *payload, int64_t due_us)
{
	while (rd_kafka_produce(t, (int32_t)(i % l->partitions), RD_KAFKA_MSG_F_COPY, payload, (size_t)l->bytes, NULL, 0,
		       (void *)(intptr_t)due_us)) {
		if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			die("produce", rd_kafka_err2str(rd_kafka_last_error()));
		rd_kafka_poll(rk, 10);
	}
}

/* Connections made and leaders known: one message to each partition. */
static void warm_up(rd_kafka_t *rk, rd_kafka_topic_t *t, struct load *l, char *payload)
{
	long i;

	for (i = 0; i < l->partitions; i++)
		put(rk, t, l, i, payload, 0);
	rd_kafka_flush(rk, FINISH_MS);
	if (l->delivered != l->partitions)
		die("first messages", l->failed ? l->why : "not delivered");
	l->delivered = 0;
}

static void finish(rd_kafka_t *rk, rd_kafka_topic_t *t, const struct load *l)
{
	rd_kafka_flush(rk, FINISH_MS);
	if (l->failed || l->delivered != l->count)
		die("produce", l->failed ? l->why : "not all delivered in a minute");
	rd_kafka_topic_destroy(t);
	rd_kafka_destroy(rk);
}

static void produce(struct load *l)
{
	char *payload = calloc(1, (size_t)l->bytes); /* style: a program of its own */
	rd_kafka_topic_t *t;
	rd_kafka_t *rk = producer(l, "5", &t);
	int64_t began;
	long i;

	warm_up(rk, t, l, payload);
	began = now_us();
	for (i = 0; i < l->count; i++) {
		put(rk, t, l, i, payload, 0);
		if (i % 1000 == 0)
			rd_kafka_poll(rk, 0);
	}
	rd_kafka_flush(rk, FINISH_MS);
	began = now_us() - began;
	finish(rk, t, l);
	printf("{\"s\": %.6f}\n", (double)began / 1e6);
	free(payload); /* style: from calloc */
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void paced(struct load *l, long rate, const char *linger_ms)
{
	char *payload = calloc(1, (size_t)l->bytes); /* style: a program of its own */
	struct timespec tick = {0, TICK_NS};
	rd_kafka_topic_t *t;
	rd_kafka_t *rk = producer(l, linger_ms, &t);
	int64_t began, took;
	long sent = 0, due;

	warm_up(rk, t, l, payload);
	l->latencies_us = calloc((size_t)l->count, sizeof(*l->latencies_us)); /* style: a program of its own */
	began = now_us();
	while (sent < l->count) {
		due = (long)((now_us() - began) * rate / 1000000);
		for (; sent < due && sent < l->count; sent++)
			put(rk, t, l, sent, payload, began + (int64_t)sent * 1000000 / rate);
		rd_kafka_poll(rk, 0);
		nanosleep(&tick, NULL);
	}
	rd_kafka_flush(rk, FINISH_MS);
	took = now_us() - began;
	finish(rk, t, l);
	qsort(l->latencies_us, (size_t)l->delivered, sizeof(*l->latencies_us), by_value);
#define AT(q) ((double)l->latencies_us[(long)((double)(l->delivered - 1) * (q))] / 1e3)
	printf("{\"s\": %.6f, \"p50\": %.3f, \"p95\": %.3f, \"p99\": %.3f, \"max\": %.3f}\n", (double)took / 1e6, AT(.5), AT(.95), AT(.99),
		AT(1));
#undef AT
	free(l->latencies_us); /* style: from calloc */
	free(payload); /* style: from calloc */
}

/* ---- consuming ---- */

static void take(rd_kafka_message_t *m, void *opaque)
{
	struct load *l = opaque;

	if (m->err && m->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
		die("consume", rd_kafka_message_errstr(m));
	if (!m->err) {
		l->delivered++;
		l->bytes += (long)m->len;
	}
}

static void consume(struct load *l)
{
	rd_kafka_conf_t *conf = configuration(l);
	rd_kafka_t *rk;
	rd_kafka_topic_t *t;
	rd_kafka_queue_t *q;
	int64_t began = now_us(), until = began + FINISH_MS * INT64_C(1000);
	long i;

	set(conf, "fetch.message.max.bytes", "1048576");
	rk = client(RD_KAFKA_CONSUMER, conf);
	t = rd_kafka_topic_new(rk, l->topic, NULL);
	q = rd_kafka_queue_new(rk);
	for (i = 0; i < l->partitions; i++) {
		if (rd_kafka_consume_start_queue(t, (int32_t)i, RD_KAFKA_OFFSET_BEGINNING, q))
			die("consume", rd_kafka_err2str(rd_kafka_last_error()));
	}
	while (l->delivered < l->count) {
		if (rd_kafka_consume_callback_queue(q, 100, take, l) < 0 || now_us() > until)
			die("consume", "not all came in a minute");
	}
	began = now_us() - began;
	for (i = 0; i < l->partitions; i++)
		rd_kafka_consume_stop(t, (int32_t)i);
	rd_kafka_queue_destroy(q);
	rd_kafka_topic_destroy(t);
	rd_kafka_destroy(rk);
	printf("{\"s\": %.6f, \"messages\": %ld, \"bytes\": %ld}\n", (double)began / 1e6, l->delivered, l->bytes);
}

int main(int argc, char **argv)
{
	struct load l = {0};
	const char *what = argc > 3 ? argv[1] : "";

	if (argc > 3) {
		l.broker = argv[2];
		l.topic = argv[3];
	}
	if (strcmp(what, "delete") == 0 && argc == 4) {
		delete_topic(&l);
		return 0;
	}
	if (argc > 4)
		l.partitions = number(argv[4], 1);
	if (strcmp(what, "topic") == 0 && argc >= 5) {
		create_topic(&l, argv + 5, argc - 5);
	} else if (strcmp(what, "produce") == 0 && argc == 7) {
		l.bytes = number(argv[5], 1);
		l.count = number(argv[6], 1);
		produce(&l);
	} else if (strcmp(what, "paced") == 0 && argc == 9) {
		l.bytes = number(argv[5], 1);
		l.count = number(argv[6], 1) * number(argv[7], 1);
		(void)number(argv[8], 0);
		paced(&l, number(argv[6], 1), argv[8]);
	} else if (strcmp(what, "consume") == 0 && argc == 6) {
		l.count = number(argv[5], 1);
		consume(&l);
	} else {
		fprintf(stderr, "usage: kafka_load topic|delete|produce|paced|consume BROKER TOPIC ..., see the head of bench/kafka_load.c\n");
		return 2;
	}
	return 0;
}
