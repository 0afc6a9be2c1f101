/* A Kafka broker for tests; see kafkabroker.h. */
#include "kafkabroker.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

void broker_init(struct broker *b)
{
	*b = (struct broker){.options = kafka_options_default()};
	b->options.rebalance_delay_us = 0;
	snprintf(b->dir, sizeof(b->dir), "/tmp/walmill-test-kafka-XXXXXX");
	wm_assert(mkdtemp(b->dir));
}

void broker_start(struct broker *b)
{
	static const struct kafka_address listen = {"127.0.0.1", 0};
	struct log_settings s = log_settings_default();
	struct err err = ERR_INIT;
	char path[80];

	s.reserve_bytes = 0;
	snprintf(path, sizeof(path), "%s/log", b->dir);
	wm_assert(log_open(io_system(), path, &s, &b->log, &err) == 0);
	snprintf(b->kafka_dir, sizeof(b->kafka_dir), "%s/kafka", b->dir);
	b->options.io = io_system();
	b->options.log = b->log;
	b->options.dir = b->kafka_dir;
	b->options.listen = &listen;
	b->options.n_listen = 1;
	wm_assert(kafka_start(&b->options, &b->kafka, &err) == 0);
	b->port = kafka_port(b->kafka, 0);
}

void broker_stop(struct broker *b)
{
	kafka_stop(b->kafka);
	log_close(b->log);
}

void broker_remove(struct broker *b)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -rf %s", b->dir);
	wm_assert(system(command) == 0);
}
