/* What is asked of the records of a Produce before they go to the log. */
#ifndef WALMILL_KAFKA_CHECK_H
#define WALMILL_KAFKA_CHECK_H

#include "kafka/errors.h"
#include "log/batch.h"

enum { CHECK_DECOMPRESSED_MAX = 128 << 20 };

struct check_rules {
	int64_t max_bytes;           /* max.message.bytes */
	bool keyed;                  /* every record has a key: the topic is compacted */
	bool zstd;                   /* the request's version allows it */
};

/*
 * Exactly one record batch of format 2, with a good checksum, whose records are all there and numbered without gaps; compressed ones are
 * decompressed into `scratch` to see that. *ret_text says what is wrong, where there is something to say.
 */
enum kafka_error check_records(
	struct view records, const struct check_rules *rules, struct buf *scratch, struct batch_info *ret, const char **ret_text);

#endif
