/* Administration of topics: CreateTopics, DeleteTopics, CreatePartitions, DeleteRecords, DescribeLogDirs. On the worker: they wait for the
 * disk. */
#include "kafka/topics.h"

#include "base/text.h"
#include "kafka/configs.h"

int topic_create_default(struct kafka *k, struct view name, struct err *err)
{
	struct err why = ERR_INIT;
	char text[LOG_TOPIC_NAME_MAX + 1];

	if (name.len > LOG_TOPIC_NAME_MAX)
		return err_set(err, ERR_INVALID, "topic name of %zu characters", name.len);
	memcpy(text, name.ptr, name.len);
	text[name.len] = '\0';
	if (log_topic_create(k->log, text, NULL, k->o.partitions, NULL, 0, NULL, &why) && why.code != ERR_EXISTS) {
		*err = why;
		return -1;
	}
	return 0;
}

/* Sets the text, and gives back the code. */
static enum kafka_error say(struct view *ret_text, enum kafka_error code, const char *text)
{
	*ret_text = view_str(text);
	return code;
}

static enum kafka_error say_err(struct request *rq, struct view *ret_text, const struct err *err)
{
	*ret_text = arena_view(&rq->arena, view_str(err->text));
	return kafka_error_of(err);
}

/* ---- names that a request has twice: which of the two was meant, nobody can say, and neither is done ---- */

static char once, twice;

void named_add(struct map *names, struct view name)
{
	map_put(names, name, map_get(names, name) ? &twice : &once);
}

bool named_twice(const struct map *names, struct view name)
{
	return map_get(names, name) == &twice;
}

static const char duplicate_topic[] = "Duplicate topic name.";

/* ---- CreateTopics ---- */

/* Whether an explicit assignment is one to this node alone. */
static bool is_this_node(const int32_t *brokers, int32_t n)
{
	return n == 1 && brokers[0] == KAFKA_NODE_ID;
}

static const char too_many_partitions[] = "a topic has 1 to 10000 partitions";

/* An explicit assignment: partitions 0..n-1, each on this node. */
static enum kafka_error check_assignments(
	struct request *rq, const struct create_topics_request_topic *t, uint32_t *ret_partitions, struct view *ret_text)
{
	bool *seen;
	int32_t i;

	if (t->partitions != -1 || t->replication_factor != -1)
		return say(ret_text, KE_INVALID_REQUEST, "with an assignment, partitions and replication factor are -1");
	if (t->n_assignments > LOG_TOPIC_PARTITIONS_MAX)
		return say(ret_text, KE_INVALID_PARTITIONS, too_many_partitions);
	seen = REQUEST_ARRAY(rq, t->n_assignments, bool);
	for (i = 0; i < t->n_assignments; i++) {
		int32_t index = t->assignments[i].index;

		if (index < 0 || index >= t->n_assignments || seen[index] ||
			!is_this_node(t->assignments[i].brokers, t->assignments[i].n_brokers))
			return say(ret_text, KE_INVALID_REPLICA_ASSIGNMENT, "partitions are numbered from 0, and each is on broker 1 alone");
		seen[index] = true;
	}
	*ret_partitions = (uint32_t)t->n_assignments;
	return KE_NONE;
}

static enum kafka_error check_new_name(struct request *rq, struct view name, struct view *ret_text)
{
	struct log_topic there;

	if (!topic_name_is_valid(name) || topic_is_hidden(name))
		return say(
			ret_text, KE_INVALID_TOPIC, "a topic name is 1 to 249 letters, digits, dots, underscores and hyphens, and not walmill's own");
	if (topic_find(rq->k, name, &there)) {
		/* scripts that make what may be there look for these words */
		*ret_text = view_str(arena_printf(&rq->arena, "Topic '%s' already exists.", there.name));
		return KE_TOPIC_ALREADY_EXISTS;
	}
	return KE_NONE;
}

static enum kafka_error check_new_size(
	struct request *rq, const struct create_topics_request_topic *t, uint32_t *ret_partitions, struct view *ret_text)
{
	if (t->n_assignments)
		return check_assignments(rq, t, ret_partitions, ret_text);
	if (t->replication_factor == 0 || t->replication_factor < -1)
		return say(ret_text, KE_INVALID_REPLICATION_FACTOR, "Replication factor must be larger than 0, or -1 to use the default value.");
	if (t->partitions == 0 || t->partitions < -1 || t->partitions > LOG_TOPIC_PARTITIONS_MAX)
		return say(ret_text, KE_INVALID_PARTITIONS, too_many_partitions);
	/*
	 * Above 1, a single Apache Kafka refuses, and with it scripts written for three brokers and a Connect worker's own topics,
	 * whose default is 3. Here they run, and the answer says 1.
	 */
	*ret_partitions = t->partitions == -1 ? rq->k->o.partitions : (uint32_t)t->partitions;
	return KE_NONE;
}

static enum kafka_error check_new_configs(
	struct request *rq, const struct create_topics_request_topic *t, struct log_config *list, struct view *ret_text)
{
	struct err err = ERR_INIT;
	int32_t i;

	for (i = 0; i < t->n_configs; i++) {
		const struct config_key *key = config_key(t->configs[i].name);

		if (!key)
			err_set(&err, ERR_INVALID, "there is no topic configuration \"%.*s\"",
				(int)(t->configs[i].name.len < 100 ? t->configs[i].name.len : 100), (const char *)t->configs[i].name.ptr);
		else if (!t->configs[i].value.ptr)
			err_set(&err, ERR_INVALID, "configuration %s has no value", key->name);
		if (err.code || config_check(key, t->configs[i].value, &err)) {
			say_err(rq, ret_text, &err);
			return KE_INVALID_CONFIG;
		}
		list[i] = (struct log_config){key->name, arena_str(&rq->arena, t->configs[i].value)};
	}
	return KE_NONE;
}

/* What was made, as version 5 and later tell it. */
static void describe_new(struct request *rq, struct create_topics_response_topic *to, const struct log_config *list, int32_t n)
{
	unsigned i;
	int32_t j;

	to->configs = REQUEST_ARRAY(rq, (int32_t)n_config_keys, struct create_topics_response_topic_config);
	for (i = 0; i < n_config_keys; i++) {
		const char *value = config_keys[i].preset;
		int8_t source = SOURCE_DEFAULT;

		for (j = 0; j < n; j++)
			if (strcmp(list[j].key, config_keys[i].name) == 0) {
				value = list[j].value;
				source = SOURCE_TOPIC;
			}
		to->configs[to->n_configs++] = (struct create_topics_response_topic_config){.name = view_str(config_keys[i].name),
			.value = view_str(value), .source = source};
	}
}

static void create_one(struct request *rq, const struct create_topics_request_topic *from, struct create_topics_response_topic *to)
{
	const struct create_topics_request *in = rq->in;
	struct log_config *list = REQUEST_ARRAY(rq, from->n_configs, struct log_config);
	struct err err = ERR_INIT;
	struct log_topic made = {0};
	uint32_t partitions = 0;

	to->error = (int16_t)check_new_name(rq, from->name, &to->error_message);
	if (!to->error)
		to->error = (int16_t)check_new_configs(rq, from, list, &to->error_message);
	if (!to->error)
		to->error = (int16_t)check_new_size(rq, from, &partitions, &to->error_message);
	if (to->error)
		return;
	if (!in->validate_only && log_topic_create(rq->k->log, arena_str(&rq->arena, from->name), NULL, partitions, list,
				       (unsigned)from->n_configs, &made, &err)) {
		to->error = (int16_t)say_err(rq, &to->error_message, &err);
		return;
	}
	memcpy(to->topic_id.b, made.id, 16);
	to->partitions = (int32_t)partitions;
	to->replication_factor = 1;
	describe_new(rq, to, list, from->n_configs);
}

void serve_create_topics(struct request *rq)
{
	const struct create_topics_request *in = rq->in;
	struct create_topics_response *out = rq->out;
	struct map names = MAP_INIT;
	int32_t i;

	for (i = 0; i < in->n_topics; i++)
		named_add(&names, in->topics[i].name);
	out->topics = REQUEST_ARRAY(rq, in->n_topics, struct create_topics_response_topic);
	out->n_topics = in->n_topics;
	for (i = 0; i < in->n_topics; i++) {
		struct create_topics_response_topic *to = &out->topics[i];

		wire_init(&wire_create_topics_response_topic, to);
		to->name = in->topics[i].name;
		if (named_twice(&names, to->name))
			to->error = (int16_t)say(&to->error_message, KE_INVALID_REQUEST, duplicate_topic);
		else
			create_one(rq, &in->topics[i], to);
	}
	map_release(&names);
}

/* ---- DeleteTopics ---- */

/* A pin says that somebody (a job) may still need what the topic holds. */
static enum kafka_error check_pins(struct request *rq, const struct log_topic *t, struct view *ret_text)
{
	char pin[LOG_NAME_MAX + 1];
	uint32_t i, part;

	for (i = 0; i < t->n_parts; i++)
		if (log_part_find(rq->k->log, t->id, i, &part) && log_trim_held(rq->k->log, part, -1, pin)) {
			*ret_text = view_str(arena_printf(&rq->arena, "the topic's records are held by pin \"%s\"", pin));
			return KE_POLICY_VIOLATION;
		}
	return KE_NONE;
}

/* The topic that an answer names by name or id, with the other of the two. */
static enum kafka_error find_one(struct request *rq, struct delete_topics_response_topic *to)
{
	bool by_id = rq->version >= 6 && !to->name.ptr;
	struct log_topic t;

	if (!(by_id ? topic_find_id(rq->k, &to->topic_id, &t) : topic_find(rq->k, to->name, &t)))
		return by_id ? KE_UNKNOWN_TOPIC_ID : KE_UNKNOWN_TOPIC_OR_PARTITION;
	to->name = arena_view(&rq->arena, view_str(t.name));
	memcpy(to->topic_id.b, t.id, 16);
	return KE_NONE;
}

static void delete_one(struct request *rq, struct delete_topics_response_topic *to)
{
	struct err err = ERR_INIT;
	struct log_topic t;

	if (!topic_find_id(rq->k, &to->topic_id, &t))
		to->error = KE_UNKNOWN_TOPIC_OR_PARTITION;
	else if (topic_is_internal(to->name))
		to->error = (int16_t)say(&to->error_message, KE_POLICY_VIOLATION, "an internal topic cannot be deleted");
	else
		to->error = (int16_t)check_pins(rq, &t, &to->error_message);
	if (!to->error && log_topic_delete(rq->k->log, t.id, &err))
		to->error = (int16_t)say_err(rq, &to->error_message, &err);
}

static void delete_topics(struct request *rq)
{
	const struct delete_topics_request *in = rq->in;
	struct delete_topics_response *out = rq->out;
	int32_t n = rq->version >= 6 ? in->n_topics : in->n_names, i;
	struct map names = MAP_INIT;

	out->topics = REQUEST_ARRAY(rq, n, struct delete_topics_response_topic);
	out->n_topics = n;
	for (i = 0; i < n; i++) {
		struct delete_topics_response_topic *to = &out->topics[i];

		to->name = rq->version >= 6 ? in->topics[i].name : in->names[i];
		if (rq->version >= 6)
			to->topic_id = in->topics[i].topic_id;
		to->error = (int16_t)find_one(rq, to);
		if (!to->error)
			named_add(&names, to->name);
	}
	for (i = 0; i < n; i++) {
		struct delete_topics_response_topic *to = &out->topics[i];

		if (!to->error && named_twice(&names, to->name))
			to->error = (int16_t)say(&to->error_message, KE_INVALID_REQUEST, duplicate_topic);
		else if (!to->error)
			delete_one(rq, to);
	}
	map_release(&names);
}

/* The loop: committed offsets of what has gone go too. */
static void deleted(struct request *rq)
{
	const struct delete_topics_response *out = rq->out;
	int32_t i;

	for (i = 0; i < out->n_topics; i++)
		if (!out->topics[i].error)
			groups_topic_deleted(rq->k, out->topics[i].name);
}

void serve_delete_topics(struct request *rq)
{
	rq->back_on_loop = deleted;
	request_to_worker(rq, delete_topics);
}

/* ---- CreatePartitions ---- */

static enum kafka_error grow_one(
	struct request *rq, const struct create_partitions_request_topic *from, bool validate_only, struct view *ret_text)
{
	struct err err = ERR_INIT;
	struct log_topic t;
	int32_t i;

	if (!topic_find(rq->k, from->name, &t))
		return KE_UNKNOWN_TOPIC_OR_PARTITION;
	if (topic_is_internal(from->name))
		return say(ret_text, KE_INVALID_TOPIC, "an internal topic has the partitions it has");
	if (from->count <= (int32_t)t.n_parts || from->count > LOG_TOPIC_PARTITIONS_MAX)
		return say(ret_text, KE_INVALID_PARTITIONS, "the number of partitions can only grow, up to 10000");
	if (from->n_assignments >= 0 && from->n_assignments != from->count - (int32_t)t.n_parts)
		return say(ret_text, KE_INVALID_REPLICA_ASSIGNMENT, "an assignment names each new partition");
	for (i = 0; i < from->n_assignments; i++)
		if (!is_this_node(from->assignments[i].brokers, from->assignments[i].n_brokers))
			return say(ret_text, KE_INVALID_REPLICA_ASSIGNMENT, "each partition is on broker 1 alone");
	if (!validate_only && log_topic_grow(rq->k->log, t.id, (uint32_t)from->count, &err))
		return say_err(rq, ret_text, &err);
	return KE_NONE;
}

void serve_create_partitions(struct request *rq)
{
	const struct create_partitions_request *in = rq->in;
	struct create_partitions_response *out = rq->out;
	struct map names = MAP_INIT;
	int32_t i;

	for (i = 0; i < in->n_topics; i++)
		named_add(&names, in->topics[i].name);
	out->results = REQUEST_ARRAY(rq, in->n_topics, struct create_partitions_response_result);
	out->n_results = in->n_topics;
	for (i = 0; i < in->n_topics; i++) {
		struct create_partitions_response_result *to = &out->results[i];

		to->name = in->topics[i].name;
		if (named_twice(&names, to->name))
			to->error = (int16_t)say(&to->error_message, KE_INVALID_REQUEST, duplicate_topic);
		else
			to->error = (int16_t)grow_one(rq, &in->topics[i], in->validate_only, &to->error_message);
	}
	map_release(&names);
}

/* ---- DeleteRecords ---- */

static enum kafka_error trim(struct request *rq, struct view topic, int32_t index, int64_t before, int64_t *ret_start)
{
	struct err err = ERR_INIT;
	struct log_marks m;
	uint32_t part;

	if (topic_partition(rq->k, topic, index, &part))
		return KE_UNKNOWN_TOPIC_OR_PARTITION;
	if (topic_is_internal(topic))
		return KE_POLICY_VIOLATION;
	if (log_trim(rq->k->log, part, before, false, &err))
		return err.code == ERR_INVALID ? KE_OFFSET_OUT_OF_RANGE : kafka_error_of(&err);
	log_marks(rq->k->log, &part, 1, &m, NULL);
	*ret_start = m.start;
	return KE_NONE;
}

void serve_delete_records(struct request *rq)
{
	const struct delete_records_request *in = rq->in;
	struct delete_records_response *out = rq->out;
	int32_t i, j;

	out->topics = REQUEST_ARRAY(rq, in->n_topics, struct delete_records_response_topic);
	out->n_topics = in->n_topics;
	for (i = 0; i < in->n_topics; i++) {
		const struct delete_records_request_topic *from = &in->topics[i];
		struct delete_records_response_topic *to = &out->topics[i];

		to->name = from->name;
		to->partitions = REQUEST_ARRAY(rq, from->n_partitions, struct delete_records_response_topic_partition);
		to->n_partitions = from->n_partitions;
		for (j = 0; j < from->n_partitions; j++) {
			struct delete_records_response_topic_partition *p = &to->partitions[j];

			p->index = from->partitions[j].index;
			p->low_watermark = -1;
			p->error = (int16_t)trim(rq, from->name, p->index, from->partitions[j].offset, &p->low_watermark);
		}
	}
}

/* ---- DescribeLogDirs ---- */

struct dirs {
	struct request *rq;
	struct describe_log_dirs_response_result *to;
	unsigned n;
};

static void count(void *arg, const struct log_topic *t)
{
	((struct dirs *)arg)->n++;
}

/* Whether the request asks for the partition. */
static bool asked(const struct describe_log_dirs_request *in, const char *topic, int32_t partition)
{
	int32_t i, j;

	for (i = 0; i < in->n_topics; i++)
		for (j = 0; view_is(in->topics[i].name, topic) && j < in->topics[i].n_partitions; j++)
			if (in->topics[i].partitions[j] == partition)
				return true;
	return in->n_topics < 0;
}

static void add_dir_topic(void *arg, const struct log_topic *t)
{
	struct dirs *d = arg;
	struct describe_log_dirs_response_result_topic *to = &d->to->topics[d->to->n_topics];
	struct log_marks m;
	uint32_t i, part;

	if ((unsigned)d->to->n_topics == d->n || topic_is_hidden(view_str(t->name)))
		return;
	to->name = arena_view(&d->rq->arena, view_str(t->name));
	to->partitions = REQUEST_ARRAY(d->rq, (int32_t)t->n_parts, struct describe_log_dirs_response_result_topic_partition);
	for (i = 0; i < t->n_parts; i++) {
		if (!asked(d->rq->in, t->name, (int32_t)i) || !log_part_find(d->rq->k->log, t->id, i, &part))
			continue;
		log_marks(d->rq->k->log, &part, 1, &m, NULL);
		to->partitions[to->n_partitions++] =
			(struct describe_log_dirs_response_result_topic_partition){.index = (int32_t)i, .size = (int64_t)m.bytes};
	}
	d->to->n_topics += to->n_partitions > 0;
}

void serve_describe_log_dirs(struct request *rq)
{
	struct describe_log_dirs_response *out = rq->out;
	struct dirs d = {.rq = rq};
	struct log_stats s;

	log_stats(rq->k->log, &s);
	log_topic_list(rq->k->log, count, &d);
	out->results = d.to = REQUEST_ARRAY(rq, 1, struct describe_log_dirs_response_result);
	out->n_results = 1;
	d.to->log_dir = view_str(rq->k->dir);
	d.to->topics = REQUEST_ARRAY(rq, (int32_t)d.n, struct describe_log_dirs_response_result_topic);
	d.to->total_bytes = (int64_t)(s.disk_bytes + s.free_bytes);
	d.to->usable_bytes = (int64_t)s.free_bytes;
	log_topic_list(rq->k->log, add_dir_topic, &d);
}
