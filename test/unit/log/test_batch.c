/* Record batches: what is built can be read, and what is not a batch is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/crc32c.h"
#include "log/batch.h"

static struct view str(const char *s)
{
	return s ? view_str(s) : VIEW_NULL;
}

/* Bytes that Apache Kafka's own producer sends for one record: key "k", value "v", no headers, time 0x18bcfe56800 (written out by hand from
 * the format). */
static void one_record_has_the_bytes_of_the_format(void **state)
{
	static const uint8_t want[] = {
	    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 58, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x8b, 0xcf, 0xe5, 0x68, 0, 0, 0, 1,
	    0x8b, 0xcf,
	    0xe5, 0x68, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 1,
	    16, 0, 0, 0, 2, 'k', 2, 'v', 0};
	struct buf b = BUF_INIT(1000);
	struct batch_builder bb;

	batch_begin(&bb, &b, 0x18bcfe56800);
	batch_record(&bb, 0x18bcfe56800);
	batch_key(&bb);
	buf_puts(&b, "k");
	batch_value(&bb);
	buf_puts(&b, "v");
	batch_record_end(&bb);
	assert_true(batch_end(&bb));
	assert_int_equal(b.len, sizeof(want));
	assert_int_equal(get_be32(b.ptr + 17), crc32c(0, b.ptr + 21, b.len - 21));
	memset(b.ptr + 17, 0, 4);
	assert_memory_equal(b.ptr, want, sizeof(want));
	buf_release(&b);
}

static void put_text(struct buf *b, size_t len, int c)
{
	uint8_t *p = buf_reserve(b, len);

	if (p && len) {
		memset(p, c, len);
		b->len += len;
	}
}

static void records_of_all_sizes_come_back(void **state)
{
	static const size_t sizes[] = {0, 1, 63, 64, 100, 8191, 8192, 8193, 3, 0, 1048576, 5, 70};
	enum { N = sizeof(sizes) / sizeof(sizes[0]) };
	struct buf b = BUF_INIT(64 << 20);
	struct batch_builder bb;
	struct record_reader rr;
	struct batch_info info;
	struct record r;
	struct err err = ERR_INIT;
	size_t i, k;

	buf_puts(&b, "before");
	batch_begin(&bb, &b, 5000);
	for (i = 0; i < N; i++)
		for (k = 0; k < N; k++) {
			batch_record(&bb, 5000 - (int64_t)i);
			batch_key(&bb);
			put_text(&b, sizes[i], 'k');
			batch_value(&bb);
			put_text(&b, sizes[k], 'v');
			batch_record_end(&bb);
		}
	assert_true(batch_end(&bb));
	assert_int_equal(batch_check(view_of(b.ptr + 6, b.len - 6), &info, &err), 0);
	assert_int_equal(info.count, N * N);
	assert_int_equal(info.max_time_ms, 5000);
	batch_set_base(b.ptr + 6, 1000, 3);
	assert_int_equal(batch_records(&rr, view_of(b.ptr + 6, b.len - 6), &err), 0);
	for (i = 0; i < N; i++)
		for (k = 0; k < N; k++) {
			assert_int_equal(record_next(&rr, &r, &err), 1);
			assert_int_equal(r.offset, 1000 + i * N + k);
			assert_int_equal(r.time_ms, 5000 - (int64_t)i);
			assert_int_equal(r.key.len, sizes[i]);
			assert_int_equal(r.value.len, sizes[k]);
			assert_non_null(r.key.ptr);
			assert_true(sizes[k] == 0 || (r.value.ptr[0] == 'v' && r.value.ptr[sizes[k] - 1] == 'v'));
		}
	assert_int_equal(record_next(&rr, &r, &err), 0);
	buf_release(&b);
}

static void nulls_and_headers_come_back(void **state)
{
	struct buf b = BUF_INIT(10000);
	struct batch_builder bb;
	struct record_reader rr;
	struct record r;
	struct view k, v;
	struct err err = ERR_INIT;

	batch_begin(&bb, &b, 0);
	batch_record(&bb, 1);
	batch_null(&bb);
	batch_null(&bb);
	batch_headers(&bb, 2);
	batch_header(&bb, str("a"), str("1"));
	batch_header(&bb, str(""), VIEW_NULL);
	batch_record_end(&bb);
	batch_record(&bb, 2);
	batch_key(&bb);
	buf_puts(&b, "key");
	batch_null(&bb);
	batch_record_end(&bb);
	batch_add(&bb, 3, VIEW_NULL, str("value"));
	assert_true(batch_end(&bb));
	assert_int_equal(batch_records(&rr, buf_view(&b), &err), 0);
	assert_int_equal(record_next(&rr, &r, &err), 1);
	assert_null(r.key.ptr);
	assert_null(r.value.ptr);
	assert_int_equal(r.n_headers, 2);
	assert_true(record_header(&r.headers, &k, &v) && view_is(k, "a") && view_is(v, "1"));
	assert_true(record_header(&r.headers, &k, &v) && k.len == 0 && !v.ptr);
	assert_false(record_header(&r.headers, &k, &v));
	assert_int_equal(record_next(&rr, &r, &err), 1);
	assert_true(view_is(r.key, "key") && !r.value.ptr);
	assert_int_equal(record_next(&rr, &r, &err), 1);
	assert_true(!r.key.ptr && view_is(r.value, "value"));
	assert_int_equal(record_next(&rr, &r, &err), 0);
	buf_release(&b);
}

static void a_batch_that_does_not_fit_says_so(void **state)
{
	struct buf b = BUF_INIT(200);
	struct batch_builder bb;
	int i;

	batch_begin(&bb, &b, 0);
	for (i = 0; i < 10; i++)
		batch_add(&bb, 0, str("key"), str("a value of some length, which is soon too long"));
	assert_false(batch_end(&bb));
	buf_release(&b);
}

static void an_empty_batch_is_taken_back(void **state)
{
	struct buf b = BUF_INIT(200);
	struct batch_builder bb;

	buf_puts(&b, "x");
	batch_begin(&bb, &b, 0);
	assert_true(batch_end(&bb));
	assert_int_equal(b.len, 1);
	buf_release(&b);
}

static void make(struct buf *b)
{
	struct batch_builder bb;

	batch_begin(&bb, b, 7);
	batch_add(&bb, 7, str("k1"), str("v1"));
	batch_add(&bb, 8, str("k2"), VIEW_NULL);
	assert_true(batch_end(&bb));
}

static void each_turned_bit_behind_the_prefix_is_found(void **state)
{
	struct buf b = BUF_INIT(1000);
	struct batch_info info;
	struct err err = ERR_INIT;
	size_t bit;

	make(&b);
	for (bit = 16 * 8; bit < b.len * 8; bit++) {
		b.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(batch_check(buf_view(&b), &info, &err), -1);
		b.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(batch_check(buf_view(&b), &info, &err), 0);
	buf_release(&b);
}

static void each_shorter_batch_is_refused(void **state)
{
	struct buf b = BUF_INIT(1000);
	struct batch_info info;
	struct err err = ERR_INIT;
	size_t len;

	make(&b);
	for (len = 0; len < b.len; len++) {
		uint8_t *copy = malloc(len + 1); /* so that the sanitizer sees a read behind the end */

		memcpy(copy, b.ptr, len);
		assert_int_equal(batch_check(view_of(copy, len), &info, &err), -1);
		free(copy);
	}
	buf_release(&b);
}

static void malformed_records_are_refused(void **state)
{
	struct buf b = BUF_INIT(1000);
	struct record_reader rr;
	struct record r;
	struct err err = ERR_INIT;
	size_t at;

	make(&b);
	/* every value of every byte of the records, with a CRC that fits: never a read out of bounds, and never a record more */
	for (at = BATCH_HEADER; at < b.len; at++) {
		uint8_t was = b.ptr[at];
		unsigned v, n;

		for (v = 0; v < 256; v++) {
			b.ptr[at] = (uint8_t)v;
			assert_int_equal(batch_records(&rr, buf_view(&b), &err), 0);
			for (n = 0; record_next(&rr, &r, &err) == 1; n++)
				;
			assert_true(n <= 2);
		}
		b.ptr[at] = was;
	}
	/* more records than are there */
	put_be32(b.ptr + 57, 3);
	put_be32(b.ptr + 23, 2);
	assert_int_equal(batch_records(&rr, buf_view(&b), &err), 0);
	assert_int_equal(record_next(&rr, &r, &err), 1);
	assert_int_equal(record_next(&rr, &r, &err), 1);
	assert_int_equal(record_next(&rr, &r, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	/* fewer */
	put_be32(b.ptr + 57, 1);
	assert_int_equal(batch_records(&rr, buf_view(&b), &err), 0);
	assert_int_equal(record_next(&rr, &r, &err), 1);
	assert_int_equal(record_next(&rr, &r, &err), -1);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_record_has_the_bytes_of_the_format),
		cmocka_unit_test(records_of_all_sizes_come_back),
		cmocka_unit_test(nulls_and_headers_come_back),
		cmocka_unit_test(a_batch_that_does_not_fit_says_so),
		cmocka_unit_test(an_empty_batch_is_taken_back),
		cmocka_unit_test(each_turned_bit_behind_the_prefix_is_found),
		cmocka_unit_test(each_shorter_batch_is_refused),
		cmocka_unit_test(malformed_records_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
