/* DescribeConfigs, AlterConfigs, IncrementalAlterConfigs. On the worker: they wait for the disk. */
#include "kafka/configs.h"
#include "kafka/topics.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"

enum { RESOURCE_TOPIC = 2, RESOURCE_BROKER = 4 };
enum { OP_SET = 0, OP_DELETE = 1, OP_APPEND = 2, OP_SUBTRACT = 3 };

/* ---- DescribeConfigs ---- */

/* What clients ask of a broker, as it is here. */
static void broker_value(const struct kafka *k, const char *name, struct buf *to)
{
	buf_clear(to);
	if (strcmp(name, "auto.create.topics.enable") == 0)
		buf_puts(to, k->o.auto_create ? "true" : "false");
	else if (strcmp(name, "num.partitions") == 0)
		buf_printf(to, "%u", k->o.partitions);
	else if (strcmp(name, "broker.id") == 0 || strcmp(name, "node.id") == 0)
		buf_printf(to, "%d", KAFKA_NODE_ID);
	else if (strcmp(name, "inter.broker.protocol.version") == 0)
		buf_puts(to, "3.9-IV0");
	else if (strcmp(name, "group.initial.rebalance.delay.ms") == 0)
		buf_printf(to, "%lld", (long long)k->o.rebalance_delay_us / 1000);
	else if (strcmp(name, "delete.topic.enable") == 0)
		buf_puts(to, "true");
	else
		buf_puts(to, "1");
}

static const struct {
	const char *name;
	enum config_type type;
} broker_keys[] = {
	{"auto.create.topics.enable", CONFIG_BOOLEAN}, {"broker.id", CONFIG_INT}, {"default.replication.factor", CONFIG_INT},
	{"delete.topic.enable", CONFIG_BOOLEAN}, {"group.initial.rebalance.delay.ms", CONFIG_INT},
	{"inter.broker.protocol.version", CONFIG_STRING}, {"min.insync.replicas", CONFIG_INT}, {"node.id", CONFIG_INT},
	{"num.partitions", CONFIG_INT}, {"offsets.topic.replication.factor", CONFIG_INT},
};

enum { BROKER_KEYS = sizeof(broker_keys) / sizeof(broker_keys[0]) };

static bool wanted(const struct describe_configs_request_resource *from, const char *name)
{
	int32_t i;

	for (i = 0; i < from->n_keys; i++)
		if (view_is(from->keys[i], name))
			return true;
	/* version 0 asks for all with no key at all, as later ones do with null */
	return from->n_keys <= 0;
}

static void add_config(struct request *rq, struct describe_configs_response_result *to, const char *name, enum config_type type,
	struct view value, enum config_source source, const char *preset, const char *doc)
{
	const struct describe_configs_request *in = rq->in;
	struct describe_configs_response_result_config *c = &to->configs[to->n_configs++];

	*c = (struct describe_configs_response_result_config){.name = view_str(name), .value = arena_view(&rq->arena, value),
		.read_only = source == SOURCE_STATIC_BROKER, .is_default = source == SOURCE_DEFAULT, .source = (int8_t)source,
		.type = (int8_t)type, .documentation = in->include_documentation && doc ? view_str(doc) : VIEW_NULL};
	if (!in->include_synonyms)
		return;
	c->synonyms = REQUEST_ARRAY(rq, 2, struct describe_configs_response_result_config_synonym);
	c->synonyms[c->n_synonyms++] = (struct describe_configs_response_result_config_synonym){c->name, c->value, (int8_t)source};
	if (source == SOURCE_TOPIC)
		c->synonyms[c->n_synonyms++] =
			(struct describe_configs_response_result_config_synonym){c->name, view_str(preset), SOURCE_DEFAULT};
}

static void describe_topic(
	struct request *rq, const struct describe_configs_request_resource *from, struct describe_configs_response_result *to)
{
	struct buf value = BUF_INIT(1 << 16);
	struct log_topic t;
	unsigned i;

	if (!topic_find(rq->k, from->name, &t)) {
		to->error = topic_name_is_valid(from->name) ? KE_UNKNOWN_TOPIC_OR_PARTITION : KE_INVALID_TOPIC;
		return;
	}
	to->configs = REQUEST_ARRAY(rq, (int32_t)n_config_keys, struct describe_configs_response_result_config);
	for (i = 0; i < n_config_keys; i++) {
		const struct config_key *key = &config_keys[i];
		enum config_source source = config_value(rq->k->log, t.id, key, &value);

		if (wanted(from, key->name))
			add_config(rq, to, key->name, key->type, buf_view(&value), source, key->preset, key->doc);
	}
	buf_release(&value);
}

static void describe_broker(
	struct request *rq, const struct describe_configs_request_resource *from, struct describe_configs_response_result *to)
{
	struct buf value = BUF_INIT(1 << 12);
	unsigned i;

	if (from->name.len && !view_is(from->name, "1")) {
		to->error = KE_INVALID_REQUEST;
		to->error_message = view_str("there is one broker, number 1");
		return;
	}
	to->configs = REQUEST_ARRAY(rq, BROKER_KEYS, struct describe_configs_response_result_config);
	for (i = 0; i < BROKER_KEYS && from->name.len; i++)
		if (wanted(from, broker_keys[i].name)) {
			broker_value(rq->k, broker_keys[i].name, &value);
			add_config(rq, to, broker_keys[i].name, broker_keys[i].type, buf_view(&value), SOURCE_STATIC_BROKER, NULL, NULL);
		}
	buf_release(&value);
}

void serve_describe_configs(struct request *rq)
{
	const struct describe_configs_request *in = rq->in;
	struct describe_configs_response *out = rq->out;
	int32_t i;

	out->results = REQUEST_ARRAY(rq, in->n_resources, struct describe_configs_response_result);
	out->n_results = in->n_resources;
	for (i = 0; i < in->n_resources; i++) {
		struct describe_configs_response_result *to = &out->results[i];

		to->type = in->resources[i].type;
		to->name = in->resources[i].name;
		if (to->type == RESOURCE_TOPIC)
			describe_topic(rq, &in->resources[i], to);
		else if (to->type == RESOURCE_BROKER)
			describe_broker(rq, &in->resources[i], to);
		else if (to->type != 8 && to->type != 16 && to->type != 32) /* broker loggers, client metrics, groups: none is set */
			to->error = KE_INVALID_REQUEST;
	}
}

/* ---- changing ---- */

struct change {
	struct log_config *list;
	unsigned n;
};

static enum kafka_error fail(struct request *rq, struct view *ret_text, enum kafka_error code, const struct err *err)
{
	*ret_text = arena_view(&rq->arena, view_str(err->text));
	return code;
}

/* `names` are those of the request's topics. */
static enum kafka_error find_topic(
	struct request *rq, const struct map *names, int8_t type, struct view name, struct log_topic *t, struct view *ret_text)
{
	struct err err = ERR_INIT;

	if (type == RESOURCE_TOPIC && named_twice(names, name)) {
		*ret_text = view_str("Each resource must appear at most once.");
		return KE_INVALID_REQUEST;
	}
	if (type != RESOURCE_TOPIC) {
		err_set(
			&err, ERR_INVALID, "only configurations of topics can be changed: what Kafka configures of a broker are settings of walmill");
		return fail(rq, ret_text, KE_INVALID_REQUEST, &err);
	}
	if (topic_is_internal(name)) {
		err_set(&err, ERR_INVALID, "the configuration of an internal topic cannot be changed");
		return fail(rq, ret_text, KE_POLICY_VIOLATION, &err);
	}
	return topic_find(rq->k, name, t) ? KE_NONE : KE_UNKNOWN_TOPIC_OR_PARTITION;
}

static enum kafka_error add_change(struct request *rq, struct change *c, struct view name, struct view value, struct view *ret_text)
{
	const struct config_key *key = config_key(name);
	struct err err = ERR_INIT;
	unsigned i;

	if (!key) {
		err_set(&err, ERR_INVALID, "there is no topic configuration \"%.*s\"", (int)(name.len < 100 ? name.len : 100),
			(const char *)name.ptr);
		return fail(rq, ret_text, KE_INVALID_CONFIG, &err);
	}
	for (i = 0; i < c->n; i++)
		if (strcmp(c->list[i].key, key->name) == 0) {
			err_set(&err, ERR_INVALID, "configuration %s is named twice", key->name);
			return fail(rq, ret_text, KE_INVALID_REQUEST, &err);
		}
	if (value.ptr && config_check(key, value, &err))
		return fail(rq, ret_text, KE_INVALID_CONFIG, &err);
	c->list[c->n++] = (struct log_config){key->name, value.ptr ? arena_str(&rq->arena, value) : NULL};
	return KE_NONE;
}

static enum kafka_error apply(
	struct request *rq, const struct log_topic *t, const struct change *c, bool validate_only, struct view *ret_text)
{
	struct err err = ERR_INIT;

	if (!validate_only && c->n && log_topic_alter(rq->k->log, t->id, c->list, c->n, &err))
		return fail(rq, ret_text, kafka_error_of(&err), &err);
	return KE_NONE;
}

/* All that is set and not named is reset. */
static enum kafka_error replace_all(struct request *rq, const struct map *names, const struct alter_configs_request_resource *from,
	bool validate_only, struct view *ret_text)
{
	struct change c = {.list = REQUEST_ARRAY(rq, from->n_configs + (int32_t)n_config_keys, struct log_config)};
	struct buf value = BUF_INIT(1 << 16);
	enum kafka_error error;
	struct log_topic t;
	unsigned i, k;
	int32_t j;

	error = find_topic(rq, names, from->type, from->name, &t, ret_text);
	for (j = 0; !error && j < from->n_configs; j++)
		error = add_change(rq, &c, from->configs[j].name, from->configs[j].value, ret_text);
	if (error)
		return error;
	for (i = 0; i < n_config_keys; i++) {
		for (k = 0; k < c.n && strcmp(c.list[k].key, config_keys[i].name) != 0; k++)
			;
		if (k == c.n && config_value(rq->k->log, t.id, &config_keys[i], &value) == SOURCE_TOPIC)
			c.list[c.n++] = (struct log_config){config_keys[i].name, NULL};
	}
	buf_release(&value);
	return apply(rq, &t, &c, validate_only, ret_text);
}

void serve_alter_configs(struct request *rq)
{
	const struct alter_configs_request *in = rq->in;
	struct alter_configs_response *out = rq->out;
	struct map names = MAP_INIT;
	int32_t i;

	for (i = 0; i < in->n_resources; i++)
		if (in->resources[i].type == RESOURCE_TOPIC)
			named_add(&names, in->resources[i].name);
	out->resources = REQUEST_ARRAY(rq, in->n_resources, struct alter_configs_response_resource);
	out->n_resources = in->n_resources;
	for (i = 0; i < in->n_resources; i++) {
		struct alter_configs_response_resource *to = &out->resources[i];

		to->type = in->resources[i].type;
		to->name = in->resources[i].name;
		to->error = (int16_t)replace_all(rq, &names, &in->resources[i], in->validate_only, &to->error_message);
	}
	map_release(&names);
}

/* The words of `list`, without those of `words` when !add, else with those that are not there yet. */
static struct view edit_list(struct request *rq, struct view list, struct view words, bool add)
{
	struct view parts[2] = {list, words};
	struct buf b = BUF_INIT(1 << 16);
	struct view out;
	unsigned which;

	for (which = 0; which < (add ? 2u : 1u); which++) {
		struct view rest = parts[which];

		while (rest.len) {
			const uint8_t *comma = memchr(rest.ptr, ',', rest.len);
			size_t n = comma ? (size_t)(comma - rest.ptr) : rest.len;
			struct view word = view_of(rest.ptr, n);
			struct view other = which ? buf_view(&b) : add ? VIEW_NULL : words;
			bool there = false;

			rest = view_of(rest.ptr + n + (comma != NULL), rest.len - n - (comma != NULL));
			while (other.len && !there) {
				const uint8_t *end = memchr(other.ptr, ',', other.len);
				size_t m = end ? (size_t)(end - other.ptr) : other.len;

				there = view_eq(word, view_of(other.ptr, m));
				other = view_of(other.ptr + m + (end != NULL), other.len - m - (end != NULL));
			}
			if (!there && n) {
				buf_puts(&b, b.len ? "," : "");
				buf_putv(&b, word);
			}
		}
	}
	out = arena_view(&rq->arena, b.len ? buf_view(&b) : view_of("", 0));
	buf_release(&b);
	return out;
}

static enum kafka_error change_one(struct request *rq, const struct log_topic *t, struct change *c,
	const struct incremental_alter_configs_request_resource_config *from, struct view *ret_text)
{
	const struct config_key *key = config_key(from->name);
	struct buf now = BUF_INIT(1 << 16);
	struct view value = from->value;
	struct err err = ERR_INIT;

	if (from->operation == OP_DELETE)
		return add_change(rq, c, from->name, VIEW_NULL, ret_text);
	if (from->operation < OP_SET || from->operation > OP_SUBTRACT || !value.ptr) {
		err_set(&err, ERR_INVALID, "a change has an operation from 0 to 3, and a value unless it deletes");
		return fail(rq, ret_text, KE_INVALID_REQUEST, &err);
	}
	if (key && from->operation != OP_SET) {
		if (key->type != CONFIG_LIST) {
			err_set(&err, ERR_INVALID, "%s is not a list that could be appended to", key->name);
			return fail(rq, ret_text, KE_INVALID_CONFIG, &err);
		}
		config_value(rq->k->log, t->id, key, &now);
		value = edit_list(rq, buf_view(&now), value, from->operation == OP_APPEND);
		buf_release(&now);
	}
	return add_change(rq, c, from->name, value, ret_text);
}

void serve_incremental_alter_configs(struct request *rq)
{
	const struct incremental_alter_configs_request *in = rq->in;
	struct incremental_alter_configs_response *out = rq->out;
	struct map names = MAP_INIT;
	int32_t i, j;

	for (i = 0; i < in->n_resources; i++)
		if (in->resources[i].type == RESOURCE_TOPIC)
			named_add(&names, in->resources[i].name);
	out->resources = REQUEST_ARRAY(rq, in->n_resources, struct incremental_alter_configs_response_resource);
	out->n_resources = in->n_resources;
	for (i = 0; i < in->n_resources; i++) {
		const struct incremental_alter_configs_request_resource *from = &in->resources[i];
		struct incremental_alter_configs_response_resource *to = &out->resources[i];
		struct change c = {.list = REQUEST_ARRAY(rq, from->n_configs, struct log_config)};
		enum kafka_error error;
		struct log_topic t;

		to->type = from->type;
		to->name = from->name;
		error = find_topic(rq, &names, from->type, from->name, &t, &to->error_message);
		for (j = 0; !error && j < from->n_configs; j++)
			error = change_one(rq, &t, &c, &from->configs[j], &to->error_message);
		if (!error)
			error = apply(rq, &t, &c, in->validate_only, &to->error_message);
		to->error = (int16_t)error;
	}
	map_release(&names);
}
