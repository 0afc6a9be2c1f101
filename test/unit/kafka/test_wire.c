/* The Kafka protocol's encoding: every message in every version goes there and back; hostile counts and lengths are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/mem.h"
#include "kafka/messages.h"

static uint64_t seed = 1;

static uint32_t any(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

/* ---- a value of every kind, by the description ---- */

static void fill(const struct wire_struct *s, uint8_t *to, struct arena *a);

static void fill_scalar(unsigned type, uint8_t *to, struct arena *a)
{
	static const size_t sizes[] = {[WIRE_BOOL] = 1, [WIRE_I8] = 1, [WIRE_I16] = 2, [WIRE_U16] = 2, [WIRE_I32] = 4, [WIRE_U32] = 4,
		[WIRE_I64] = 8, [WIRE_UUID] = 16};
	uint32_t len = any(4) ? any(40) : any(400), i;
	uint8_t *p;

	if (type == WIRE_BOOL) {
		*(bool *)to = any(2);
	} else if (type < WIRE_STRING) {
		for (i = 0; i < sizes[type]; i++)
			to[i] = (uint8_t)any(256);
	} else {
		p = arena_alloc(a, len + 1);
		for (i = 0; i < len; i++)
			p[i] = (uint8_t)any(256);
		*(struct view *)to = view_of(p, len);
	}
}

static void fill(const struct wire_struct *s, uint8_t *to, struct arena *a)
{
	uint32_t i;
	int32_t n, k;

	for (i = 0; i < s->n; i++) {
		const struct wire_field *f = &s->fields[i];

		if (f->type == WIRE_MAYBE) {
			*(void **)(to + f->at) = any(2) ? arena_zalloc(a, f->of->size) : NULL;
			if (*(void **)(to + f->at))
				fill(f->of, *(void **)(to + f->at), a);
		} else if (f->type == WIRE_ARRAY) {
			size_t each = f->element == WIRE_STRUCT ? f->of->size : sizeof(struct view);
			uint8_t *p = arena_zalloc(a, each * 200);

			/* counts beyond 127 take two bytes in the flexible form */
			n = any(20) ? (int32_t)any(4) : f->element == WIRE_STRUCT ? 0 : (int32_t)any(200);
			*(void **)(to + f->at) = p;
			*(int32_t *)(to + f->count_at) = f->null_from <= f->null_to && any(4) == 0 ? -1 : n;
			for (k = 0; k < n; k++)
				if (f->element == WIRE_STRUCT)
					fill(f->of, p + (size_t)k * each, a);
				else
					fill_scalar(f->element, p + (size_t)k * (f->element == WIRE_STRING ? sizeof(struct view)
							: f->element == WIRE_I64 ? 8 : f->element == WIRE_UUID ? 16 : 4), a);
		} else if (f->null_from <= f->null_to && any(4) == 0 && f->type >= WIRE_STRING) {
			*(struct view *)(to + f->at) = VIEW_NULL;
		} else {
			fill_scalar(f->type, to + f->at, a);
		}
	}
}

static void there_and_back(const struct wire_struct *s, int version, bool flexible)
{
	struct arena a = ARENA_INIT;
	struct buf one = BUF_INIT(1 << 24), two = BUF_INIT(1 << 24);
	uint8_t *value = arena_zalloc(&a, s->size), *back = arena_zalloc(&a, s->size), *third = arena_zalloc(&a, s->size);
	size_t cut;

	fill(s, value, &a);
	wire_encode(s, version, flexible, value, &one);
	assert_true(buf_ok(&one));
	assert_true(wire_decode(s, version, flexible, buf_view(&one), &a, back));
	wire_encode(s, version, flexible, back, &two);
	assert_true(view_eq(buf_view(&one), buf_view(&two)));

	/* one byte more is not consumed; one less is missing: no prefix is a message */
	buf_u8(&two, 0);
	assert_false(wire_decode(s, version, flexible, buf_view(&two), &a, third));
	for (cut = 0; cut < one.len; cut += 1 + one.len / 50) {
		uint8_t *exact = mem_alloc(cut + 1);

		memcpy(exact, one.ptr, cut);
		assert_false(wire_decode(s, version, flexible, view_of(exact, cut), &a, third));
		mem_free(exact);
	}
	buf_release(&one);
	buf_release(&two);
	arena_release(&a);
}

/* Large records may be left where they lie: sent in their places they make the same bytes. */
static void records_apart_make_the_same_bytes(void **state)
{
	static uint8_t bytes[20000];
	struct fetch_response_topic_partition parts[] = {{.index = 0}, {.index = 1}, {.index = 2}, {.index = 3}, {.index = 4}};
	static const size_t lens[] = {4095, 4096, 0, 20000, 5000};
	struct fetch_response_topic topic = {.name = view_str("t"), .partitions = parts, .n_partitions = 5};
	struct fetch_response out = {.topics = &topic, .n_topics = 1};
	struct buf whole = BUF_INIT(1 << 20), apart = BUF_INIT(1 << 20), joined = BUF_INIT(1 << 20);
	struct wire_pieces pieces = {0};
	size_t at = 0, sum = 0;
	int version;
	unsigned i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	for (i = 0; i < 5; i++)
		parts[i].records = view_of(bytes, lens[i]);
	for (version = 4; version <= 12; version += 8) {
		buf_clear(&whole);
		buf_clear(&apart);
		buf_clear(&joined);
		at = sum = 0;
		wire_encode(&wire_fetch_response, version, version >= 12, &out, &whole);
		wire_encode_apart(&wire_fetch_response, version, version >= 12, &out, &apart, &pieces);
		assert_int_equal(pieces.n, 3);
		for (i = 0; i < pieces.n; i++) {
			assert_ptr_equal(pieces.list[i].bytes.ptr, bytes);
			buf_put(&joined, apart.ptr + at, pieces.list[i].at - at);
			buf_putv(&joined, pieces.list[i].bytes);
			at = pieces.list[i].at;
			sum += pieces.list[i].bytes.len;
		}
		buf_put(&joined, apart.ptr + at, apart.len - at);
		assert_int_equal(pieces.bytes, sum);
		assert_true(view_eq(buf_view(&joined), buf_view(&whole)));
		wire_pieces_release(&pieces);
	}
	buf_release(&whole);
	buf_release(&apart);
	buf_release(&joined);
}

static void every_message_goes_there_and_back_in_every_version(void **state)
{
	unsigned i, round;
	int v, done = 0;

	for (i = 0; i < KAFKA_MESSAGES; i++) {
		const struct wire_message *m = &kafka_messages[i];

		for (v = m->from; v <= m->to; v++)
			for (round = 0; round < 20; round++, done++) {
				there_and_back(m->request, v, v >= m->flexible);
				if (m->response)
					there_and_back(m->response, v, v >= m->flexible);
			}
	}
	assert_true(done > 2000);
}

/* What a version does not have comes out as its preset. */
static void a_field_that_a_version_lacks_is_at_its_preset(void **state)
{
	static const uint8_t bytes[] = {0, 0, 0, 1, 0, 1, 't'};
	struct metadata_request m;
	struct arena a = ARENA_INIT;

	assert_true(wire_decode(&wire_metadata_request, 1, false, view_of(bytes, sizeof(bytes)), &a, &m));
	assert_int_equal(m.n_topics, 1);
	assert_true(view_is(m.topics[0].name, "t"));
	assert_true(m.allow_auto_create);
	assert_false(m.include_topic_operations);
	arena_release(&a);
}

/* Bytes as a Java client sends them (Kafka 3.9.1, console producer), taken from the wire. */
static void recorded_bytes_are_understood(void **state)
{
	static const uint8_t api_versions[] = "\x12" "apache-kafka-java" "\x06" "3.9.1" "\x00";
	static const uint8_t metadata12[] = "\x02" "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" "\x05" "demo" "\x00" "\x01" "\x00" "\x00";
	struct arena a = ARENA_INIT;
	struct api_versions_request v;
	struct metadata_request m;

	assert_true(wire_decode(&wire_api_versions_request, 4, true, view_of(api_versions, sizeof(api_versions) - 1), &a, &v));
	assert_true(view_is(v.client_software_name, "apache-kafka-java") && view_is(v.client_software_version, "3.9.1"));
	assert_true(wire_decode(&wire_metadata_request, 12, true, view_of(metadata12, sizeof(metadata12) - 1), &a, &m));
	assert_int_equal(m.n_topics, 1);
	assert_true(view_is(m.topics[0].name, "demo") && m.allow_auto_create && !m.include_topic_operations);
	arena_release(&a);
}

static void unknown_tags_are_skipped_and_bad_ones_refused(void **state)
{
	static const uint8_t good[] = "\x02" "a" "\x02" "1" "\x02" "\x07\x03xyz" "\xff\x01\x00";
	static const uint8_t beyond[] = "\x02" "a" "\x02" "1" "\x01" "\x07\x7fxyz";
	struct arena a = ARENA_INIT;
	struct api_versions_request v;

	assert_true(wire_decode(&wire_api_versions_request, 3, true, view_of(good, sizeof(good) - 1), &a, &v));
	assert_false(wire_decode(&wire_api_versions_request, 3, true, view_of(beyond, sizeof(beyond) - 1), &a, &v));
	arena_release(&a);
}

static void huge_counts_allocate_nothing(void **state)
{
	static const uint8_t classic[] = {0x7f, 0xff, 0xff, 0xff, 0, 1, 't'}, negative[] = {0xff, 0xff, 0xff, 0xfe, 0, 1, 't'};
	static const uint8_t flexible[] = {0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3};
	struct arena a = ARENA_INIT;
	struct metadata_request m;

	assert_false(wire_decode(&wire_metadata_request, 1, false, view_of(classic, sizeof(classic)), &a, &m));
	assert_false(wire_decode(&wire_metadata_request, 1, false, view_of(negative, sizeof(negative)), &a, &m));
	assert_false(wire_decode(&wire_metadata_request, 9, true, view_of(flexible, sizeof(flexible)), &a, &m));
	assert_int_equal(a.used, 0);
	arena_release(&a);
}

/* As many elements as the bytes could hold, but of structs much larger than their few bytes. */
static void what_decodes_to_much_more_than_its_bytes_is_refused(void **state)
{
	size_t len = 3 << 20, i;
	uint8_t *bytes = mem_zalloc(len);
	struct arena a = ARENA_INIT;
	struct join_group_request j;
	struct buf b = BUF_INIT(1 << 26);

	buf_put(&b, "\0\1g\0\0\0\0\0\1m\0\1p", 13);
	buf_be32(&b, (uint32_t)(len / 6));
	buf_put(&b, bytes, len / 6 * 6);
	assert_true(wire_decode(&wire_join_group_request, 0, false, buf_view(&b), &a, &j));
	i = a.used;
	buf_clear(&b);
	buf_put(&b, "\0\1g\0\0\0\0\0\1m\0\1p", 13);
	buf_be32(&b, (uint32_t)(len / 3));
	buf_put(&b, bytes, len);
	buf_put(&b, bytes, len);
	assert_int_equal((len / 3) * 6, len * 2);
	assert_false(wire_decode(&wire_join_group_request, 0, false, buf_view(&b), &a, &j));
	assert_true(a.used - i < 1000);
	buf_release(&b);
	arena_release(&a);
	mem_free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_goes_there_and_back_in_every_version),
		cmocka_unit_test(records_apart_make_the_same_bytes),
		cmocka_unit_test(a_field_that_a_version_lacks_is_at_its_preset),
		cmocka_unit_test(recorded_bytes_are_understood),
		cmocka_unit_test(unknown_tags_are_skipped_and_bad_ones_refused),
		cmocka_unit_test(huge_counts_allocate_nothing),
		cmocka_unit_test(what_decodes_to_much_more_than_its_bytes_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
