#!/usr/bin/env python3
"""The jobs face against the shapes that a JobManager of Flink 1.19 answers (test/golden/flink.json): every key must be there with the same
type, and the status the same. Then that its numbers are real: rows, rates, checkpoints, failures.

Usage: rest_flink.py WALMILL [shapes|numbers|client]...
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from restworld import ROOT, Postgres, Walmill, until

SHAPES = json.loads((ROOT / "test/golden/flink.json").read_text(encoding="utf-8"))
# answers whose job must be in a certain condition first
OF_CANCELED = ("job-canceled", "job-result-canceled", "err-cancel-finished-job")
OF_FAILING = ("job-exceptions-failing",)
CANCELS = ("cancel", "yarn-cancel")


def differences(shape, got, path="$"):
    if isinstance(shape, dict):
        if not isinstance(got, dict):
            yield f"{path}: {type(got).__name__} instead of an object"
            return
        for key, inner in shape.items():
            if key not in got:
                yield f"{path}.{key} is missing"
            else:
                yield from differences(inner, got[key], f"{path}.{key}")
    elif isinstance(shape, list):
        if not isinstance(got, list):
            yield f"{path}: {type(got).__name__} instead of a list"
            return
        for i, element in enumerate(got):
            if shape:
                yield from differences(shape[0], element, f"{path}[{i}]")
    elif shape != "null":
        kind = {bool: "boolean", int: "number", float: "number", str: "string"}.get(type(got), type(got).__name__)
        if kind != shape:
            yield f"{path}: {kind} instead of {shape}"


class Jobs:
    def __init__(self, program):
        self.pg = Postgres()
        self.pg.sql("CREATE DATABASE demo")
        self.pg.sql(file=ROOT / "demo/schema.sql", db="demo")
        self.sql("INSERT INTO users (id, email, full_name) VALUES (1, 'a@b', 'A')")
        self.insert(1, 50)
        self.w = Walmill(program, "--source", self.pg.dsn("demo"), "--target", self.pg.dsn("demo"), "--set",
                         "job.checkpoint.interval=200ms")
        config = {"connector.class": "PostgresConnector", "topic.prefix": "f", "slot.name": "flink",
                  "publication.autocreate.mode": "filtered", "table.include.list": "public.interventions,public.d",
                  "decimal.handling.mode": "string"}
        self.sql("CREATE TABLE d (id int PRIMARY KEY, v int NOT NULL); INSERT INTO d VALUES (1, 1)")
        self.sql("CREATE TABLE divided (id int PRIMARY KEY, q int)")
        status, _, text = self.w.call("connect", "POST", "/connectors", {"name": "flink", "config": config})
        assert status == 201, text
        self.ids = {}

    def sql(self, text):
        return self.pg.sql(text, "demo")

    def insert(self, first, last):
        self.sql(f"INSERT INTO interventions (reference, title, planned_at, technician_id, latitude, longitude) "
                 f"SELECT 'R' || i, 't', now(), 1, 40 + i / 1000.0, -70 FROM generate_series({first}, {last}) i")

    def get(self, path, code=200):
        status, _, text = self.w.call("jobs", "GET", path)
        assert status == code, f"{path}: {status} {text}"
        return json.loads(text)

    def submit(self, name, text):
        status, _, answer = self.w.call("jobs", "POST", f"/jobs?name={name}", text.encode(), "application/sql")
        assert status == 202, answer
        self.ids[name] = json.loads(answer)["jobid"]
        assert re.fullmatch("[0-9a-f]{32}", self.ids[name])
        until(lambda: self.get(f"/jobs/{self.ids[name]}/status")["status"] == "RUNNING", name + " runs")
        return self.ids[name]

    def close(self):
        self.w.close()
        self.pg.close()


def shapes(program):
    x, failed = Jobs(program), []
    try:
        job = x.submit("interventions", (ROOT / "jobs/interventions.sql").read_text(encoding="utf-8"))
        failing = x.submit("divided", "INSERT INTO public.divided (id, q) SELECT id, 10 / v FROM public.d;")
        over = [x.submit(n, f"INSERT INTO public.c{n} (n) SELECT count(*) FROM public.d;") for n in map(make_target(x), "ab")]
        x.sql("INSERT INTO d VALUES (2, 0)")
        until(lambda: x.get(f"/jobs/{failing}/exceptions")["root-exception"], "the job fails")
        until(lambda: x.get(f"/jobs/{job}/checkpoints")["latest"]["completed"], "a checkpoint")
        vertex = x.get(f"/jobs/{job}")["vertices"][0]["id"]
        manager = x.get("/taskmanagers")["taskmanagers"][0]["id"]
        # those that cancel come first, then those that look at what is canceled
        for name in sorted(SHAPES, key=lambda n: (n in OF_CANCELED, n not in CANCELS)):
            want = SHAPES[name]
            which = failing if name in OF_FAILING else over[name == "yarn-cancel"] if name in CANCELS + OF_CANCELED else job
            if name in OF_CANCELED:
                until(lambda w=which: x.get(f"/jobs/{w}/status")["status"] == "CANCELED", "canceled")
            checkpoint = x.get(f"/jobs/{job}/checkpoints")["latest"]["completed"]["id"]
            method, path = want["request"].split(" ", 1)
            for word, value in (("@JOB@", which), ("@VERTEX@", vertex), ("@TASKMANAGER@", manager), ("@CHECKPOINT@", str(checkpoint))):
                path = path.replace(word, value)
            status, headers, text = x.w.call("jobs", method, path)
            problems = list(differences(want["body"], json.loads(text)))
            if status != want["status"] or not headers["Content-Type"].startswith("application/json"):
                problems.append(f"status {status} instead of {want['status']}: {text[:200]}")
            failed += [f"{name} ({method} {path}): {p}" for p in problems]
    finally:
        x.close()
    print("\n".join(failed))
    assert not failed


def make_target(x):
    def make(name):
        x.sql(f"CREATE TABLE c{name} (n bigint NOT NULL)")
        return name
    return make


def numbers(program):
    x = Jobs(program)
    try:
        job = x.submit("interventions", (ROOT / "jobs/interventions.sql").read_text(encoding="utf-8"))

        def vertices():
            return {v["name"]: v for v in x.get(f"/jobs/{job}")["vertices"]}

        def source():
            return vertices()["Source: public.interventions"]

        before = source()
        assert before["metrics"]["write-records"] >= 50 and before["walmill"]["state_rows"] == 50, before
        x.insert(51, 250)
        x.sql("UPDATE interventions SET status = 'IN_PROGRESS' WHERE id <= 100")
        x.sql("DELETE FROM interventions WHERE id <= 10")
        # 200 rows come, 100 change (two weighted rows each), 10 go: what was read and what was passed on, exactly
        until(lambda: source()["metrics"]["write-records"] == before["metrics"]["write-records"] + 200 + 2 * 100 + 10, "rows passed on")
        # each delete is a record that says so and maybe a tombstone behind it
        assert source()["metrics"]["read-records"] - before["metrics"]["read-records"] in (310, 320), source()
        assert source()["walmill"]["state_rows"] == 240 and source()["walmill"]["state_bytes"] > 240 * 50
        geo = vertices()["Sink: analytics.intervention_geo_view"]
        until(lambda: x.sql("SELECT count(*) FROM analytics.intervention_geo_view") == "240", "the target")
        geo = vertices()["Sink: analytics.intervention_geo_view"]
        assert geo["walmill"]["state_rows"] == 240 and geo["metrics"]["read-records"] >= 250, geo
        assert x.get(f"/v1/jobs/{job}/plan") == x.get(f"/jobs/{job}/plan")   # Flink's client names the version
        # the plan: sources have no inputs, sinks are nobody's, all names are vertices
        plan = x.get(f"/jobs/{job}/plan")["plan"]
        ids = {n["id"] for n in plan["nodes"]}
        used = {i["id"] for n in plan["nodes"] for i in n.get("inputs", [])}
        assert used <= ids and len(ids) == len(plan["nodes"]) == len(vertices_list(x, job))
        assert {v["name"] for v in vertices_list(x, job) if v["id"] not in used} == {
            "Sink: analytics.intervention_daily_metrics", "Sink: analytics.intervention_technician_load",
            "Sink: analytics.intervention_geo_view"}
        assert [v["name"] for v in vertices_list(x, job) if not inputs(plan, v["id"])] == ["Source: public.interventions"]
        lists_of_metrics(x, job, source()["id"])
        rates(x, job, source()["id"])
        histories(x)
    finally:
        x.close()


def vertices_list(x, job):
    return x.get(f"/jobs/{job}")["vertices"]


def inputs(plan, vertex):
    return next(n for n in plan["nodes"] if n["id"] == vertex).get("inputs", [])


def lists_of_metrics(x, job, vertex):
    """Names, values, aggregates: what exporters ask for, of all jobs, some, one, a vertex, its subtask."""
    base, of = f"/jobs/{job}/vertices/{vertex}", {"min", "max", "avg", "sum"}
    read = x.get(f"/jobs/{job}/vertices/{vertex}")["subtasks"][0]["metrics"]["read-records"]
    assert x.get(f"{base}/subtasks/0/metrics?get=numRecordsIn") == [{"id": "numRecordsIn", "value": str(read)}]
    assert x.get(f"{base}/metrics?get=0.numRecordsIn&get=0.nosuch") == [{"id": "0.numRecordsIn", "value": str(read)}]
    assert x.get(f"{base}/subtasks/metrics?get=numRecordsIn&subtasks=0-2") == [{"id": "numRecordsIn", **dict.fromkeys(of, read)}]
    assert x.get(f"{base}/subtasks/metrics?get=numRecordsIn&agg=AVG&agg=sum") == [{"id": "numRecordsIn", "avg": read, "sum": read}]
    for nothing in ("/subtasks/metrics?get=numRecordsIn&subtasks=3", "/subtasks/metrics?subtasks=3", "/subtasks/metrics?get="):
        assert x.get(base + nothing) == []
    names = {m["id"] for m in x.get(f"{base}/subtasks/0/metrics")}
    assert {"numRecordsIn", "numRecordsOutPerSecond"} <= names == {m["id"] for m in x.get(f"{base}/subtasks/metrics")}
    x.sql("CREATE TABLE second (n bigint NOT NULL)")
    other = x.submit("second", "INSERT INTO public.second (n) SELECT count(*) FROM public.d;")
    written = [int(x.get(f"/jobs/{j}/metrics?get=rowsWritten")[0]["value"]) for j in (job, other)]
    assert written[1] >= 1 and x.get("/jobs/metrics?get=rowsWritten,nosuch") == [
        {"id": "rowsWritten", "min": min(written), "max": max(written), "avg": sum(written) / 2, "sum": sum(written)}]
    assert x.get(f"/jobs/metrics?get=rowsWritten&jobs={other}&agg=max") == [{"id": "rowsWritten", "max": written[1]}]
    assert x.get(f"/jobs/metrics?jobs={'f' * 32}&get=uptime") == []
    assert {m["id"] for m in x.get("/jobs/metrics")} == {m["id"] for m in x.get(f"/jobs/{job}/metrics")}
    got, = x.get("/taskmanagers/metrics?get=numRunningJobs&agg=sum")
    assert got == {"id": "numRunningJobs", "sum": 2} and x.get("/jobmanager/metrics?get=numRunningJobs,numRegisteredTaskManagers") == [
        {"id": "numRunningJobs", "value": "2"}, {"id": "numRegisteredTaskManagers", "value": "1"}]
    assert x.w.call("jobs", "PATCH", f"/jobs/{other}?mode=cancel")[0] == 202
    until(lambda: x.get(f"/jobs/{other}/execution-result")["status"]["id"] == "COMPLETED", "canceled")
    assert x.get(f"/jobs/{other}/execution-result")["job-execution-result"]["application-status"] == "CANCELED"
    assert [m["sum"] for m in x.get("/jobs/metrics?get=rowsWritten")] == [written[0]]


def rates(x, job, vertex):
    def rate():
        got = x.get(f"/jobs/{job}/vertices/{vertex}/subtasks/metrics?get=numRecordsOutPerSecond")
        assert [m["id"] for m in got] == ["numRecordsOutPerSecond"]
        return got[0]["sum"]

    until(lambda: rate() == 0, "nothing flows")
    x.insert(1001, 3000)
    until(lambda: rate() > 200, "2,000 rows in a second or two show", 10)
    until(lambda: rate() == 0, "nothing flows again")


def histories(x):
    job = x.submit("divided", "INSERT INTO public.divided (id, q) SELECT id, 10 / v FROM public.d;")
    got = x.get(f"/jobs/{job}/exceptions")
    assert got["root-exception"] is None and got["exceptionHistory"]["entries"] == []
    x.sql("INSERT INTO d VALUES (2, 0)")
    until(lambda: x.get(f"/jobs/{job}/exceptions")["root-exception"], "division by zero")
    assert "division by zero" in x.get(f"/jobs/{job}/exceptions")["root-exception"]
    x.sql("UPDATE d SET v = 5 WHERE id = 2")
    until(lambda: x.get(f"/jobs/{job}/exceptions")["root-exception"] is None, "it heals")
    got = x.get(f"/jobs/{job}/exceptions")["exceptionHistory"]
    assert len(got["entries"]) == 1 and "division by zero" in got["entries"][0]["stacktrace"]
    assert x.get(f"/jobs/{job}/exceptions?maxExceptions=0")["exceptionHistory"] == {"entries": [], "truncated": True}
    # checkpoints: numbered on, sizes those of files, only the newest kept
    until(lambda: x.get(f"/jobs/{job}/checkpoints")["counts"]["completed"] >= 1, "a checkpoint")
    first = x.get(f"/jobs/{job}/checkpoints")["counts"]["completed"]
    x.sql("INSERT INTO d SELECT i, 1 FROM generate_series(10, 500) i")
    until(lambda: x.get(f"/jobs/{job}/checkpoints")["counts"]["completed"] > first, "another")
    until(lambda: x.get(f"/jobs/{job}/checkpoints")["latest"]["completed"]["state_size"] > 491 * 4, "it has grown")
    got = x.get(f"/jobs/{job}/checkpoints")
    assert [c["discarded"] for c in got["history"]] == [False] + [True] * (len(got["history"]) - 1)
    newest = got["counts"]["completed"]
    assert [c["id"] for c in got["history"]] == list(range(newest, newest - len(got["history"]), -1))
    assert got["summary"]["state_size"]["max"] == max(c["state_size"] for c in got["history"])


def connectors(program):
    """A job over tables of two connectors says which has what."""
    x = Jobs(program)
    try:
        config = {"connector.class": "PostgresConnector", "topic.prefix": "u", "slot.name": "users", "publication.name": "users",
                  "publication.autocreate.mode": "filtered", "table.include.list": "public.users"}
        status, _, text = x.w.call("connect", "POST", "/connectors", {"name": "users", "config": config})
        assert status == 201, text
        x.sql("CREATE TABLE named (id bigint PRIMARY KEY, n text)")
        query = ("INSERT INTO public.named (id, n) "
                 "SELECT i.id, u.full_name FROM interventions i LEFT JOIN users u ON u.id = i.technician_id;")
        status, _, answer = x.w.call("jobs", "POST", "/jobs?name=both", query.encode(), "application/sql")
        assert status == 202, answer
        job = json.loads(answer)["jobid"]
        until(lambda: x.get(f"/jobs/{job}/status")["status"] == "FAILED", "refused")
        why = x.get(f"/jobs/{job}/exceptions")["root-exception"]
        assert 'table "public.users" is not captured by connector "flink"' in why and 'Connector "users" captures it' in why, why
        # one that runs stays with its connector when another captures the same table; one that comes now has to choose
        x.sql("CREATE TABLE counted (n bigint NOT NULL)")
        job = x.submit("counted", "INSERT INTO public.counted (n) SELECT count(*) FROM public.users;")
        config.update({"topic.prefix": "v", "slot.name": "again", "publication.name": "again"})
        status, _, text = x.w.call("connect", "POST", "/connectors", {"name": "again", "config": config})
        assert status == 201, text
        until(lambda: x.w.step("again") == "streaming", "the second connector streams")
        x.w.stop(signal.SIGKILL)
        x.w.start()
        before = int(x.sql("SELECT n FROM counted"))
        x.sql("INSERT INTO users (id, full_name, email, role) VALUES (900001, 'One', 'one@example.org', 'TECH')")
        until(lambda: int(x.sql("SELECT n FROM counted")) == before + 1, "the job goes on after a restart")
        assert x.get(f"/jobs/{job}/status")["status"] == "RUNNING"
        x.sql("CREATE TABLE late (n bigint NOT NULL)")
        query = query.replace("public.named (id, n)", "public.late (n)").split("SELECT")[0] + "SELECT count(*) FROM users;"
        late = json.loads(x.w.call("jobs", "POST", "/jobs?name=late", query.encode(), "application/sql")[2])["jobid"]
        until(lambda: x.get(f"/jobs/{late}/status")["status"] == "FAILED", "has to choose")
        assert "is captured by 2 connectors" in x.get(f"/jobs/{late}/exceptions")["root-exception"]
    finally:
        x.close()


def client(program):
    """Flink's own command line client, where scripts/peers.sh has fetched it."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "walmill/peers/flink/deps/lib"
    if not list(cache.glob("flink-dist-*.jar")) or not shutil.which("java"):
        print("no Flink here: scripts/peers.sh fetch")
        sys.exit(77)
    x = Jobs(program)
    conf = tempfile.mkdtemp(prefix="walmill-flink-")
    try:
        x.sql("CREATE TABLE ca (n bigint NOT NULL)")
        job = x.submit("counted", "INSERT INTO public.ca (n) SELECT count(*) FROM public.d;")
        (pathlib.Path(conf) / "flink-conf.yaml").write_text(f"jobmanager.rpc.address: 127.0.0.1\nrest.address: 127.0.0.1\n"
                                                            f"rest.port: {x.w.ports['jobs']}\n", encoding="utf-8")

        def flink(*words):
            done = subprocess.run(["java", "-Xmx256m", "-cp", f"{cache}/*", "org.apache.flink.client.cli.CliFrontend", *words],
                                  env={**os.environ, "FLINK_CONF_DIR": conf}, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
            return done.stdout

        assert re.search(job + r" : counted \(RUNNING\)", flink("list", "-a"))
        assert f"Cancelled job {job}" in flink("cancel", job)
        until(lambda: x.get(f"/jobs/{job}/status")["status"] == "CANCELED", "canceled")
        assert re.search(job + r" : counted \(CANCELED\)", flink("list", "-a"))
    finally:
        x.close()
        shutil.rmtree(conf)


def main():
    tests = {f.__name__: f for f in (shapes, numbers, connectors, client)}
    for name in sys.argv[2:] or tests:
        tests[name](sys.argv[1])
        print(name, "ok", flush=True)


if __name__ == "__main__":
    main()
