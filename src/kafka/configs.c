/* Keys of topic configurations; see configs.h. */
#include "kafka/configs.h"

#include "base/text.h"

#define CODECS "uncompressed zstd lz4 snappy gzip producer"

const struct config_key config_keys[] = {
	{"cleanup.policy", CONFIG_LIST, "delete", 0, 0, "compact delete", "What becomes of old records: deleted by age and size, or kept."},
	{"compression.gzip.level", CONFIG_INT, "-1", -1, 9, NULL, "Kept; batches stay as their producers compressed them."},
	{"compression.lz4.level", CONFIG_INT, "9", 1, 17, NULL, "Kept; batches stay as their producers compressed them."},
	{"compression.type", CONFIG_STRING, "producer", 0, 0, CODECS, "Kept; batches stay as their producers compressed them."},
	{"compression.zstd.level", CONFIG_INT, "3", -131072, 22, NULL, "Kept; batches stay as their producers compressed them."},
	{"delete.retention.ms", CONFIG_LONG, "86400000", 0, INT64_MAX, NULL, "Kept; there is no compaction by key."},
	{"file.delete.delay.ms", CONFIG_LONG, "60000", 0, INT64_MAX, NULL, "Kept."},
	{"flush.messages", CONFIG_LONG, "1", 1, INT64_MAX, NULL, "Kept; every write is synced before it is acknowledged."},
	{"flush.ms", CONFIG_LONG, "9223372036854775807", 0, INT64_MAX, NULL, "Kept; every write is synced before it is acknowledged."},
	{"follower.replication.throttled.replicas", CONFIG_LIST, "", 0, 0, NULL, "Kept; there is one node."},
	{"index.interval.bytes", CONFIG_INT, "4096", 0, INT32_MAX, NULL, "Kept; the index has every batch."},
	{"leader.replication.throttled.replicas", CONFIG_LIST, "", 0, 0, NULL, "Kept; there is one node."},
	{"local.retention.bytes", CONFIG_LONG, "-2", -2, INT64_MAX, NULL, "Kept; there is one storage."},
	{"local.retention.ms", CONFIG_LONG, "-2", -2, INT64_MAX, NULL, "Kept; there is one storage."},
	{"max.compaction.lag.ms", CONFIG_LONG, "9223372036854775807", 1, INT64_MAX, NULL, "Kept; there is no compaction by key."},
	{"max.message.bytes", CONFIG_INT, "1048588", 0, 64 << 20, NULL, "The largest record batch that is taken."},
	{"message.downconversion.enable", CONFIG_BOOLEAN, "false", 0, 0, NULL, "Kept; there is one format."},
	{"message.format.version", CONFIG_STRING, "3.0-IV1", 0, 0, NULL, "Kept; there is one format."},
	{"message.timestamp.after.max.ms", CONFIG_LONG, "9223372036854775807", 0, INT64_MAX, NULL, "Kept."},
	{"message.timestamp.before.max.ms", CONFIG_LONG, "9223372036854775807", 0, INT64_MAX, NULL, "Kept."},
	{"message.timestamp.difference.max.ms", CONFIG_LONG, "9223372036854775807", 0, INT64_MAX, NULL, "Kept."},
	{"message.timestamp.type", CONFIG_STRING, "CreateTime", 0, 0, "CreateTime LogAppendTime", "Whose clock the records' times are."},
	{"min.cleanable.dirty.ratio", CONFIG_DOUBLE, "0.5", 0, 1, NULL, "Kept; there is no compaction by key."},
	{"min.compaction.lag.ms", CONFIG_LONG, "0", 0, INT64_MAX, NULL, "Kept; there is no compaction by key."},
	{"min.insync.replicas", CONFIG_INT, "1", 1, INT32_MAX, NULL, "Kept; there is one node."},
	{"preallocate", CONFIG_BOOLEAN, "false", 0, 0, NULL, "Kept."},
	{"remote.storage.enable", CONFIG_BOOLEAN, "false", 0, 0, NULL, "Kept; there is one storage."},
	{"retention.bytes", CONFIG_LONG, "-1", -1, INT64_MAX, NULL, "How much of a partition is kept; -1: no limit."},
	{"retention.ms", CONFIG_LONG, "604800000", -1, INT64_MAX, NULL, "How long records are kept; -1: for ever."},
	{"segment.bytes", CONFIG_INT, "1073741824", 14, INT32_MAX, NULL, "Kept; segments are the log's, not a topic's."},
	{"segment.index.bytes", CONFIG_INT, "10485760", 4, INT32_MAX, NULL, "Kept; segments are the log's, not a topic's."},
	{"segment.jitter.ms", CONFIG_LONG, "0", 0, INT64_MAX, NULL, "Kept; segments are the log's, not a topic's."},
	{"segment.ms", CONFIG_LONG, "604800000", 1, INT64_MAX, NULL, "Kept; segments are the log's, not a topic's."},
	{"unclean.leader.election.enable", CONFIG_BOOLEAN, "false", 0, 0, NULL, "Kept; there is one node."},
};

const unsigned n_config_keys = sizeof(config_keys) / sizeof(config_keys[0]);

const struct config_key *config_key(struct view name)
{
	unsigned i;

	for (i = 0; i < n_config_keys; i++)
		if (view_is(name, config_keys[i].name))
			return &config_keys[i];
	return NULL;
}

/* Whether `word` is one of `words`. */
static bool is_among(struct view word, const char *words)
{
	size_t n;

	for (; *words; words += n + (words[n] == ' ')) {
		n = strcspn(words, " ");
		if (view_eq(word, view_of(words, n)))
			return true;
	}
	return false;
}

static bool list_is_good(struct view value, const char *words)
{
	size_t at = 0, n;

	while (words && at < value.len) {
		const uint8_t *comma = memchr(value.ptr + at, ',', value.len - at);

		n = comma ? (size_t)(comma - value.ptr) - at : value.len - at;
		if (!is_among(text_trim(view_of(value.ptr + at, n)), words))
			return false;
		at += n + 1;
	}
	return true;
}

int config_check(const struct config_key *key, struct view value, struct err *err)
{
	int64_t n = 0;
	double d = 0;
	bool good = true;

	switch (key->type) {
	case CONFIG_BOOLEAN: good = text_is(value, "true") || text_is(value, "false"); break;
	case CONFIG_STRING: good = !key->words || is_among(value, key->words); break;
	case CONFIG_LIST: good = list_is_good(value, key->words); break;
	case CONFIG_DOUBLE: good = text_f64(value, &d) && d >= (double)key->min && d <= (double)key->max; break;
	default: good = text_i64(value, &n) && n >= key->min && n <= key->max;
	}
	if (good)
		return 0;
	return err_set(err, ERR_INVALID, "\"%.*s\" is not a value of %s", (int)(value.len < 100 ? value.len : 100), (const char *)value.ptr,
		key->name);
}

enum config_source config_value(struct log *log, const uint8_t topic[16], const struct config_key *key, struct buf *into)
{
	buf_clear(into);
	if (log_topic_config(log, topic, key->name, into))
		return SOURCE_TOPIC;
	buf_clear(into);
	buf_puts(into, key->preset);
	return SOURCE_DEFAULT;
}
