/* Injection points of base/inject.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/inject.h"
#include "base/thread.h"

static int teardown(void **state)
{
	inject_detach_all();
	return 0;
}

static void nothing_happens_where_nothing_is_attached(void **state)
{
	struct err err = ERR_INIT;

	assert_int_equal(inject("t.point", &err), 0);
	inject_attach_error("t.other", ERR_IO, 0);
	assert_int_equal(inject("t.point", &err), 0);
	assert_int_equal(inject_passed("t.point"), 0);
	assert_int_equal(err.code, ERR_NONE);
}

static void error_comes_at_the_passage_asked_for(void **state)
{
	struct err err = ERR_INIT;

	inject_attach_error("t.point", ERR_NO_SPACE, 3);
	assert_int_equal(inject("t.point", &err), 0);
	assert_int_equal(inject("t.point", &err), 0);
	assert_int_equal(inject("t.point", &err), -1);
	assert_int_equal(err.code, ERR_NO_SPACE);
	assert_string_equal(err.text, "injected at t.point");
	assert_int_equal(inject("t.point", &err), 0);
	assert_int_equal(inject_passed("t.point"), 4);
	inject_attach_error("t.point", ERR_IO, 0); /* replaces the other and counts anew */
	assert_int_equal(inject("t.point", &err), -1);
	assert_int_equal(inject("t.point", &err), -1);
	assert_int_equal(inject_passed("t.point"), 2);
	inject_detach("t.point");
	assert_int_equal(inject("t.point", &err), 0);
	assert_int_equal(inject_attached, 0);
}

static int called(void *arg, const char *name, struct err *err)
{
	*(const char **)arg = name;
	return err_set(err, ERR_TIMEOUT, "called");
}

static void call_runs_and_its_result_is_the_points(void **state)
{
	const char *name = NULL;
	struct err err = ERR_INIT;

	inject_attach_call("t.point", called, &name, 0);
	assert_int_equal(inject("t.point", &err), -1);
	assert_string_equal(name, "t.point");
	assert_int_equal(err.code, ERR_TIMEOUT);
}

static void crash_ends_the_process_at_once(void **state)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct err err = ERR_INIT;

		if (inject_load("t.point=crash@2", &err))
			_exit(1);
		(void)inject("t.point", &err);
		(void)inject("t.point", &err);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 137);
}

static void environment_list_is_understood_or_refused(void **state)
{
	static const char *const bad[] = {"x", "x=", "=crash", "x=explode", "x=crash@", "x=crash@0", "x=crash@1x", "x=error:nonsense",
		"X=crash", "x=crash:io", "x=wait:io", ",", "a=crash,,b=crash", "x=error:"};
	struct err err = ERR_INIT;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(inject_load(bad[i], &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
	}
	inject_detach_all();
	assert_int_equal(inject_load(NULL, &err), 0);
	assert_int_equal(inject_load("", &err), 0);
	assert_int_equal(inject_attached, 0);
	assert_int_equal(inject_load("log.before_sync=error:io@2,t.b=error", &err), 0);
	assert_int_equal(inject("log.before_sync", &err), 0);
	assert_int_equal(inject("log.before_sync", &err), -1);
	assert_int_equal(err.code, ERR_IO);
	assert_int_equal(inject("t.b", &err), -1);
	assert_int_equal(err.code, ERR_INTERNAL);
}

struct passer {
	struct thread thread;
	_Atomic int passed;
};

static void pass(void *arg)
{
	struct passer *p = arg;
	struct err err = ERR_INIT;

	if (inject("t.wait", &err) == 0)
		p->passed++;
}

static void waiting_threads_stand_until_released(void **state)
{
	struct passer p[3] = {{.passed = 0}};
	int i;

	inject_attach_wait("t.wait", 0);
	for (i = 0; i < 3; i++)
		thread_start(&p[i].thread, "passes", pass, &p[i]);
	assert_true(inject_await("t.wait", 3, 30000));
	assert_false(inject_await("t.wait", 4, 1));
	for (i = 0; i < 3; i++)
		assert_int_equal(p[i].passed, 0);
	inject_release("t.wait");
	for (i = 0; i < 3; i++) {
		thread_join(&p[i].thread);
		assert_int_equal(p[i].passed, 1);
	}
	thread_start(&p[0].thread, "passes", pass, &p[0]); /* still attached: the next one waits again */
	assert_true(inject_await("t.wait", 1, 30000));
	inject_detach("t.wait");
	thread_join(&p[0].thread);
	assert_int_equal(p[0].passed, 2);
}

static void hammer(void *arg)
{
	struct err err = ERR_INIT;
	int i;

	for (i = 0; i < 2000; i++)
		(void)inject("t.hammer", &err);
}

static void points_come_and_go_under_passing_threads(void **state)
{
	struct thread threads[3];
	int i;

	for (i = 0; i < 3; i++)
		thread_start(&threads[i], "hammers", hammer, NULL);
	for (i = 0; i < 300; i++) {
		inject_attach_wait("t.hammer", 1);
		inject_attach_error("t.hammer", ERR_IO, 0);
		inject_detach("t.hammer");
	}
	for (i = 0; i < 3; i++)
		thread_join(&threads[i]);
	assert_int_equal(inject_attached, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, NULL, teardown)
	const struct CMUnitTest tests[] = {
		T(nothing_happens_where_nothing_is_attached),
		T(error_comes_at_the_passage_asked_for),
		T(call_runs_and_its_result_is_the_points),
		T(crash_ends_the_process_at_once),
		T(environment_list_is_understood_or_refused),
		T(waiting_threads_stand_until_released),
		T(points_come_and_go_under_passing_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
