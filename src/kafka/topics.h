/* Making topics; see topics.c. Any thread; waits for the disk. */
#ifndef WALMILL_KAFKA_TOPICS_H
#define WALMILL_KAFKA_TOPICS_H

#include "kafka/kafka_int.h"

/* With the number of partitions of the settings. One that exists already is fine. */
int topic_create_default(struct kafka *k, struct view name, struct err *err) WM_MUST_USE;

#endif
