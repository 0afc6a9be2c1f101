/*
 * librdkafka's C API against a broker: idempotent producing with delivery reports, two consumers that share a group and rebalance,
 * committed offsets, administration. Usage: test_rdkafka HOST:PORT. Prints a line a case; exits 1 at the first that fails.
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGES = 3000, PARTITIONS = 4, WAIT_MS = 60000 };

static const char *address;
static int delivered, refused;

static void check(int good, const char *what, const char *why)
{
	if (good)
		return;
	printf("rdkafka: FAILED: %s: %s\n", what, why);
	exit(1);
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *arg)
{
	if (m->err)
		refused++;
	else
		delivered++;
}

static void set(rd_kafka_conf_t *c, const char *name, const char *value)
{
	char why[512];

	check(rd_kafka_conf_set(c, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK, name, why);
}

static rd_kafka_t *client(rd_kafka_type_t type, const char *const *settings)
{
	rd_kafka_conf_t *c = rd_kafka_conf_new();
	char why[512];
	rd_kafka_t *rk;

	set(c, "bootstrap.servers", address);
	for (; *settings; settings += 2)
		set(c, settings[0], settings[1]);
	if (type == RD_KAFKA_PRODUCER)
		rd_kafka_conf_set_dr_msg_cb(c, on_delivery);
	rk = rd_kafka_new(type, c, why, sizeof(why));
	check(rk != NULL, "rd_kafka_new", why);
	if (type == RD_KAFKA_CONSUMER)
		rd_kafka_poll_set_consumer(rk);
	return rk;
}

/* ---- administration ---- */

static rd_kafka_event_t *admin_result(rd_kafka_queue_t *q, const char *what)
{
	rd_kafka_event_t *ev = rd_kafka_queue_poll(q, WAIT_MS);

	check(ev != NULL, what, "no answer");
	check(rd_kafka_event_error(ev) == 0, what, rd_kafka_event_error_string(ev));
	return ev;
}

static void create_topic(rd_kafka_t *rk)
{
	rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
	char why[512];
	rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new("rd", PARTITIONS, 1, why, sizeof(why));
	const rd_kafka_topic_result_t **results;
	rd_kafka_event_t *ev;
	size_t n;
	int round;

	rd_kafka_NewTopic_set_config(t, "max.message.bytes", "500000");
	for (round = 0; round < 2; round++) {
		rd_kafka_CreateTopics(rk, &t, 1, NULL, q);
		ev = admin_result(q, "CreateTopics");
		results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(ev), &n);
		check(n == 1 && rd_kafka_topic_result_error(results[0]) == (round ? RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS : 0), "CreateTopics",
			rd_kafka_err2name(rd_kafka_topic_result_error(results[0])));
		rd_kafka_event_destroy(ev);
	}
	rd_kafka_NewTopic_destroy(t);
	rd_kafka_queue_destroy(q);
}

static void describe_configs(rd_kafka_t *rk)
{
	rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
	rd_kafka_ConfigResource_t *r = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, "rd");
	const rd_kafka_ConfigResource_t **resources;
	const rd_kafka_ConfigEntry_t **entries;
	rd_kafka_event_t *ev;
	size_t n, m, i;
	int found = 0;

	rd_kafka_DescribeConfigs(rk, &r, 1, NULL, q);
	ev = admin_result(q, "DescribeConfigs");
	resources = rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(ev), &n);
	check(n == 1 && rd_kafka_ConfigResource_error(resources[0]) == 0, "DescribeConfigs", "error");
	entries = rd_kafka_ConfigResource_configs(resources[0], &m);
	for (i = 0; i < m; i++)
		found += strcmp(rd_kafka_ConfigEntry_name(entries[i]), "max.message.bytes") == 0 &&
			strcmp(rd_kafka_ConfigEntry_value(entries[i]), "500000") == 0;
	check(found == 1, "DescribeConfigs", "max.message.bytes is not what was set");
	rd_kafka_event_destroy(ev);
	rd_kafka_ConfigResource_destroy(r);
	rd_kafka_queue_destroy(q);
}

static void delete_topic(rd_kafka_t *rk)
{
	rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
	rd_kafka_DeleteTopic_t *t = rd_kafka_DeleteTopic_new("rd");

	rd_kafka_DeleteTopics(rk, &t, 1, NULL, q);
	rd_kafka_event_destroy(admin_result(q, "DeleteTopics"));
	rd_kafka_DeleteTopic_destroy(t);
	rd_kafka_queue_destroy(q);
}

/* ---- producing ---- */

static void produce(void)
{
	static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
	int c, i;

	for (c = 0; c < 5; c++) {
		const char *const settings[] = {"enable.idempotence", "true", "compression.codec", codecs[c], "linger.ms", "5", NULL};
		rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, settings);

		for (i = c; i < MESSAGES; i += 5) {
			char value[32];
			int n = snprintf(value, sizeof(value), "message %d", i);

			check(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC("rd"), RD_KAFKA_V_PARTITION(i % PARTITIONS), RD_KAFKA_V_KEY(value, (size_t)n),
				      RD_KAFKA_V_VALUE(value, (size_t)n), RD_KAFKA_V_HEADER("n", value, n), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
				      RD_KAFKA_V_END) == 0,
				"producev", codecs[c]);
		}
		check(rd_kafka_flush(rk, WAIT_MS) == 0, "flush", codecs[c]);
		rd_kafka_destroy(rk);
	}
	check(delivered == MESSAGES && refused == 0, "produce", "not every message was delivered");
}

/* ---- consuming ---- */

static rd_kafka_t *consumer(void)
{
	static const char *const settings[] = {"group.id", "rd-group", "auto.offset.reset", "earliest", "session.timeout.ms", "6000",
		"enable.auto.commit", "false", NULL};
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, settings);

	rd_kafka_topic_partition_list_add(topics, "rd", RD_KAFKA_PARTITION_UA);
	check(rd_kafka_subscribe(rk, topics) == 0, "subscribe", "error");
	rd_kafka_topic_partition_list_destroy(topics);
	return rk;
}

static int assigned(rd_kafka_t *rk)
{
	rd_kafka_topic_partition_list_t *list;
	int n;

	check(rd_kafka_assignment(rk, &list) == 0, "assignment", "error");
	n = list->cnt;
	rd_kafka_topic_partition_list_destroy(list);
	return n;
}

static int take(rd_kafka_t *rk, int wait_ms, char *seen)
{
	rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, wait_ms);
	int number, got = 0;

	if (m && !m->err) {
		number = atoi((const char *)m->payload + strlen("message "));
		check(number >= 0 && number < MESSAGES && m->partition == number % PARTITIONS, "consume", "a message is not what was sent");
		got = !seen[number];
		seen[number] = 1;
	}
	if (m)
		rd_kafka_message_destroy(m);
	return got;
}

static void consume(void)
{
	static char seen[MESSAGES];
	rd_kafka_t *one = consumer(), *two;
	int got = 0, idle;

	for (idle = 0; assigned(one) < PARTITIONS && idle < 600; idle++)
		got += take(one, 100, seen);
	check(assigned(one) == PARTITIONS, "consume", "the only member does not have all partitions");
	two = consumer();
	for (idle = 0; (assigned(one) != PARTITIONS / 2 || assigned(two) != PARTITIONS / 2) && idle < 600; idle++)
		got += take(one, 50, seen) + take(two, 50, seen);
	check(assigned(two) == PARTITIONS / 2, "consume", "two members do not share the partitions");
	for (idle = 0; got < MESSAGES && idle < 600; idle++) {
		int now = take(one, 50, seen) + take(two, 50, seen);

		got += now;
		idle = now ? 0 : idle;
	}
	check(got == MESSAGES, "consume", "not every message came");
	check(rd_kafka_commit(one, NULL, 0) == 0 && rd_kafka_commit(two, NULL, 0) == 0, "commit", "error");
	rd_kafka_consumer_close(two);
	rd_kafka_destroy(two);
	for (idle = 0; assigned(one) < PARTITIONS && idle < 600; idle++)
		take(one, 100, seen);
	check(assigned(one) == PARTITIONS, "consume", "who stays does not take over");
	rd_kafka_consumer_close(one);
	rd_kafka_destroy(one);
}

static void offsets(rd_kafka_t *rk)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
	static const char *const settings[] = {"group.id", "rd-group", NULL};
	rd_kafka_t *reader = client(RD_KAFKA_CONSUMER, settings);
	int64_t low, high;
	int i;

	for (i = 0; i < PARTITIONS; i++)
		rd_kafka_topic_partition_list_add(list, "rd", i);
	check(rd_kafka_committed(reader, list, WAIT_MS) == 0, "committed", "error");
	for (i = 0; i < PARTITIONS; i++) {
		check(rd_kafka_query_watermark_offsets(rk, "rd", i, &low, &high, WAIT_MS) == 0, "watermarks", "error");
		check(low == 0 && high == MESSAGES / PARTITIONS && list->elems[i].offset == high, "offsets", "not what was produced and committed");
	}
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_destroy(reader);
}

int main(int argc, char **argv)
{
	static const char *const none[] = {NULL};
	rd_kafka_t *admin;

	check(argc == 2, "usage", "test_rdkafka HOST:PORT");
	address = argv[1];
	admin = client(RD_KAFKA_PRODUCER, none);
	create_topic(admin);
	describe_configs(admin);
	printf("rdkafka admin: ok\n");
	produce();
	printf("rdkafka idempotent producer: ok\n");
	consume();
	printf("rdkafka consumer group: ok\n");
	offsets(admin);
	delete_topic(admin);
	printf("rdkafka offsets: ok\n");
	rd_kafka_destroy(admin);
	return 0;
}
