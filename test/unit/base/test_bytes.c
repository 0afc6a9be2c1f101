/* Views, buffers, readers, arenas, maps, checksums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/map.h"

static void buffer_stops_at_its_bound(void **state)
{
	struct buf b = BUF_INIT(8);

	buf_puts(&b, "12345678");
	assert_true(buf_ok(&b));
	buf_putc(&b, '9');
	assert_false(buf_ok(&b));
	assert_int_equal(b.len, 8);
	buf_put(&b, "", 0);
	assert_false(buf_ok(&b));
	buf_clear(&b);
	buf_be32(&b, 0x01020304);
	assert_true(buf_ok(&b));
	assert_memory_equal(b.ptr, "\1\2\3\4", 4);
	buf_release(&b);
}

static void varints_round_trip(void **state)
{
	static const int64_t values[] = {0, -1, 1, 63, 64, -64, -65, 8191, 8192, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
	struct buf b = BUF_INIT(1024);
	struct reader r;
	size_t i;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		buf_varint(&b, values[i]);
		buf_uvarint(&b, (uint64_t)values[i]);
	}
	r = reader_of(buf_view(&b));
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		assert_true(reader_varint(&r) == values[i]);
		assert_true(reader_uvarint(&r) == (uint64_t)values[i]);
	}
	assert_true(reader_done(&r));
	buf_release(&b);
}

static void varint_of_more_than_64_bits_is_refused(void **state)
{
	static const uint8_t over[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02};
	struct reader r = reader_of(view_of(over, sizeof(over)));

	assert_int_equal(reader_uvarint(&r), 0);
	assert_true(r.bad);
}

static void reader_never_leaves_its_bytes(void **state)
{
	struct reader r = reader_of(view_of("\xff\xff\xff\xff\xff\xff\xff\xff\x7f" "ab", 11));

	assert_null(reader_bytes(&r).ptr);
	assert_true(r.bad);
	assert_int_equal(reader_be32(&r), 0);
	assert_false(reader_done(&r));
	r = reader_of(view_of("abc", 3));
	assert_null(reader_cstr(&r).ptr);
	assert_true(r.bad);
	r = reader_of(VIEW_NULL);
	assert_true(reader_done(&r));
	assert_int_equal(reader_u8(&r), 0);
	assert_true(r.bad);
}

static void decimal_digits(void **state)
{
	struct buf b = BUF_INIT(128);

	buf_i64(&b, INT64_MIN);
	buf_putc(&b, ' ');
	buf_u64(&b, UINT64_MAX);
	buf_printf(&b, " %d|%s", 7, "x");
	assert_string_equal(buf_cstr(&b), "-9223372036854775808 18446744073709551615 7|x");
	buf_release(&b);
}

static void checksum_by_instruction_and_by_table_agree(void **state)
{
	static uint8_t bytes[20000];
	uint32_t x = 1;
	size_t i;

	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c_table(0, "123456789", 9), 0xe3069283);
	for (i = 0; i < sizeof(bytes); i++) {
		x = x * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(x >> 24);
	}
	for (i = 0; i < sizeof(bytes); i += 97) {
		assert_int_equal(crc32c(0, bytes, i), crc32c_table(0, bytes, i));
		assert_int_equal(crc32c(crc32c(0, bytes, i), bytes + i, sizeof(bytes) - i), crc32c(0, bytes, sizeof(bytes)));
	}
}

static void arena_hands_out_apart_and_keeps_nothing_after_reset(void **state)
{
	struct arena a = ARENA_INIT;
	char *first, *p;
	size_t i;

	first = arena_alloc(&a, 1);
	for (i = 0; i < 1000; i++) {
		p = arena_alloc(&a, i * 37);
		assert_int_equal((uintptr_t)p % 16, 0);
		memset(p, 0xaa, i * 37);
	}
	p = arena_alloc(&a, 8 << 20);
	memset(p, 1, 8 << 20);
	assert_string_equal(arena_printf(&a, "%s-%d", "x", 5), "x-5");
	arena_reset(&a);
	assert_int_equal(a.used, 0);
	assert_ptr_equal(arena_alloc(&a, 1), first);
	arena_release(&a);
}

static void map_keeps_what_is_put(void **state)
{
	struct map m = MAP_INIT;
	struct map_slot *s;
	char key[32];
	size_t i, n = 0, pos = 0;

	for (i = 0; i < 5000; i++) {
		size_t len = (size_t)snprintf(key, sizeof(key), "key-%zu", i);

		assert_null(map_put(&m, view_of(key, len), (void *)(i + 1)));
		if (i % 3 == 0)
			assert_ptr_equal(map_remove(&m, view_of(key, len)), (void *)(i + 1));
	}
	for (i = 0; i < 5000; i++) {
		size_t len = (size_t)snprintf(key, sizeof(key), "key-%zu", i);

		assert_ptr_equal(map_get(&m, view_of(key, len)), i % 3 ? (void *)(i + 1) : NULL);
	}
	while ((s = map_iter(&m, &pos)) != NULL)
		n++;
	assert_int_equal(n, m.count);
	assert_int_equal(n, 3333);
	assert_ptr_equal(map_put(&m, view_str("key-1"), (void *)77), (void *)2);
	assert_null(map_put(&m, VIEW_NULL, (void *)5));
	assert_ptr_equal(map_get(&m, VIEW_NULL), (void *)5);
	map_release(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffer_stops_at_its_bound),
		cmocka_unit_test(varints_round_trip),
		cmocka_unit_test(varint_of_more_than_64_bits_is_refused),
		cmocka_unit_test(reader_never_leaves_its_bytes),
		cmocka_unit_test(decimal_digits),
		cmocka_unit_test(checksum_by_instruction_and_by_table_agree),
		cmocka_unit_test(arena_hands_out_apart_and_keeps_nothing_after_reset),
		cmocka_unit_test(map_keeps_what_is_put),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
