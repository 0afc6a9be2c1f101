/* The simulator; see simulator.h. Its own thread; the counter and the stop flag are atomic. */
#include "cli/simulator.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/thread.h"

struct simulator {
	struct pg_params source;
	double rate;
	struct thread thread;
	struct wake wake;
	int interrupt_fd;
	atomic_bool stop;
	atomic_ullong done;
};

/* What happens to interventions, with how many chances of 100. Each is one statement, so one transaction; some touch nothing. */
static const struct {
	int chances;
	const char *sql;
} acts[] = {
	{20,
		"INSERT INTO public.interventions (reference, title, description, planned_at, technician_id, latitude, longitude) "
		"SELECT 'SIM-' || pg_catalog.nextval('public.interventions_id_seq'), (ARRAY['Street light out','Water leak','Noise','Blocked "
		"driveway','Pothole'])[1 + n % 5], "
		"'reported by the simulator', now() + n % 48 * interval '1 hour', (SELECT id FROM public.users ORDER BY random() LIMIT 1), 40.5 + "
		"random() * 0.4, -74.2 + random() * 0.4 "
		"FROM (SELECT (random() * 1000)::int AS n) s"},
	{30,
		"UPDATE public.interventions SET status = 'IN_PROGRESS', started_at = now(), updated_at = now(), "
		"technician_id = coalesce(technician_id, (SELECT id FROM public.users ORDER BY random() LIMIT 1)) "
		"WHERE id = (SELECT id FROM public.interventions WHERE status = 'SCHEDULED' ORDER BY random() LIMIT 1)"},
	{25,
		"UPDATE public.interventions SET status = 'COMPLETED', completed_at = now(), updated_at = now() "
		"WHERE id = (SELECT id FROM public.interventions WHERE status = 'IN_PROGRESS' ORDER BY random() LIMIT 1)"},
	{15,
		"UPDATE public.interventions SET status = 'VALIDATED', validated_at = now(), updated_at = now() "
		"WHERE id = (SELECT id FROM public.interventions WHERE status = 'COMPLETED' ORDER BY random() LIMIT 1)"},
	{5,
		"UPDATE public.interventions SET technician_id = (SELECT id FROM public.users ORDER BY random() LIMIT 1), updated_at = now() "
		"WHERE id = (SELECT id FROM public.interventions WHERE status <> 'VALIDATED' ORDER BY random() LIMIT 1)"},
	{5, "DELETE FROM public.interventions WHERE id = (SELECT id FROM public.interventions ORDER BY random() LIMIT 1)"},
};

static const char *choose(void)
{
	uint32_t n;
	size_t i;

	io_random(io_system(), &n, sizeof(n));
	n %= 100;
	for (i = 0; i + 1 < sizeof(acts) / sizeof(acts[0]) && n >= (uint32_t)acts[i].chances; i++)
		n -= (uint32_t)acts[i].chances;
	return acts[i].sql;
}

static void run(void *arg)
{
	struct simulator *s = arg;
	struct pg_conn *c = NULL;
	int64_t next = io_monotonic_us(io_system());

	while (!atomic_load(&s->stop)) {
		uint64_t seen = wake_seen(&s->wake);
		struct err err = ERR_INIT;
		int64_t wait;

		if ((!c && pg_connect(&s->source, PG_CONN_PLAIN, "walmill simulator", s->interrupt_fd, &c, &err)) || pg_exec(c, choose(), &err)) {
			pg_close(c);
			c = NULL;
			next = io_monotonic_us(io_system()) + 1000000;
		} else {
			atomic_fetch_add(&s->done, 1);
			next += (int64_t)(1e6 / s->rate);
		}
		wait = next - io_monotonic_us(io_system());
		if (wait > 0)
			wake_wait(&s->wake, seen, wait);
	}
	pg_close(c);
}

struct simulator *simulator_start(const struct pg_params *source, double rate)
{
	struct simulator *s = mem_zalloc(sizeof(*s));

	pg_params_copy(&s->source, source);
	s->rate = rate;
	s->interrupt_fd = eventfd(0, EFD_CLOEXEC);
	wm_assert(s->interrupt_fd >= 0);
	wake_init(&s->wake);
	thread_start(&s->thread, "simulator", run, s);
	return s;
}

void simulator_stop(struct simulator *s)
{
	uint64_t one = 1;

	if (!s)
		return;
	atomic_store(&s->stop, true);
	wm_assert(write(s->interrupt_fd, &one, sizeof(one)) == sizeof(one));
	wake_signal(&s->wake);
	thread_join(&s->thread);
	pg_params_release(&s->source);
	wake_release(&s->wake);
	close(s->interrupt_fd);
	mem_free(s);
}

uint64_t simulator_done(struct simulator *s)
{
	return s ? atomic_load(&s->done) : 0;
}
