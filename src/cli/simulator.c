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

/*
 * What happens to interventions, with how many chances of 100. Each is one statement, so one transaction; some touch nothing. New ones
 * stand near one that is there, so that the map's streets fill and its water does not, and are planned for the last twelve days and the
 * next two.
 */
static const struct {
	int chances;
	const char *sql;
} acts[] = {
	{20,
		"INSERT INTO public.interventions (reference, title, description, planned_at, technician_id, latitude, longitude) "
		"SELECT 'SIM-' || pg_catalog.nextval('public.interventions_id_seq'), (ARRAY['Street light out','Water leak','Noise','Blocked "
		"driveway','Pothole'])[1 + n % 5], "
		"'reported by the simulator', now() + (n % 360 - 300) * interval '1 hour', "
		"(SELECT id FROM public.users ORDER BY random() LIMIT 1), latitude + (random() - 0.5) * 0.01, longitude + (random() - 0.5) * 0.01 "
		"FROM (SELECT (random() * 1000)::int AS n) s LEFT JOIN (SELECT latitude, longitude FROM public.interventions "
		"WHERE latitude IS NOT NULL ORDER BY random() LIMIT 1) near ON true"},
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

/*
 * The last fortnight, once: the loaded rows are of years ago, and a dashboard of today would begin empty. The older the day the more of it
 * is done; weekends are quiet. One transaction, so analytics show all of it or nothing.
 */
static const char history[] =
	"INSERT INTO public.interventions (reference, title, description, status, planned_at, started_at, completed_at, validated_at, "
	"technician_id, latitude, longitude) "
	"WITH places AS (SELECT title, technician_id, latitude, longitude, row_number() OVER (ORDER BY id) AS nth, count(*) OVER () AS n "
	"FROM public.interventions WHERE latitude IS NOT NULL), "
	"days AS (SELECT g, g % 15 - 1 AS ago, date_trunc('day', now()) - (g % 15 - 1) * interval '1 day' + interval '7 hours' "
	"+ g * 37 % 660 * interval '1 minute' AS planned, g * 61 % 100 AS chance FROM generate_series(1, 1200) g), "
	"stages AS (SELECT *, CASE WHEN planned > now() OR chance < 8 THEN 'SCHEDULED' WHEN chance < 20 - ago / 2 THEN 'IN_PROGRESS' "
	"WHEN chance < 62 - 3 * ago THEN 'COMPLETED' ELSE 'VALIDATED' END AS status FROM days "
	"WHERE (g / 15) % 10 < CASE WHEN extract(isodow FROM planned) < 6 THEN 6 + ago * 5 % 4 ELSE 3 END) "
	"SELECT 'SIM-' || pg_catalog.nextval('public.interventions_id_seq'), p.title, 'reported by the simulator', s.status, s.planned, "
	"CASE WHEN s.status <> 'SCHEDULED' THEN s.planned + g % 50 * interval '1 minute' END, "
	"CASE WHEN s.status IN ('COMPLETED', 'VALIDATED') THEN s.planned + (60 + g * 53 % 240) * interval '1 minute' END, "
	"CASE WHEN s.status = 'VALIDATED' THEN s.planned + interval '8 hours' END, p.technician_id, p.latitude, p.longitude "
	"FROM stages s JOIN places p ON p.nth = 1 + s.g * 7919 % p.n "
	"WHERE NOT EXISTS (SELECT 1 FROM public.interventions WHERE reference LIKE 'SIM-%')";

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
	bool begun = false;

	while (!atomic_load(&s->stop)) {
		uint64_t seen = wake_seen(&s->wake);
		struct err err = ERR_INIT;
		int64_t wait;

		if ((!c && pg_connect(&s->source, PG_CONN_PLAIN, "walmill simulator", s->interrupt_fd, &c, &err)) ||
			pg_exec(c, begun ? choose() : history, &err)) {
			pg_close(c);
			c = NULL;
			next = io_monotonic_us(io_system()) + 1000000;
		} else {
			begun = true;
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
