/*
 * What is known of idempotent producers: for each partition and producer id the epoch and the last five batches. The thread `kafka`.
 *
 * State is made at the append, before the batch is durable: when it never becomes so, the log has failed, and nothing is taken any more.
 */
#ifndef WALMILL_KAFKA_PRODUCERS_H
#define WALMILL_KAFKA_PRODUCERS_H

#include "kafka/kafka_int.h"
#include "log/batch.h"

struct producers *producers_new(void);
void producers_free(struct producers *ps);

/* KE_NONE: may be appended, or, with *ret_base >= 0, was appended before, at that offset. */
enum kafka_error producers_check(struct producers *ps, uint32_t part, const struct batch_info *info, int64_t *ret_base);
void producers_note(struct producers *ps, uint32_t part, const struct batch_info *info, int64_t base, int64_t now_ms);
size_t producers_count(const struct producers *ps);

/* Loads the snapshot and what the log has since; before the loop runs. */
int producers_load(struct kafka *k, struct err *err) WM_MUST_USE;
/* Writes the snapshot when there is something new: on the worker while the loop runs (now = false), or at once. */
void producers_save(struct kafka *k, bool now);

#endif
