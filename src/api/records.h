/* Records of a partition one after the other, whatever compression their batches have. Any thread. */
#ifndef WALMILL_API_RECORDS_H
#define WALMILL_API_RECORDS_H

#include "log/batch.h"
#include "log/log.h"

/*
 * Calls fn for the records from offset `from` on and below `to`, until it returns something else than 0, or about max_bytes of batches were
 * read (at least one batch is). *ret_next: where to go on. ERR_LOST: `from` was trimmed; ERR_INVALID: it is above the high watermark.
 */
int records_each(struct log *log, uint32_t part, int64_t from, int64_t to, size_t max_bytes, int (*fn)(void *arg, const struct record *rec),
	void *arg, int64_t *ret_next, struct err *err) WM_MUST_USE;

#endif
