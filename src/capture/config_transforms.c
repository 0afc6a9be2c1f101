/*
 * Single message transforms of a connector file. Class names are looked up in a fixed table; one that is not there is a fault, because
 * leaving a transform out would publish something else than the file asks for.
 */
#include <stdio.h>

#include "capture/config_internal.h"
#include "capture/regex.h"

static const char *key_of(struct config_reader *r, struct view name, const char *option)
{
	return arena_printf(&r->config->arena, "transforms.%.*s.%s", (int)name.len, (const char *)name.ptr, option);
}

static struct view trim(struct view v)
{
	while (v.len && (v.ptr[0] == ' ' || v.ptr[0] == '\t' || v.ptr[0] == '\n')) {
		v.ptr++;
		v.len--;
	}
	while (v.len && (v.ptr[v.len - 1] == ' ' || v.ptr[v.len - 1] == '\t' || v.ptr[v.len - 1] == '\n'))
		v.len--;
	return v;
}

/* The next element of a comma separated list; false at its end. */
static bool next_item(struct view *list, struct view *ret)
{
	const uint8_t *comma;

	if (!list->ptr)
		return false;
	comma = list->len ? memchr(list->ptr, ',', list->len) : NULL;
	*ret = trim(view_of(list->ptr, comma ? (size_t)(comma - list->ptr) : list->len));
	*list = comma ? view_of(comma + 1, list->len - (size_t)(comma + 1 - list->ptr)) : VIEW_NULL;
	return true;
}

/* "op,source.ts_ms:EVT": [block.]field[:name], published under prefix + name, dots in the default name being underscores. */
static void read_fields(struct config_reader *r, const char *key, struct view prefix, struct add_field **ret, unsigned *ret_n)
{
	struct view list = config_get(r, key), item;
	struct arena *a = &r->config->arena;
	size_t most = 1, i;

	for (i = 0; i < list.len; i++)
		most += list.ptr[i] == ',';
	*ret = arena_zalloc(a, most * sizeof(**ret));
	*ret_n = 0;
	while (next_item(&list, &item)) {
		struct add_field *f = &(*ret)[*ret_n];
		const uint8_t *colon = item.len ? memchr(item.ptr, ':', item.len) : NULL, *dot;
		struct view path = colon ? view_of(item.ptr, (size_t)(colon - item.ptr)) : item;
		struct view as = colon ? view_of(colon + 1, item.len - path.len - 1) : path;
		char *name;

		if (path.len == 0)
			continue;
		dot = memchr(path.ptr, '.', path.len);
		f->field = dot ? view_of(dot + 1, path.len - (size_t)(dot + 1 - path.ptr)) : path;
		f->block = dot ? view_of(path.ptr, (size_t)(dot - path.ptr)) : VIEW_NULL;
		name = arena_printf(a, "%.*s%.*s", (int)prefix.len, (const char *)prefix.ptr, (int)as.len, (const char *)as.ptr);
		for (i = 0; name[i] && !colon; i++)
			if (name[i] == '.')
				name[i] = '_';
		f->name = view_str(name);
		(*ret_n)++;
	}
}

static void refuse_option(struct config_reader *r, struct view name, const char *option, const char *harmless)
{
	const char *key = key_of(r, name, option);
	struct view v = config_get(r, key);

	if (v.ptr && v.len && !view_is(v, harmless))
		config_fault(r, key, v, "this option is not supported by this version of walmill");
}

static void read_unwrap(struct config_reader *r, struct transform *t)
{
	static const struct config_choice modern[] = {{"drop", DELETE_DROP}, {"tombstone", DELETE_TOMBSTONE}, {"rewrite", DELETE_REWRITE},
		{"rewrite-with-tombstone", DELETE_REWRITE_TOMBSTONE}, {"delete-to-tombstone", DELETE_TO_TOMBSTONE}, {NULL, 0}};
	static const struct config_choice legacy[] = {{"drop", DELETE_DROP}, {"none", DELETE_NONE}, {"rewrite", DELETE_REWRITE}, {NULL, 0}};
	const char *key = key_of(r, t->name, "delete.tombstone.handling.mode");
	bool old = r->config->dialect == DIALECT_2_6;

	t->kind = TRANSFORM_UNWRAP;
	t->drop_tombstones = true;
	if (config_get(r, key).ptr || !old) {
		/* 3.2 no longer reads the legacy options: with them alone it falls back to the default */
		t->deletes = (enum delete_mode)config_choice(r, key, modern, DELETE_TOMBSTONE);
		t->drop_tombstones = t->deletes != DELETE_REWRITE_TOMBSTONE;
		if (!old && !config_get(r, key).ptr && config_get(r, key_of(r, t->name, "delete.handling.mode")).ptr)
			config_warn(r, "Transform \"%.*s\": delete.handling.mode is no longer read by Debezium 3.2, so deletes become null values. "
				    "Write delete.tombstone.handling.mode beside it.", (int)t->name.len, (const char *)t->name.ptr);
	} else {
		t->deletes = (enum delete_mode)config_choice(r, key_of(r, t->name, "delete.handling.mode"), legacy, DELETE_DROP);
		t->drop_tombstones = config_bool(r, key_of(r, t->name, "drop.tombstones"), true);
	}
	read_fields(r, key_of(r, t->name, "add.fields"), config_string(r, key_of(r, t->name, "add.fields.prefix"), "__"), &t->add_fields,
		&t->nadd_fields);
	read_fields(r, key_of(r, t->name, "add.headers"), config_string(r, key_of(r, t->name, "add.headers.prefix"), "__"), &t->add_headers,
		    &t->nadd_headers);
	refuse_option(r, t->name, "route.by.field", "");
	refuse_option(r, t->name, "drop.fields.header.name", "");
	refuse_option(r, t->name, "replace.null.with.default", "true");
}

static void read_router(struct config_reader *r, struct transform *t, const char *regex, const char *replacement)
{
	const char *key = key_of(r, t->name, regex);
	struct view pattern = config_get(r, key);
	struct err why = ERR_INIT;

	if (!pattern.ptr)
		config_missing(r, key);
	else if (regex_compile(pattern, false, &t->topic, &why))
		config_fault(r, key, pattern, why.text);
	key = key_of(r, t->name, replacement);
	t->replacement = config_get(r, key);
	if (!t->replacement.ptr)
		config_missing(r, key);
}

static void read_one(struct config_reader *r, struct transform *t)
{
	const char *key = key_of(r, t->name, "type");
	struct view type = config_get(r, key);

	refuse_option(r, t->name, "predicate", "");
	if (view_is(type, "io.debezium.transforms.ExtractNewRecordState")) {
		read_unwrap(r, t);
	} else if (view_is(type, "org.apache.kafka.connect.transforms.RegexRouter")) {
		t->kind = TRANSFORM_REGEX_ROUTER;
		read_router(r, t, "regex", "replacement");
	} else if (view_is(type, "io.debezium.transforms.ByLogicalTableRouter")) {
		t->kind = TRANSFORM_LOGICAL_ROUTER;
		read_router(r, t, "topic.regex", "topic.replacement");
		t->key_uniqueness = config_bool(r, key_of(r, t->name, "key.enforce.uniqueness"), true);
		t->key_field = config_string(r, key_of(r, t->name, "key.field.name"), "__dbz__physicalTableIdentifier");
		refuse_option(r, t->name, "key.field.regex", "");
		refuse_option(r, t->name, "key.field.replacement", "");
	} else if (type.ptr) {
		config_fault(r, key, type,
			arena_printf(&r->config->arena, "Class %.*s could not be found.", (int)type.len, (const char *)type.ptr));
	} else {
		config_missing(r, key);
	}
}

void config_transforms(struct config_reader *r)
{
	struct connector_config *c = r->config;
	struct view list = config_get(r, "transforms"), item;
	size_t most = 1, i;

	for (i = 0; i < list.len; i++)
		most += list.ptr[i] == ',';
	c->transforms = arena_zalloc(&c->arena, most * sizeof(*c->transforms));
	while (next_item(&list, &item)) {
		struct transform *t = &c->transforms[c->ntransforms];

		if (item.len == 0)
			continue;
		c->ntransforms++;
		t->name = item;
		read_one(r, t);
	}
}
