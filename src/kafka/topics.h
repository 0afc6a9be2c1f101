/* Making topics, and the names in a request; see topics.c. Any thread. */
#ifndef WALMILL_KAFKA_TOPICS_H
#define WALMILL_KAFKA_TOPICS_H

#include "kafka/kafka_int.h"

/* With the number of partitions of the settings. One that exists already is fine. Waits for the disk. */
int topic_create_default(struct kafka *k, struct view name, struct err *err) WM_MUST_USE;

/* Names of one request, to refuse those that it has twice. `names` begins as MAP_INIT and ends with map_release. */
void named_add(struct map *names, struct view name);
bool named_twice(const struct map *names, struct view name);

#endif
