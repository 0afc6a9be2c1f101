/* The ends of the queues between threads that server.c holds; see worker.c. */
#ifndef WALMILL_KAFKA_WORKER_H
#define WALMILL_KAFKA_WORKER_H

#include "kafka/kafka_int.h"

void worker_main(void *kafka);
void worker_stop(struct kafka *k);   /* when its queue is empty */
void posted_run(struct kafka *k);    /* the loop: what was posted until now */

#endif
