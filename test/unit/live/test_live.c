/* The live stream's memory: who comes back in time goes on where it was, who comes back to a topic that nobody read begins anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/io.h"
#include "base/mem.h"
#include "live/live.h"

enum { KEPT_US = 60000000 };

/* The machine's clock and random numbers, with a skew that the test moves. */
struct clock_io {
	struct io io;
	_Atomic int64_t skew_us;
};

static int64_t skewed_now(struct io *io)
{
	return io_monotonic_us(io_system()) + ((struct clock_io *)io)->skew_us;
}

static void real_random(struct io *io, void *ptr, size_t len)
{
	(void)io;
	io_random(io_system(), ptr, len);
}

static const struct io_ops clock_ops = {.now_us = skewed_now, .monotonic_us = skewed_now, .random = real_random};

struct fixture {
	struct clock_io clock;
	struct live *l;
	_Atomic int value;
	char id[256];
};

static void things(void *arg, struct buf *into)
{
	struct fixture *f = arg;

	buf_printf(into, "[{\"id\":1,\"value\":%d}]", f->value);
}

static struct fixture *make(void)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	f->clock.io.ops = &clock_ops;
	f->l = live_new(&(struct live_options){.io = &f->clock.io, .readers_max = 4});
	live_add_list(f->l, "things", "id", things, f);
	live_start(f->l);
	return f;
}

static void destroy(struct fixture *f)
{
	live_stop(f->l);
	live_free(f->l);
	mem_free(f);
}

static struct live_reader *come(struct fixture *f)
{
	struct err err = ERR_INIT;
	struct live_reader *r;

	assert_int_equal(live_open(f->l, view_of("things", 6), view_of(f->id, strlen(f->id)), &r, &err), 0);
	return r;
}

/* Reads up to the first event, whose name it returns, with `want` in its data; keeps its id. */
static const char *first_event(struct fixture *f, struct live_reader *r, const char *want)
{
	static char name[32];
	struct buf b = BUF_INIT(1 << 16);
	char *event, *id;

	do {
		assert_true(live_next(r, &b));
		buf_putc(&b, '\0');
		event = strstr((char *)b.ptr, "event: ");
		b.len--;
	} while (!event);
	assert_int_equal(sscanf(event, "event: %31s", name), 1);
	assert_non_null(strstr(event, want));
	if ((id = strstr(event, "id: ")))
		assert_int_equal(sscanf(id, "id: %255s", f->id), 1);
	buf_release(&b);
	return name;
}

/* A reader leaves, something changes, and he comes back with his id. */
static void leave_and_come_back(int64_t after_us, const char *event)
{
	struct fixture *f = make();
	struct live_reader *r = come(f);

	assert_string_equal(first_event(f, r, "\"value\":0"), "snapshot");
	live_close(r);
	f->value = 1;
	/* at once: the stream's own thread has had no look at the topic since the clock moved */
	f->clock.skew_us += after_us;
	r = come(f);
	assert_string_equal(first_event(f, r, "\"value\":1"), event);
	live_close(r);
	destroy(f);
}

static void one_who_comes_back_in_time_gets_what_he_missed(void **state)
{
	(void)state;
	leave_and_come_back(KEPT_US / 2, "delta");
}

/* The id is still one of this process's, but nobody has kept what happened since. */
static void one_who_comes_back_to_a_cold_topic_begins_anew(void **state)
{
	(void)state;
	leave_and_come_back(KEPT_US + 1, "snapshot");
}

static void an_id_of_another_process_is_none(void **state)
{
	struct fixture *f = make();
	struct live_reader *r;

	(void)state;
	strcpy(f->id, "0123456789abcdef-1.0.0");
	r = come(f);
	assert_string_equal(first_event(f, r, "\"value\":0"), "snapshot");
	live_close(r);
	destroy(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_who_comes_back_in_time_gets_what_he_missed),
		cmocka_unit_test(one_who_comes_back_to_a_cold_topic_begins_anew),
		cmocka_unit_test(an_id_of_another_process_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
