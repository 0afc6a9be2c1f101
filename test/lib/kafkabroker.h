/*
 * A Kafka broker for tests, in this process, over a log in a temporary directory. One thread. What fails aborts.
 */
#ifndef WALMILL_TEST_KAFKABROKER_H
#define WALMILL_TEST_KAFKABROKER_H

#include "kafka/kafka.h"
#include "log/log.h"

struct broker {
	char dir[64], kafka_dir[80];
	struct kafka_options options; /* of the next start; io, log, dir and listen are set there */
	struct log *log;
	struct kafka *kafka;
	unsigned port;
};

void broker_init(struct broker *b);    /* the directory, and options in which no group waits for more members */
void broker_start(struct broker *b);
void broker_stop(struct broker *b);
void broker_remove(struct broker *b);  /* the directory, of one that was stopped */

#endif
