#!/usr/bin/env python3
"""walmill beside the limit that PostgreSQL sets, in one run on one machine; `make bench` calls it.

Usage: bench/bench.py [PART...]         parts: capture, tables, latency, snapshot, start, rest, kafka (all)
Environment: BENCH_ROWS (300000) rows of a backlog, BENCH_SECONDS (8) of each latency load, RESULTS=FILE also writes the report there,
BENCH_DRAINS (3) of each backlog, the middle one counts, BENCH_ROUNDS (3) of each load of Kafka clients, BENCH_DIR where the clusters and
the log go for the time of the run (/var/tmp); PEERS=1 runs Kafka, Debezium and Flink (peers.py) under the same loads too, in rows that
begin with "peers:", and Kafka beside its own clients' figures.

Two private servers: the source, and the target on another instance. Every backlog is written once, while two replication slots hold it;
first pg_recvlogical drains it to /dev/null (the limit), then walmill, whose connector was stopped meanwhile. A drain ends when the
backlog's last commit is confirmed durable: for pg_recvlogical --endpos, for walmill the durable LSN (the job's position,
with tables) of its REST API, polled every 10 ms.
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import peers
import rest as faces
from broker import kafka
from machine import PG_BIN, ROOT, WALMILL, Cluster, Failed, Walmill, cpu_s, lsn, peak_mb, quantile, reset_peak, wait_for

ROWS = int(os.environ.get("BENCH_ROWS", "300000"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "8"))
DRAINS = int(os.environ.get("BENCH_DRAINS", "3"))
HOT, PROBES = 10_000, 64
CLIENT_S_PER_M = 1.7  # CPU of pg_recvlogical where the bounds in seconds were set: see cpu_required
PARTS = ("capture", "tables", "latency", "snapshot", "start", "rest", "kafka")
SCHEMA = ("demo/schema.sql", "bench/load.sql")


class Table:
    """Rows of the report; they are printed as they come, and aligned at the end."""
    HEAD = ("what", "load", "rows", "result", "limit", "CPU s/M walmill", "walsender (of limit)", "sink's backend",
            "peak RSS MB", "ratio", "required")

    def __init__(self):
        self.rows = []

    def add(self, what, load, rows="", result="", limit="", cpu="", sender="", sink="", rss="", ratio="", required=()):
        need = ", ".join(f"{text}: {'met' if met else 'short'}" for text, met in required)
        self.rows.append((what, load, f"{rows:,}" if rows else "", result, limit, cpu, sender, sink, rss,
            f"{ratio:.2f}" if ratio else "", need))
        print(" | ".join(x for x in self.rows[-1] if x), file=sys.stderr, flush=True)

    def text(self):
        width = [max(len(r[i]) for r in [self.HEAD, *self.rows]) for i in range(len(self.HEAD))]
        lines = [self.HEAD, tuple("-" * w for w in width), *self.rows]
        return "\n".join("| " + " | ".join(c.ljust(w) for c, w in zip(line, width)) + " |" for line in lines)


def at_most(what, value, most, unit):
    return f"{what} <= {most:g}{unit}", value <= most


def under(what, value, most, unit):
    return f"{what} < {most:g}{unit}", value < most


def at_least(value, least):
    return f">= {least:g}", value >= least


# ---- draining a backlog ----

def recvlogical(source, db, slot, end):
    """pg_recvlogical to /dev/null up to `end`: seconds, CPU of client and walsender."""
    watch = source.connect(db)
    t = time.monotonic()
    p = source.start("pg_recvlogical", "-d", db, "-S", slot, "--start", "-f", "/dev/null", "-E", end, "--no-loop", "-o", "proto_version=1",
                     "-o", "publication_names=bench", "-o", "binary=true")
    sender, sender_cpu = 0, 0.0
    while True:
        # the walsender ends with its client, so it is looked at while it runs
        sender = sender or int(watch.one(f"SELECT active_pid FROM pg_replication_slots WHERE slot_name = '{slot}'") or 0)
        sender_cpu = (sender and cpu_s(sender)) or sender_cpu
        pid, status, used = os.wait4(p.pid, os.WNOHANG)
        if pid:
            break
        time.sleep(0.005)
    t = time.monotonic() - t
    p.returncode = os.waitstatus_to_exitcode(status)
    watch.close()
    if p.returncode:
        raise Failed(f"pg_recvlogical ended with {p.returncode}")
    return {"s": t, "client": used.ru_utime + used.ru_stime, "sender": sender_cpu}


def connector_config(source, db, name):
    """The demonstration's connector, pointed at our database, with a slot and topics of its own."""
    with open(ROOT + "/infra/cdc/connectors/sip-interventions-source.json") as f:
        config = json.load(f)["config"]
    config |= {"database.hostname": source.part["host"], "database.port": source.part["port"], "database.user": source.part["user"],
               "database.password": source.part["password"], "database.dbname": db, "slot.name": f"{db}_{name}",
               "publication.name": "bench",
               "topic.prefix": name}
    return {"name": name, "config": config}


def create_connector(w, source, db, name):
    """Posts it; seconds until its snapshot is in the log and it streams."""
    t = time.monotonic()
    w.must("POST", "connect", "/connectors", json.dumps(connector_config(source, db, name)))
    wait_for(lambda: w.connector(name)["step"] == "streaming", f"connector {name} streaming", 120)
    return time.monotonic() - t


def write_backlog(pg, call):
    """Runs the load, then one more single-row commit: whoever confirms that has passed `end`."""
    pg("SET synchronous_commit = off")
    pg(call)
    end = pg.one("SELECT pg_current_wal_insert_lsn()")
    pg("SET synchronous_commit = on")
    pg("UPDATE interventions SET updated_at = clock_timestamp() WHERE id = 1")
    pg("CHECKPOINT")  # nobody shares the disk with what was written
    return end


def let_go_of_the_past(pg, slot):
    """Waits until a restart of the slot reads nothing written before now: a slot made now, the limit's, has no such past to read.

    restart_lsn moves when the reader confirms a position behind a record of running transactions, which a checkpoint writes.
    """
    now = lsn(pg.one("SELECT pg_current_wal_insert_lsn()"))

    def moved():
        pg("CHECKPOINT")
        return lsn(pg.one(f"SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = '{slot}'")) >= now
    wait_for(moved, f"slot {slot} past {now:X}", 60, 0.1)


def drain_limit(source, db, pg, call):
    """Writes a backlog behind a slot of its own and the stopped reader's: where it ends, and the limit's figures."""
    wait_for(lambda: not int(pg.one("SELECT count(*) FROM pg_replication_slots WHERE active")), "slot let go", 60)
    pg("SELECT pg_create_logical_replication_slot('the_limit', 'pgoutput')")
    end = write_backlog(pg, call)
    limit = recvlogical(source, db, "the_limit", end)
    pg("SELECT pg_drop_replication_slot('the_limit')")
    return end, limit


def drain(w, source, db, name, rows, call, target=None):
    """Drains a backlog; (the limit's figures, walmill's). With a target cluster, until the job's tables have it."""
    job = "tables" if target else None
    pg = source.connect(db)
    let_go_of_the_past(pg, f"{db}_{name}")
    w.must("PUT", "connect", f"/connectors/{name}/stop")
    wait_for(lambda: w.connector(name)["state"] == "STOPPED", "connector stopped", 20)
    end, limit = drain_limit(source, db, pg, call)

    reset_peak(w.pid)
    sink = target and int(target.connect().one("SELECT pid FROM pg_stat_activity WHERE application_name = 'walmill job tables' LIMIT 1"))
    sink_cpu = cpu_s(sink) if sink else 0
    taken = w.connector(name)["rows"]
    before, t = cpu_s(w.pid), time.monotonic()
    w.must("PUT", "connect", f"/connectors/{name}/resume")
    if job:
        wait_for(lambda: lsn(w.job(job)["position"]) > lsn(end), f"job {job} at {end}", 180, 0.01)
    else:
        wait_for(lambda: lsn(w.connector(name)["durable_lsn"]) > lsn(end), f"connector {name} at {end}", 180, 0.01)
    got = {"s": time.monotonic() - t, "cpu": cpu_s(w.pid) - before, "rss": peak_mb(w.pid)}
    sender = int(pg.one("SELECT active_pid FROM pg_replication_slots WHERE active"))
    got |= {"sender": cpu_s(sender), "sink": cpu_s(sink) - sink_cpu if sink else 0,
            "state": w.job(job)["state_bytes"] / 2**20 if job else 0}
    pg.close()
    taken = wait_for(lambda: w.connector(name)["rows"], "rows", 5) - taken
    if taken != rows + 1:
        raise Failed(f"walmill took {taken} rows of {rows + 1}")
    return limit, got


def cpu_required(limit, rows, cpu, most):
    """Seconds are those of a machine, ratios are not. The bounds were set on one where pg_recvlogical's own client takes CLIENT_S_PER_M;
    on a slower one they grow with what it takes here, in the same run, and both are shown."""
    slower = limit["client"] / rows * 1e6 / CLIENT_S_PER_M
    need = [at_most("CPU", cpu, most, " s/M")]
    if slower > 1.1:
        here = limit["client"] / rows * 1e6
        need.append(at_most(f"with the client at {here:.1f} instead of {CLIENT_S_PER_M} s/M CPU", cpu, round(most * slower, 1), " s/M"))
    return need


def drains(*arguments, **more):
    """The middle one of DRAINS by its ratio: limit and walmill are measured right behind each other, while a machine's speed may change."""
    got = sorted((drain(*arguments, **more) for _ in range(DRAINS)), key=lambda x: x[0]["s"] / x[1]["s"])
    return got[len(got) // 2]


def report(table, what, load, rows, limit, got, ratio_least, cpu):
    m, ratio, state_mb = rows / 1e6, limit["s"] / got["s"], got["state"]
    table.add(what, load, rows, f"{rows / got['s'] / 1e3:,.0f}k rows/s", f"{rows / limit['s'] / 1e3:,.0f}k rows/s", f"{got['cpu'] / m:.1f}",
              f"{got['sender'] / m:.1f} ({limit['sender'] / m:.1f})", f"{got['sink'] / m:.1f}" if got["sink"] else "",
              f"{got['rss']:.0f}" + (f", state {state_mb:.0f}" if state_mb else ""), ratio,
              [at_least(ratio, ratio_least), *cpu(limit, rows, round(got["cpu"] / m, 1)),
               at_most("RSS" + (" - state" if state_mb else ""), got["rss"] - state_mb, 60, " MB")])


def at_most_four(limit, rows, cpu):
    return cpu_required(limit, rows, cpu, 4)


def at_most_ten(limit, rows, cpu):
    return cpu_required(limit, rows, cpu, 10)


def beside_the_client(limit, rows, cpu):
    return [at_most("CPU (client + 3)", cpu, round(limit["client"] / rows * 1e6 + 3, 1), " s/M")]


CAPTURE_LOADS = (("one transaction", ROWS, ROWS), ("100 rows a transaction", ROWS, 100), ("1 row a transaction", ROWS // 3, 1))
TABLE_LOADS = (("inserts", f"CALL bench.append({ROWS}, 100)", 0.5),
               (f"updates of {HOT:,} hot rows", f"CALL bench.move({ROWS}, 100, {HOT})", 0.7))


def capture(bench):
    source, table = bench.source, bench.table
    source.create("capture", *SCHEMA)
    w = bench.walmill("capture", source.dsn("capture"))
    w.wait_ready()
    create_connector(w, source, "capture", "capture")
    for load, rows, per in CAPTURE_LOADS:
        limit, got = drains(w, source, "capture", "capture", rows, f"CALL bench.append({rows}, {per})")
        m = rows / 1e6
        table.add("limit: pg_recvlogical", load, rows, f"{rows / limit['s'] / 1e3:,.0f}k rows/s", cpu=f"client {limit['client'] / m:.1f}",
                  sender=f"{limit['sender'] / m:.1f}")
        report(table, "capture + log", load, rows, limit, got, 0.9, beside_the_client if per == 1 else at_most_four)
    w.stop()


def snapshot(bench):
    """A second reader of what the drains left, else of a table of its own."""
    source, db = bench.source, "capture"
    if "capture" not in bench.parts:
        source.create(db, *SCHEMA)
        pg = source.connect(db)
        pg(f"CALL bench.append({2 * ROWS}, 1000)")
        pg.close()
    pg = source.connect(db)
    pg("VACUUM ANALYZE interventions")
    rows = int(pg.one("SELECT count(*) FROM interventions"))
    t = time.monotonic()
    source.run("psql", "-Xqd", db, "-c", "COPY interventions TO STDOUT (FORMAT binary)")
    limit = {"s": time.monotonic() - t, "sender": 0}
    w = bench.walmill("snapshot", source.dsn(db))
    w.wait_ready()
    reset_peak(w.pid)
    before = cpu_s(w.pid)
    s = create_connector(w, source, db, "snapshot")
    seen = w.connector("snapshot")["snapshot_rows"]
    if seen != rows:
        raise Failed(f"the snapshot has {seen} rows, the table {rows}")
    ratio = limit["s"] / s
    bench.table.add("snapshot + log", "beside psql, binary COPY", rows, f"{rows / s / 1e3:,.0f}k rows/s",
        f"{rows / limit['s'] / 1e3:,.0f}k rows/s",
                    f"{(cpu_s(w.pid) - before) / rows * 1e6:.1f}", "", "", f"{peak_mb(w.pid):.0f}", ratio,
                    [at_least(ratio, 0.35), at_most("RSS", peak_mb(w.pid), 60, " MB")])
    w.stop()
    pg.close()


# ---- three tables ----

def with_job(bench, db, target):
    """walmill with the demonstration's job over HOT rows and the probes' rows; target None: the source's own database."""
    source = bench.source
    source.create(db, *SCHEMA)
    if target:
        target.create(db, SCHEMA[0])
    pg = source.connect(db)
    pg(f"CALL bench.append({HOT + PROBES}, 1000)")
    pg.close()
    w = bench.walmill(db, source.dsn(db), target.dsn(db) if target else "")
    w.wait_ready()
    create_connector(w, source, db, "tables")
    with open(ROOT + "/jobs/interventions.sql") as f:
        w.must("POST", "jobs", "/jobs?name=tables", f.read())
    wait_for(lambda: w.job("tables")["state"] == "RUNNING", "job running", 60)
    return w


def must_be_equal(w):
    verdict = w.must("POST", "jobs", "/jobs/tables/verify")
    if not verdict["equal"]:
        raise Failed(f"the tables are not what the SQL says: {verdict['differences']} differences")


def tables(bench):
    for where, target in (("target another instance", bench.target), ("target = source", None)):
        db = "tables_apart" if target else "tables_same"
        w = with_job(bench, db, target)
        for load, call, least in TABLE_LOADS:
            limit, got = drains(w, bench.source, db, "tables", ROWS, call, target or bench.source)
            report(bench.table, "capture + log + 3 tables", f"{load}, {where}", ROWS, limit, got, least, at_most_ten)
            must_be_equal(w)
        w.stop()


# ---- commit to visible ----

TELL = """CREATE FUNCTION bench_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify('seen', NEW.intervention_id || ' ' || NEW.latitude); RETURN NULL; END $$;
CREATE TABLE bench_alone AS SELECT intervention_id, latitude FROM analytics.intervention_geo_view WHERE intervention_id > %d;
CREATE TRIGGER tell AFTER INSERT OR UPDATE ON bench_alone FOR EACH ROW WHEN (NEW.latitude < 0) EXECUTE FUNCTION bench_tell();
CREATE TRIGGER bench_tell AFTER INSERT OR UPDATE ON analytics.intervention_geo_view FOR EACH ROW WHEN (NEW.latitude < 0)
EXECUTE FUNCTION bench_tell()""" % HOT


class Probe:
    """Commits a marker (a negative latitude that grows) in one of PROBES rows at due times, whether or not earlier ones were seen.
    A trigger tells a listener on the target,
    which PostgreSQL wakes after the commit that makes the row visible. A later marker of the same row
    counts for the earlier ones: a transaction of the target may carry several."""

    def __init__(self, writer, listener, statement):
        self.writer, self.listener, self.statement = writer, listener, statement
        self.sent, self.seen = {}, {}
        self.listener("LISTEN seen")

    def listen(self, until):
        while not until.is_set() or len(self.seen) < len(self.sent):
            for payload in self.listener.notifications(0.2):
                now = time.monotonic()
                row, latitude = payload.split()
                marker = round(-float(latitude) * 1e6)
                while marker > 0 and marker not in self.seen:
                    self.seen[marker] = now
                    marker -= PROBES
            if until.is_set() and time.monotonic() > self.deadline:
                break

    def run(self, per_s, seconds):
        done = threading.Event()
        thread = threading.Thread(target=self.listen, args=(done,))
        self.deadline = time.monotonic() + seconds + 20
        thread.start()
        due = time.monotonic()
        for marker in range(1, int(per_s * seconds) + 1):
            due += random.uniform(0.5, 1.5) / per_s
            time.sleep(max(0, due - time.monotonic()))
            self.writer(self.statement.format(latitude=-marker / 1e6, id=HOT + 1 + marker % PROBES))
            self.sent[marker] = time.monotonic()
        done.set()
        thread.join()
        if len(self.seen) < len(self.sent):
            raise Failed(f"{len(self.sent) - len(self.seen)} of {len(self.sent)} changes were not seen within 20 s")
        return [max(0, self.seen[m] - t) * 1e3 for m, t in self.sent.items()]


SOURCE_PROBE = "UPDATE interventions SET latitude = {latitude:.6f} WHERE id = {id}"
ALONE_PROBE = "UPDATE bench_alone SET latitude = {latitude:.6f} WHERE intervention_id = {id}"


LATENCY_LOADS = ((100, 50), (1000, 100), (5000, 100))


def probe_under_load(source, db, writer, listener, rate, probes, cpu_of):
    """Milliseconds of each probe, the cores that cpu_of() says were used meanwhile, and the rate that was reached."""
    writer(f"UPDATE interventions SET latitude = 45 WHERE id > {HOT}")
    before, took = cpu_of(), time.monotonic()
    load = source.start("pgbench", "-n", "-M", "prepared", "-c", "4", "-j", "1", "-R", str(rate - probes), "-T",
                        str(int(SECONDS + 1)), "-D", f"hot={HOT}", "-f", ROOT + "/bench/move.pgbench", db, stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT, text=True)
    ms = Probe(writer, listener, SOURCE_PROBE).run(probes, SECONDS)
    cores = (cpu_of() - before) / (time.monotonic() - took)
    out = load.communicate()[0]
    if load.returncode:
        raise Failed("pgbench: " + out[-300:])
    return ms, cores, next(float(line.split()[2]) for line in out.splitlines() if line.startswith("tps =")) + probes


def latency(bench):
    source, target, db = bench.source, bench.target, "latency"
    w = bench.alive = with_job(bench, db, target)
    writer, listener = source.connect(db), target.connect(db)
    listener(TELL)
    for rate, probes in LATENCY_LOADS:
        ms, cpu, reached = probe_under_load(source, db, writer, listener, rate, probes, lambda: cpu_s(w.pid))
        p50, p95, p99 = (quantile(ms, q) for q in (0.5, 0.95, 0.99))
        need = {100: [under("p50", p50, 2, " ms")], 1000: [under("p50", p50, 3, " ms"), under("p99", p99, 15, " ms")]}.get(rate, [])
        bench.table.add("commit to visible", f"{rate:,} tx/s ({reached:,.0f} reached), target another instance", len(ms),
                        f"p50 {p50:.2f} p95 {p95:.2f} p99 {p99:.2f} max {max(ms):.1f} ms", cpu=f"{100 * cpu:.0f} % of a core",
                        rss=f"{peak_mb(w.pid):.0f}", required=need)
    must_be_equal(w)
    alone = target.connect(db)
    ms = Probe(alone, listener, ALONE_PROBE).run(200, 1)
    alone.close()
    bench.table.add("the method's own share", "the same probe, on a table of the target", len(ms),
                    f"p50 {quantile(ms, .5):.2f} p95 {quantile(ms, .95):.2f} p99 {quantile(ms, .99):.2f} max {max(ms):.1f} ms",
                    required=[under("p50", quantile(ms, .5), 0.5, " ms")])
    listener("DROP TABLE bench_alone; DROP FUNCTION bench_tell CASCADE")
    writer.close()
    listener.close()
    if "start" not in bench.parts:
        w.stop()


# ---- starting ----

def start(bench):
    """Restarts over the data directory that the latency part left, or one of its own."""
    w, source, db = bench.alive, bench.source, "latency"
    if not w:
        w = with_job(bench, db, bench.target)
    times = []
    for _ in range(5):
        w.stop()
        w.start()
        times.append(w.wait_ready() * 1e3)
    size = sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(w.data) for f in files) / 1e6
    bench.table.add("cold start to /readyz", f"median of 5, {size:.0f} MB of data", 0,
        f"{quantile(times, .5):.0f} ms (max {max(times):.0f})",
                    required=[under("start", quantile(times, .5), 200, " ms")])
    pg, times = source.connect(db), []
    load = source.start("pgbench", "-n", "-M", "prepared", "-c", "2", "-j", "1", "-R", "1000", "-T", "60", "-D", f"hot={HOT}", "-f",
                        ROOT + "/bench/move.pgbench", db, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(3):
        first = pg.one("SELECT pg_current_wal_insert_lsn()")
        wait_for(lambda: lsn(w.job("tables")["position"]) > lsn(first), "job following the load", 30)
        t = time.monotonic()
        w.kill()
        w.start()
        w.wait_ready()
        now = pg.one("SELECT pg_current_wal_insert_lsn()")
        wait_for(lambda: lsn(w.job("tables")["position"]) > lsn(now), "caught up", 60)
        times.append((time.monotonic() - t) * 1e3)
    load.terminate()
    load.wait()
    bench.table.add("kill -9 to caught up", "median of 3, 1,000 tx/s going on", 0, f"{quantile(times, .5):.0f} ms (max {max(times):.0f})",
                    required=[under("caught up", quantile(times, .5), 1000, " ms")])
    must_be_equal(w)
    pg.close()
    w.stop()


# ---- the faces ----

def rest(bench):
    faces.rest(bench, create_connector, SECONDS)


# ---- the peers ----

def peers_drain(bench, name, db, rows, call, names, reached):
    """The limit's figures, the peers': from the resumed connector to what reached(end) waits for."""
    p, pg = bench.peers, bench.source.connect(db)
    p.steer(name, "stop")
    end, limit = drain_limit(bench.source, db, pg, call)
    p.reset_peak()
    before, t = p.cpu(names), time.monotonic()
    p.steer(name, "resume")
    at = reached(end)
    got = {"s": at - t, "cpu": p.cpu(names) - before, "rss": p.peak(names)}
    got["sender"] = cpu_s(int(pg.one("SELECT active_pid FROM pg_replication_slots WHERE active")))
    pg.close()
    return limit, got


def peers_report(bench, what, load, rows, limit, got):
    m = rows / 1e6
    bench.table.add("peers: " + what, load, rows, f"{rows / got['s'] / 1e3:,.0f}k rows/s", f"{rows / limit['s'] / 1e3:,.0f}k rows/s",
                    f"peers {got['cpu'] / m:.1f}", f"{got['sender'] / m:.1f} ({limit['sender'] / m:.1f})", "", f"{got['rss']:,.0f}",
                    limit["s"] / got["s"])


def peers_connector(bench, db, name, more):
    config = connector_config(bench.source, db, name)
    config["config"] |= more
    bench.peers.create(config)


def peers_capture(bench):
    p, db = bench.peers, "peers_capture"
    p.start()
    bench.source.create(db, *SCHEMA)
    pg = bench.source.connect(db)
    pg("CALL bench.append(1, 1)")
    peers_connector(bench, db, "pcapture", peers.BULK)
    topic = "pcapture.interventions"
    wait_for(lambda: p.records(topic) == 1, "Debezium's snapshot", 60, 0.1)

    def reached(want):
        wait_for(lambda: p.records(topic) >= want, f"{want} records", 300, 0.02)
        return time.monotonic()

    # JVMs are slow until they have compiled what they run: one load more than is reported
    for load, rows, per in (("warm-up", ROWS // 3, 100), *CAPTURE_LOADS):
        want = p.records(topic) + rows + 1
        limit, got = peers_drain(bench, "pcapture", db, rows, f"CALL bench.append({rows}, {per})", ("kafka", "connect"),
                                 lambda end, want=want: reached(want))
        if load != "warm-up":
            peers_report(bench, "Debezium into Kafka", load, rows, limit, got)
    p.steer("pcapture", "", "DELETE")
    p.stop()  # four idle JVMs would be in what is measured next
    pg.close()


def peers_tables(bench):
    """From nothing to right tables, then the loads of the latency part and of the tables part."""
    p, db, name = bench.peers, "peers_tables", "ptables"
    bench.source.create(db, *SCHEMA)
    bench.target.create(db, SCHEMA[0])
    pg = bench.source.connect(db)
    pg(f"CALL bench.append({HOT + PROBES}, 1000)")
    pg.close()
    began = time.monotonic()
    p.start()
    peers_connector(bench, db, name, peers.QUICK)
    p.submit(name + ".interventions", bench.target, db)
    equal = peers.Equal(bench.source, bench.target, db)
    at = equal.wait()
    bench.table.add("peers: nothing to right tables", f"{HOT + PROBES:,} rows; start of all four JVMs", 0, f"{at - began:.1f} s",
                    rss=f"{p.peak():,.0f}")
    writer, listener = bench.source.connect(db), bench.target.connect(db)
    listener(TELL)
    for rate, probes in LATENCY_LOADS[:2]:
        ms, cores, tps = probe_under_load(bench.source, db, writer, listener, rate, probes, p.cpu)
        bench.table.add("peers: commit to visible", f"{rate:,} tx/s ({tps:,.0f} reached), target another instance", len(ms),
                        "p50 {:.2f} p95 {:.2f} p99 {:.2f} max {:.1f} ms".format(*(quantile(ms, q) for q in (0.5, 0.95, 0.99)), max(ms)),
                        cpu=f"peers {100 * cores:.0f} % of a core", rss=f"{p.peak():,.0f}")
    listener("DROP TABLE bench_alone; DROP FUNCTION bench_tell CASCADE")
    p.rest("connect_port", "PUT", f"/connectors/{name}/config", connector_config(bench.source, db, name)["config"] | peers.BULK)
    for load, call, _ in TABLE_LOADS:
        limit, got = peers_drain(bench, name, db, ROWS, call, peers.JVMS, lambda end: equal.wait())
        peers_report(bench, "Debezium + Kafka + Flink, 3 tables", load + ", target another instance", ROWS, limit, got)
    for c in (writer, listener):
        c.close()
    equal.close()
    p.steer(name, "", "DELETE")
    p.cancel()
    p.stop()


# ---- the run ----

class Bench:
    def __init__(self, dir, parts):
        self.dir, self.parts, self.table = dir, parts, Table()
        self.peers = None
        self.running, self.alive = [], None
        self.clusters = []
        for name in ("source", "target"):
            self.clusters.append(Cluster(f"{dir}/{name}"))
        self.source, self.target = self.clusters

    def walmill(self, name, source, target="", **more):
        w = Walmill(f"{self.dir}/{name}", source, target, **more)
        self.running.append(w)
        return w

    def close(self):
        for w in self.running:
            w.stop()
        if self.peers:
            self.peers.stop()
        for c in self.clusters:
            c.destroy()


def text_of(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=False).stdout.strip()


def heading():
    with open("/proc/cpuinfo") as f:
        model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), "unknown CPU")
    with open("/proc/meminfo") as f:
        memory = int(f.readline().split()[1]) / 2**20
    changed = " and changes" if text_of("git", "status", "--porcelain", "--untracked-files=no") else ""
    return "\n".join((
        "# What walmill does beside the limit of PostgreSQL", "",
        f"- commit {text_of('git', 'rev-parse', '--short=12', 'HEAD')}{changed}, {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}",
        f"- {os.cpu_count()} cores, {model}, {memory:.0f} GiB, Linux {os.uname().release}",
        f"- {text_of(PG_BIN + '/postgres', '--version')}; {', '.join(Cluster.SETTINGS)}",
        f"- load average at the start {' '.join(f'{x:.2f}' for x in os.getloadavg())}; BENCH_ROWS={ROWS} "
        f"BENCH_SECONDS={SECONDS:g} BENCH_DRAINS={DRAINS}",
        "- everything on this machine over TCP loopback: source, target, writers, readers", ""))


def main():
    parts = sys.argv[1:] or list(PARTS)
    if set(parts) - set(PARTS):
        sys.exit(__doc__)
    if not os.access(WALMILL, os.X_OK):
        sys.exit(f"bench: no {WALMILL}; make bench builds it")
    dir = tempfile.mkdtemp(prefix="walmill-bench-", dir=os.environ.get("BENCH_DIR", "/var/tmp"))
    os.chmod(dir, 0o755)  # root's clusters belong to the user postgres
    head, began, failed, bench = heading(), time.monotonic(), [], None
    try:
        bench = Bench(dir, parts)
        run = [p for p in PARTS if p in parts]
        if os.environ.get("PEERS"):
            bench.peers = peers.Peers(dir + "/peers")
            # each right behind walmill's own; the latency of the peers belongs to the tables that they fill
            run = [q for p in run for q in ((p, "peers_" + p) if p in ("capture", "tables") else (p,))]
        for part in run:
            t = time.monotonic()
            try:
                globals()[part](bench)
            except Failed as e:
                failed.append(f"{part}: {e}")
                print(f"FAILED {failed[-1]}", file=sys.stderr)
            print(f"({part}: {time.monotonic() - t:.0f} s)", file=sys.stderr)
    finally:
        if bench:
            bench.close()
        if failed and os.environ.get("BENCH_KEEP"):
            print(f"kept {dir}", file=sys.stderr)
        else:
            shutil.rmtree(dir, ignore_errors=True)
    text = "\n".join((head, bench.table.text(), "", *("FAILED " + f for f in failed), f"{time.monotonic() - began:.0f} s in all.")) + "\n"
    print(text)
    if os.environ.get("RESULTS"):
        with open(os.path.join(ROOT, os.environ["RESULTS"]), "w") as f:
            f.write(text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
