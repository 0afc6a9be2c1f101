/* What a JobManager tells of its cluster. There is one process here: it is JobManager and TaskManager, and has a slot for each job. What a
 * JVM would have (heap, garbage collectors, network buffers) it has not: those numbers are 0, and the process's memory is the whole. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/jobs_int.h"

/* ---- slots ---- */

static int count_job(void *arg, const struct registry_job *j)
{
	struct job_status s;

	job_status(j->job, &s);
	*(unsigned *)arg += s.state != JOB_FAILED && s.state != JOB_CANCELED;
	return 0;
}

unsigned jobs_slots(const struct call *c, unsigned *ret_used)
{
	*ret_used = 0;
	registry_job_each(c->api->registry, count_job, ret_used);
	return *ret_used + 1;
}

/* ---- configuration ---- */

void jobs_cluster_config(struct call *c)
{
	c->out->status = 200;
	buf_printf(&c->out->body,
		"{\"refresh-interval\":3000,\"timezone-name\":\"Coordinated Universal Time\",\"timezone-offset\":0,\"flink-version\":\"1.19.1\","
		"\"flink-revision\":\"walmill-%s\",\"features\":{\"web-submit\":false,\"web-cancel\":true,\"web-rescale\":false,"
		"\"web-history\":false}}",
		c->api->version);
}

void jobs_jobmanager_config(struct call *c)
{
	unsigned used, slots = jobs_slots(c, &used);

	c->out->status = 200;
	buf_printf(&c->out->body,
		"[{\"key\":\"jobmanager.rpc.address\",\"value\":\"localhost\"},{\"key\":\"taskmanager.numberOfTaskSlots\",\"value\":\"%u\"},"
		"{\"key\":\"parallelism.default\",\"value\":\"1\"},{\"key\":\"walmill.version\",\"value\":\"%s\"}]",
		slots, c->api->version);
}

static bool is_taskmanager(struct call *c)
{
	if (view_is(c->args[0], TASKMANAGER))
		return true;
	jobs_fail_text(c, 404, "No TaskExecutor registered under %.*s.", (int)c->args[0].len, (const char *)c->args[0].ptr);
	return false;
}

/* Its log goes to standard error, where whoever started it reads it. */
void jobs_no_logs(struct call *c)
{
	if (c->args[0].ptr && !is_taskmanager(c))
		return;
	c->out->status = 200;
	buf_puts(&c->out->body, "{\"logs\":[]}");
}

/* ---- the process ---- */

static long long resident_bytes(const struct call *c)
{
	struct buf b = BUF_INIT(4096);
	struct err ignored = ERR_INIT;
	long long pages = 0;

	if (io_read_file(c->api->io, "/proc/self/statm", &b, &ignored) == 0) {
		const char *at = strchr(buf_cstr(&b), ' ');

		pages = at ? strtoll(at, NULL, 10) : 0;
	}
	buf_release(&b);
	return pages * sysconf(_SC_PAGESIZE);
}

static void put_resource(struct buf *b, const char *key, unsigned cores)
{
	buf_printf(b, ",\"%s\":{\"cpuCores\":%u,\"taskHeapMemory\":0,\"taskOffHeapMemory\":0,\"managedMemory\":0,\"networkMemory\":0,"
		"\"extendedResources\":{}}", key, cores);
}

static void put_taskmanager(struct call *c)
{
	struct buf *b = &c->out->body;
	unsigned used, slots = jobs_slots(c, &used);
	long long resident = resident_bytes(c), page = sysconf(_SC_PAGESIZE);

	buf_printf(b, "{\"id\":\"" TASKMANAGER "\",\"path\":\"" TASKMANAGER "\",\"dataPort\":-1,\"jmxPort\":-1,\"timeSinceLastHeartbeat\":%lld,"
		"\"slotsNumber\":%u,\"freeSlots\":%u", (long long)(io_now_us(c->api->io) / 1000), slots, slots - used);
	put_resource(b, "totalResource", slots);
	put_resource(b, "freeResource", slots - used);
	buf_printf(b, ",\"hardware\":{\"cpuCores\":%ld,\"physicalMemory\":%lld,\"freeMemory\":%lld,\"managedMemory\":0}",
		sysconf(_SC_NPROCESSORS_ONLN), sysconf(_SC_PHYS_PAGES) * page, sysconf(_SC_AVPHYS_PAGES) * page);
	buf_printf(b, ",\"memoryConfiguration\":{\"frameworkHeap\":0,\"taskHeap\":0,\"frameworkOffHeap\":0,\"taskOffHeap\":0,"
		"\"networkMemory\":0,\"managedMemory\":0,\"jvmMetaspace\":0,\"jvmOverhead\":0,\"totalFlinkMemory\":%lld,"
		"\"totalProcessMemory\":%lld}",
		resident, resident);
}

void jobs_taskmanagers(struct call *c)
{
	c->out->status = 200;
	buf_puts(&c->out->body, "{\"taskmanagers\":[");
	put_taskmanager(c);
	buf_puts(&c->out->body, "}]}");
}

static int put_slot(void *arg, const struct registry_job *j)
{
	struct buf *b = arg;
	struct job_status s;

	job_status(j->job, &s);
	if (s.state == JOB_FAILED || s.state == JOB_CANCELED)
		return 0;
	js_put_comma(b);
	buf_printf(b, "{\"jobId\":\"%s\"", j->id);
	put_resource(b, "resource", 1);
	buf_putc(b, '}');
	return 0;
}

void jobs_taskmanager(struct call *c)
{
	static const char *const zero[] = {"heapUsed", "heapCommitted", "heapMax", "nonHeapCommitted", "nonHeapMax", "directCount",
		"directUsed", "directMax", "mappedCount", "mappedUsed", "mappedMax", "memorySegmentsAvailable", "memorySegmentsTotal",
		"nettyShuffleMemorySegmentsAvailable", "nettyShuffleMemorySegmentsUsed", "nettyShuffleMemorySegmentsTotal",
		"nettyShuffleMemoryAvailable", "nettyShuffleMemoryUsed", "nettyShuffleMemoryTotal"};
	struct buf *b = &c->out->body;
	size_t i;

	if (!is_taskmanager(c))
		return;
	c->out->status = 200;
	put_taskmanager(c);
	buf_puts(b, ",\"allocatedSlots\":[");
	registry_job_each(c->api->registry, put_slot, b);
	buf_printf(b, "],\"metrics\":{\"nonHeapUsed\":%lld", resident_bytes(c));
	for (i = 0; i < sizeof(zero) / sizeof(zero[0]); i++)
		buf_printf(b, ",\"%s\":0", zero[i]);
	buf_puts(b, ",\"garbageCollectors\":[]}}");
}

/* ---- metrics ---- */

static bool running(const void *of, double *ret)
{
	unsigned used;

	jobs_slots(of, &used);
	*ret = used;
	return true;
}

static bool total(const void *of, double *ret)
{
	unsigned used;

	*ret = jobs_slots(of, &used);
	return true;
}

static bool available(const void *of, double *ret)
{
	unsigned used, slots = jobs_slots(of, &used);

	*ret = slots - used;
	return true;
}

static bool memory(const void *of, double *ret)
{
	*ret = (double)resident_bytes(of);
	return true;
}

static bool managers(const void *of, double *ret)
{
	*ret = 1;
	return true;
}

static const struct job_metric metrics[] = {{"numRunningJobs", running}, {"numRegisteredTaskManagers", managers}, {"taskSlotsTotal", total},
	{"taskSlotsAvailable", available}, {"Status.Process.Memory.Resident", memory}};

void jobs_jobmanager_metrics(struct call *c)
{
	if (!c->args[0].ptr || is_taskmanager(c))
		jobs_put_metrics(c, metrics, sizeof(metrics) / sizeof(metrics[0]), "", c);
}

void jobs_taskmanagers_metrics(struct call *c)
{
	const void *of = c;

	jobs_put_aggregates(c, metrics, sizeof(metrics) / sizeof(metrics[0]), &of, 1);
}

/* ---- what there is none of: programs are not uploaded here, nothing is kept for other jobs ---- */

void jobs_jars(struct call *c)
{
	c->out->status = 200;
	buf_puts(&c->out->body, "{\"address\":");
	js_put_str(&c->out->body, arena_printf(&c->arena, "http://%s", http_header(c->r, "Host")));
	buf_puts(&c->out->body, ",\"files\":[]}");
}

void jobs_datasets(struct call *c)
{
	c->out->status = 200;
	buf_puts(&c->out->body, "{\"dataSets\":[]}");
}
