#!/usr/bin/env python3
"""Connect's REST face and the Kafka port together: what pausing, stopping, restarting and offsets do to what is published, and the recorded
demo cases, posted to one port and read from the other.

Usage: rest_connect.py WALMILL [life|born|offsets|overrun|topics|cases]...
"""
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from restworld import ROOT, Postgres, Walmill, until

CONFIG = {"connector.class": "PostgresConnector", "database.hostname": "127.0.0.1", "database.user": "postgres", "database.dbname": "life",
          "database.password": "not-shown-elsewhere", "topic.prefix": "l", "plugin.name": "pgoutput", "slot.name": "life",
          "publication.autocreate.mode": "filtered", "table.include.list": "public.t", "key.converter.schemas.enable": "false",
          "value.converter.schemas.enable": "false"}
C = "/connectors/life"


def consume(w, topic):
    """All records of a topic, by a Kafka client."""
    done = subprocess.run(["kcat", "-b", "127.0.0.1:" + w.ports["kafka"], "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J"],
                          capture_output=True, text=True, timeout=60, check=False)
    if "Unknown topic" in done.stderr:
        return []
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


class Life:
    """A connector over one table."""

    def __init__(self, program):
        self.pg = Postgres()
        self.pg.sql("CREATE DATABASE life")
        self.sql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'one')")
        self.w = Walmill(program)

    def sql(self, text):
        return self.pg.sql(text, "life")

    def must(self, code, method, path, body=None):
        status, _, text = self.w.call("connect", method, path, body)
        assert status == code, f"{method} {path}: {status} {text}"
        return json.loads(text) if text else None

    def create(self):
        self.must(201, "POST", "/connectors", {"name": "life", "config": {**CONFIG, "database.port": self.pg.port}})
        self.streaming()

    def streaming(self):
        until(lambda: self.w.state("life") == "RUNNING" and self.w.step("life") == "streaming", "streaming")

    def is_in(self, state):
        until(lambda: self.w.state("life") == state, state)

    def slot_active(self):
        return self.sql("SELECT active FROM pg_replication_slots WHERE slot_name = 'life'") == "t"

    def events(self):
        """[(op, id)] in order."""
        return [(p["op"], (p["after"] or p["before"])["id"]) for p in (json.loads(r["payload"]) for r in consume(self.w, "l.public.t"))]

    def published(self, want):
        until(lambda: len(self.events()) >= len(want), f"{want}, have {self.events()}", 30)
        assert self.events() == want, self.events()

    def close(self):
        self.w.close()
        self.pg.close()


def life(program):
    x = Life(program)
    try:
        x.create()
        want = [("r", 1)]
        for number, (verb, state, code) in enumerate((("pause", "PAUSED", 202), ("stop", "STOPPED", 204)), 2):
            x.must(code, "PUT", f"{C}/{verb}")
            x.is_in(state)
            until(lambda: not x.slot_active(), "the slot is let go")
            assert len(x.must(200, "GET", f"{C}/tasks")) == (state == "PAUSED")
            x.sql(f"INSERT INTO t VALUES ({number}, 'while {state}')")
            # a restart of what does not run changes nothing
            x.must(204, "POST", f"{C}/restart")
            for _ in range(30):
                assert x.w.state("life") == state and not x.slot_active()
                time.sleep(0.02)
            x.w.stop(signal.SIGKILL)
            x.w.start()
            x.is_in(state)
            assert x.events() == want and not x.slot_active()
            x.must(202, "PUT", f"{C}/resume")
            x.streaming()
            want += [("c", number)]
            x.published(want)
        for number, path in enumerate(("/restart", "/restart?includeTasks=true", "/tasks/0/restart"), 10):
            before = x.sql("SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'life'")
            x.must(202 if "?" in path else 204, "POST", C + path)
            x.sql(f"INSERT INTO t VALUES ({number})")
            want += [("c", number)]
            x.published(want)
            pid = "SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'life'"
            until(lambda b=before, q=pid: x.sql(q) not in ("", b), "a new session")
        x.must(202, "POST", f"{C}/restart?onlyFailed=true")
        assert "not-shown-elsewhere" not in json.dumps(x.must(200, "GET", f"{C}/status"))
        # one that fails says so, and a restart with its cause gone heals it
        x.must(202, "PUT", f"{C}/pause")
        x.is_in("PAUSED")
        x.sql("ALTER PUBLICATION dbz_publication RENAME TO gone")
        x.must(202, "PUT", f"{C}/resume")
        until(lambda: x.must(200, "GET", f"{C}/status")["tasks"][0]["state"] == "FAILED", "FAILED")
        assert "dbz_publication" in x.must(200, "GET", f"{C}/status")["tasks"][0]["trace"]
        x.sql("ALTER PUBLICATION gone RENAME TO dbz_publication")
        answer = x.must(202, "POST", f"{C}/restart?includeTasks=true&onlyFailed=true")
        assert (answer["connector"]["state"], answer["tasks"][0]["state"]) == ("RUNNING", "RESTARTING"), answer
        x.streaming()
        x.must(204, "DELETE", C)
        x.must(404, "GET", C)
    finally:
        x.close()


def tasks_are(x, state, n):
    """In every place that tells of tasks. A worker's has a task from its first run until it is stopped, whatever it is told in between."""
    until(lambda: x.must(200, "GET", f"{C}/status")["connector"]["state"] == state, state)
    listed = x.must(200, "GET", "/connectors?expand=status&expand=info")["life"]
    for status in (x.must(200, "GET", f"{C}/status"), listed["status"]):
        assert [t["state"] for t in status["tasks"]] == [state] * n and status["connector"]["state"] == state, status
    for info in (x.must(200, "GET", C), listed["info"]):
        assert info["tasks"] == [{"connector": "life", "task": 0}] * n, info
    assert [t["id"] for t in x.must(200, "GET", f"{C}/tasks")] == [{"connector": "life", "task": 0}] * n
    assert list(x.must(200, "GET", f"{C}/tasks-config")) == ["life-0"] * n
    assert x.w.call("connect", "GET", f"{C}/tasks/0/status")[0] == (200 if n else 404)
    status, _, text = x.w.call("connect", "POST", f"{C}/tasks/0/restart")
    assert (status, "Unknown task: life-0" in text) == ((204, False) if n else (404, True)), text
    _, _, text = x.w.call("console", "GET", "/api/connectors/life")
    assert [t["state"] for t in json.loads(text)["tasks"]] == [state] * n, text


def after_crash(x, state, n):
    x.w.stop(signal.SIGKILL)
    x.w.start()
    tasks_are(x, state, n)


def older_file(x):
    """What was written before the file said whether there is a task: a paused connector had run."""
    x.w.stop(signal.SIGKILL)
    path = pathlib.Path(x.w.dir) / "data/connectors/life.json"
    text = path.read_text(encoding="utf-8")
    assert json.loads(text)["state"] == "PAUSED" and json.loads(text).pop("tasks") is False, text
    path.write_text(text.replace('"tasks":false,', ""), encoding="utf-8")
    assert "tasks" not in json.loads(path.read_text(encoding="utf-8"))
    x.w.start()
    tasks_are(x, "PAUSED", 1)


def born(program):
    """initial_state: what a worker of Kafka 3.9 shows of one that never ran, and from then on."""
    x = Life(program)
    try:
        config = {**CONFIG, "database.port": x.pg.port}
        for state in ("STOPPED", "PAUSED"):
            made = x.must(201, "POST", "/connectors", {"name": "life", "config": config, "initial_state": state})
            assert made["tasks"] == []
            tasks_are(x, state, 0)
            x.must(204, "POST", f"{C}/restart")
            answer = x.must(202, "POST", f"{C}/restart?includeTasks=true")
            assert (answer["connector"]["state"], answer["tasks"]) == ("RESTARTING", []), answer
            answer = x.must(202, "POST", f"{C}/restart?includeTasks=true&onlyFailed=true")
            assert (answer["connector"]["state"], answer["tasks"]) == (state, []), answer
            assert x.must(200, "PUT", f"{C}/config", {**config, "heartbeat.interval.ms": 0})["tasks"] == []
            after_crash(x, state, 0)
            for verb, then, code in (("pause", "PAUSED", 202), ("stop", "STOPPED", 204), ("pause", "PAUSED", 202)):
                x.must(code, "PUT", f"{C}/{verb}")
                tasks_are(x, then, 0)
            after_crash(x, "PAUSED", 0)
            if state == "PAUSED":
                older_file(x)
            assert x.sql("SELECT count(*) FROM pg_replication_slots") == "0"   # it never ran
            x.must(202, "PUT", f"{C}/resume")
            x.streaming()
            tasks_are(x, "RUNNING", 1)
            x.must(202, "PUT", f"{C}/pause")
            tasks_are(x, "PAUSED", 1)
            assert x.must(200, "PUT", f"{C}/config", config)["tasks"] == [{"connector": "life", "task": 0}]
            after_crash(x, "PAUSED", 1)
            x.must(204, "PUT", f"{C}/stop")
            tasks_are(x, "STOPPED", 0)
            x.must(200, "DELETE", f"{C}/offsets")
            x.must(202, "PUT", f"{C}/pause")
            tasks_are(x, "PAUSED", 0)
            after_crash(x, "PAUSED", 0)
            x.must(202, "PUT", f"{C}/resume")
            x.streaming()
            after_crash(x, "RUNNING", 1)
            x.must(204, "DELETE", C)
            until(lambda: not x.slot_active(), "the slot is let go")
            x.sql("SELECT pg_drop_replication_slot('life')")
        x.published([("r", 1)] * 4)
    finally:
        x.close()


def lsn(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def offsets(program):
    x = Life(program)

    def alter(code, offset, partition="l"):
        return x.must(code, "PATCH", f"{C}/offsets", {"offsets": [{"partition": {"server": partition}, "offset": offset}]})

    def wal():
        return lsn(x.sql("SELECT pg_current_wal_insert_lsn()"))

    def job(verb, code):
        status, _, text = x.w.call("jobs", *verb, b"INSERT INTO public.counted (n) SELECT count(*) FROM public.t;", "application/sql")
        assert status == code, text

    try:
        x.sql("CREATE TABLE counted (n bigint NOT NULL)")
        x.w.close()
        x.w = Walmill(program, "--target", x.pg.dsn("life"))
        x.create()
        x.published([("r", 1)])
        for method, body in (("DELETE", None), ("PATCH", {"offsets": [{"partition": {"server": "l"}, "offset": {"lsn": 1}}]})):
            assert "must be in the STOPPED state" in x.must(400, method, f"{C}/offsets", body)["message"]
        x.must(204, "PUT", f"{C}/stop")
        x.is_in("STOPPED")
        now = x.must(200, "GET", f"{C}/offsets")["offsets"]
        assert now[0]["partition"] == {"server": "l"} and now[0]["offset"]["lsn"] <= wal()
        x.must(200, "PATCH", f"{C}/offsets", {"offsets": now})   # what is there already
        # on: what was committed before is left out, what comes later is not
        x.sql("INSERT INTO t VALUES (2)")
        to = wal()
        assert "published twice" in alter(400, {"lsn": 1})["message"]
        assert "beyond the end" in alter(400, {"lsn": to + (1 << 40)})["message"]
        assert "one partition" in alter(400, {"lsn": to}, "other")["message"]
        for wrong in ({}, {"lsn": "x"}, {"lsn": -1}, {"lsn": 1.5}, {"lsn": 10 ** 30}):
            alter(400, wrong)
        assert "altered successfully" in alter(200, {"lsn": to})["message"]
        assert x.must(200, "GET", f"{C}/offsets")["offsets"][0]["offset"]["lsn"] == to
        x.w.stop(signal.SIGKILL)
        x.w.start()
        x.must(202, "PUT", f"{C}/resume")
        x.streaming()
        x.sql("INSERT INTO t VALUES (3)")
        x.published([("r", 1), ("c", 3)])
        # a job that comes now must not believe the old snapshot: row 2 is in the table and not in the topic
        job(("POST", "/jobs?name=counting"), 202)
        until(lambda: x.sql("SELECT n FROM counted") == "3", "the job counts three rows")
        x.must(204, "PUT", f"{C}/stop")
        x.is_in("STOPPED")
        x.sql("INSERT INTO t VALUES (4)")
        assert 'job "counting" reads' in alter(400, {"lsn": wal()})["message"]
        # from nothing: a new snapshot, which the job follows
        assert "reset successfully" in x.must(200, "DELETE", f"{C}/offsets")["message"]
        assert x.must(200, "GET", f"{C}/offsets")["offsets"] == []
        x.must(202, "PUT", f"{C}/resume")
        x.streaming()
        x.published([("r", 1), ("c", 3), ("r", 1), ("r", 2), ("r", 3), ("r", 4)])
        x.sql("DELETE FROM t WHERE id = 1")
        until(lambda: x.sql("SELECT n FROM counted") == "3", "the job follows")
        x.must(204, "PUT", f"{C}/stop")
        x.is_in("STOPPED")
        alter(200, None)
        assert x.must(200, "GET", f"{C}/offsets")["offsets"] == []
    finally:
        x.close()


def doctor(program, x):
    done = subprocess.run([program, "doctor", "--source", x.pg.dsn("life"), "--json"], capture_output=True, text=True, check=False)
    return [(c["verdict"], c["what"], c["fix"]) for c in json.loads(done.stdout) if c["what"].startswith("replication slot")]


def overrun(program):
    """The server throws away what a stopped connector needs; then what the messages say is done, word for word."""
    x = Life(program)
    try:
        x.w.close()
        x.w = Walmill(program, "--target", x.pg.dsn("life"))
        x.sql("CREATE TABLE kept (id int PRIMARY KEY, v text); CREATE TABLE other (x text)")
        x.create()
        status, _, text = x.w.call("jobs", "POST", "/jobs?name=keeping", b"INSERT INTO public.kept SELECT id, v FROM public.t;",
                                   "application/sql")
        assert status == 202, text
        until(lambda: x.sql("SELECT count(*) FROM kept") == "1", "the job's table")
        assert doctor(program, x) == []
        x.must(204, "PUT", f"{C}/stop")
        x.is_in("STOPPED")
        x.sql("UPDATE t SET v = 'unseen'; INSERT INTO t VALUES (2, 'unseen')")
        x.sql("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
        x.sql("SELECT pg_reload_conf()")

        def write():
            x.sql("INSERT INTO other VALUES ('x'); SELECT pg_switch_wal()")
            x.sql("CHECKPOINT")
            return x.sql("SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'life'") == "lost"

        until(write, "the slot is lost")
        x.must(202, "PUT", f"{C}/resume")
        until(lambda: x.must(200, "GET", f"{C}/status")["tasks"][0]["state"] == "FAILED", "FAILED")
        trace = x.must(200, "GET", f"{C}/status")["tasks"][0]["trace"]
        drop = "SELECT pg_drop_replication_slot('life');"
        assert 'replication slot "life" has lost WAL that it needed: it was over max_slot_wal_keep_size' in trace, trace
        assert drop in trace and "(DELETE /connectors/life/offsets)" in trace, trace
        assert x.events() == [("r", 1)]
        (verdict, what, fix), = doctor(program, x)
        assert verdict == "warning" and "slot life has lost WAL that it needed" in what and drop in fix, (verdict, what, fix)
        x.sql(drop)
        x.must(204, "PUT", f"{C}/stop")
        x.is_in("STOPPED")
        x.must(200, "DELETE", f"{C}/offsets")
        x.must(202, "PUT", f"{C}/resume")
        x.streaming()
        x.sql("INSERT INTO t VALUES (3, 'seen')")
        x.published([("r", 1), ("r", 1), ("r", 2), ("c", 3)])
        until(lambda: x.sql("TABLE kept ORDER BY id") == "1|unseen\n2|unseen\n3|seen", "the job follows")
        assert doctor(program, x) == []
    finally:
        x.close()


def topics(program):
    x = Life(program)
    try:
        x.create()

        def active():
            return x.must(200, "GET", f"{C}/topics")["life"]["topics"]

        # it streams once the snapshot is written, and the topic is there once that is on the disk
        until(lambda: active() == ["l.public.t"], "the topic is active")
        x.must(202, "PUT", f"{C}/topics/reset")
        assert active() == []
        x.w.stop(signal.SIGKILL)
        x.w.start()
        x.streaming()
        assert active() == []
        x.sql("INSERT INTO t VALUES (2)")
        until(lambda: active() == ["l.public.t"], "the topic is active again")
        x.must(200, "PATCH", f"{C}/config", {"heartbeat.interval.ms": 100})
        until(lambda: sorted(active()) == ["__debezium-heartbeat.l", "l.public.t"], "heartbeats")
    finally:
        x.close()


# ---- the recorded cases ----

def line_of(record):
    headers = record.get("headers") or []
    return json.dumps({"partition": record["partition"], "key": record["key"], "value": record["payload"],
                       "headers": [{"key": k, "value": v} for k, v in zip(headers[::2], headers[1::2])]}, ensure_ascii=False)


def run_calls(w, pg, path):
    """A file of lines METHOD PATH, WAIT STATE, SQL STATEMENT."""
    name = None
    for line in path.read_text(encoding="utf-8").splitlines():
        word, rest = line.split(" ", 1)
        if word == "WAIT":
            until(lambda s=rest: w.state(name) == s and (s != "RUNNING" or w.step(name) == "streaming"), rest)
        elif word == "SQL":
            pg.sql(rest, "golden")
        else:
            name = rest.split("/")[2]
            status, _, text = w.call("connect", word, rest)
            assert status < 300, f"{line}: {status} {text}"


def run_case(w, pg, case, out):
    """As it was recorded from the real stack: SQL, POST, SQL; then every topic of the recording."""
    pg.sql("CREATE DATABASE golden TEMPLATE template0")
    steps = sorted([*case.glob("[0-9][0-9]-*.sql"), *case.glob("[0-9][0-9]-*.http")])
    pg.sql(file=steps[0], db="golden")
    text = (case / "connector.json").read_text(encoding="utf-8").replace("@PG_HOST@", "127.0.0.1").replace("@PG_PORT@", pg.port)
    name = json.loads(text)["name"]
    status, _, answer = w.call("connect", "POST", "/connectors", text.encode())
    assert status == 201, answer
    until(lambda: w.state(name) == "RUNNING" and w.step(name) == "streaming", "streaming")
    for step in steps[1:]:
        if step.suffix == ".sql":
            pg.sql(file=step, db="golden")
        else:
            run_calls(w, pg, step)
        # as the recording did: the next step comes when this one's changes are published
        until(lambda: w.state(name) == "RUNNING" and w.step(name) == "streaming", "streaming")
        end = lsn(pg.sql("SELECT pg_current_wal_insert_lsn()"))

        def caught_up(to=end):
            pg.sql("SELECT pg_logical_emit_message(false, '', '')", "golden")   # so that there is something behind the end
            return lsn(json.loads(w.call("connect", "GET", f"/connectors/{name}/status")[2])["walmill"]["durable_lsn"]) >= to

        until(caught_up, "all of it is published")
    for recorded in sorted(out[0].glob("*.jsonl")):
        (out[1] / recorded.name).write_text("".join(line_of(r) + "\n" for r in consume(w, recorded.stem)), encoding="utf-8")
    assert w.call("connect", "DELETE", f"/connectors/{name}")[0] == 204
    pg.sql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = 'golden'")
    pg.sql("DROP DATABASE golden WITH (FORCE)")


def cases(program):
    pg, failed = Postgres(), []
    try:
        for case in [*sorted((ROOT / "test/golden").glob("demo-*")), ROOT / "test/golden/rest/pause-stop-restart"]:
            for recorded in sorted(case.glob("debezium-*")):
                # a walmill each: topics of one case must not be another's
                w = Walmill(program, "--set", "compat.version=" + recorded.name.split("-")[1][:3])
                produced = pathlib.Path(tempfile.mkdtemp(prefix="walmill-case-"))
                try:
                    run_case(w, pg, case, (recorded, produced))
                    done = subprocess.run([sys.executable, ROOT / "test/golden/compare.py", recorded, produced], capture_output=True,
                                          text=True, check=False)
                    if done.returncode:
                        failed.append(f"{case.name} {recorded.name}")
                        print(done.stdout)
                finally:
                    w.close()
                    shutil.rmtree(produced)
    finally:
        pg.close()
    assert not failed, failed


def main():
    tests = {f.__name__: f for f in (life, born, offsets, overrun, topics, cases)}
    for name in sys.argv[2:] or tests:
        if name != "life" and not shutil.which("kcat"):
            sys.exit("kcat is not installed")
        tests[name](sys.argv[1])
        print(name, "ok", flush=True)


if __name__ == "__main__":
    main()
