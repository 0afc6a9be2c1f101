#!/usr/bin/env python3
"""The demonstration application's REST against its rules, its description (OpenAPI) and SQL.

Usage: app_rest.py WALMILL
Every answer is checked against the schema that /api/openapi.json gives for its status. Prints one line a case; exits 1 when one failed.
"""
import contextlib
import json
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time

from restworld import Postgres, Walmill, until

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
AT = "2026-03-01T09:00:00Z"


class Checker:
    """JSON Schema, as far as the description uses it."""

    def __init__(self, api):
        self.api = api
        self.schemas = api["components"]["schemas"]

    def check(self, value, schema, where="$"):
        if "$ref" in schema:
            return self.check(value, self.schemas[schema["$ref"].rsplit("/", 1)[1]], where)
        types = schema.get("type", [])
        types = types if isinstance(types, list) else [types]
        kinds = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict, "array": list,
                 "null": type(None)}
        fits = [t for t in types if isinstance(value, kinds[t]) and (t == "boolean" or not isinstance(value, bool))]
        assert fits or not types, f"{where}: {value!r} is not {types}"
        assert "enum" not in schema or value in schema["enum"], f"{where}: {value!r} is not one of {schema['enum']}"
        if schema.get("format") == "date-time" and value is not None:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", value), f"{where}: {value}"
        if schema.get("format") == "date":
            assert re.fullmatch(r"\d{4}-\d\d-\d\d", value), f"{where}: {value}"
        if isinstance(value, dict):
            for key in schema.get("required", []):
                assert key in value, f"{where}: {key} is missing"
            for key, v in value.items():
                known = schema.get("properties", {}).get(key)
                assert known or schema.get("additionalProperties", True), f"{where}: {key} is not described"
                if known:
                    self.check(v, known, f"{where}.{key}")
        if isinstance(value, list):
            for i, v in enumerate(value):
                self.check(v, schema.get("items", {}), f"{where}[{i}]")
        return None

    def answer(self, method, path, status, value):
        for pattern, methods in self.api["paths"].items():
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path) and method.lower() in methods:
                # the more exact path is the one that is meant
                if "{" in pattern and path in self.api["paths"]:
                    continue
                known = methods[method.lower()]["responses"]
                assert str(status) in known, f"{method} {pattern} does not say that it may answer {status}"
                content = known[str(status)].get("content")
                if content:
                    self.check(value, next(iter(content.values()))["schema"])
                return


class World:
    def __init__(self, program):
        self.pg = Postgres()
        self.pg.sql("CREATE DATABASE app")
        self.pg.sql(file=ROOT / "demo/schema.sql", db="app")
        self.pg.sql(
            "INSERT INTO users (email, full_name, role) VALUES ('a@x', 'Ada', 'TECH'), ('b@x', 'Bob', 'TECH'), ('c@x', 'Cy', 'ADMIN')",
            db="app")
        self.walmill = Walmill(program, "--source", self.pg.dsn("app"))
        self.checker = Checker(json.loads(self.walmill.call("api", "GET", "/api/openapi.json")[2]))
        self.headers = {}

    def sql(self, text):
        return self.pg.sql(text, db="app")

    def call(self, method, path, want, body=None, ctype="application/json"):
        status, self.headers, text = self.walmill.call("api", method, path, body, ctype)
        assert status == want, f"{method} {path}: {status}, not {want}: {text[:300]}"
        value = json.loads(text) if text else None
        self.checker.answer(method, path.split("?")[0], status, value)
        if status >= 400:
            assert self.headers["Content-Type"] == "application/problem+json" and value["status"] == status, text
            assert self.headers["X-Request-Id"] == value["requestId"] and "src/" not in text and "SELECT" not in text, text
        return value

    def new(self, reference, want=201, **more):
        return self.call("POST", "/api/interventions", want, {"reference": reference, "title": "t " + reference, "plannedAt": AT,
                                                            "assignmentMode": "MANUAL"} | more)


def a_life_step_by_step(w):
    made = w.new("LIFE-1", description="d", latitude=48.5, longitude=2.25)
    assert made["status"] == "SCHEDULED" and made["technician"] is None and made["latitude"] == 48.5 and made["plannedAt"].startswith(
        "2026-03-01T09")
    path = f"/api/interventions/{made['id']}"
    assert w.call("GET", path, 200) == made
    move = path + "/status"
    w.call("POST", move, 409, {"status": "COMPLETED"})
    w.call("POST", move, 409, {"status": "IN_PROGRESS"})                 # nobody has it
    changed = w.call("PUT", path, 200, {"title": "new", "plannedAt": AT, "assignmentMode": "AUTO"})
    assert changed["technician"]["fullName"] in ("Ada", "Bob") and changed["description"] is None and changed["latitude"] is None
    times = {}
    for status, stamp in (("IN_PROGRESS", "startedAt"), ("COMPLETED", "completedAt"), ("VALIDATED", "validatedAt")):
        got = w.call("POST", move, 200, {"status": status})
        assert got["status"] == status and got[stamp] and all(got[k] == v for k, v in times.items()), got
        times[stamp] = got[stamp]
        assert w.call("POST", move, 200, {"status": status})["updatedAt"] == got["updatedAt"]   # the same again changes nothing
    w.call("POST", move, 409, {"status": "SCHEDULED"})
    w.call("DELETE", path, 204)
    for method, p, body in (("GET", path, None), ("DELETE", path, None), ("POST", move, {"status": "COMPLETED"}),
                            ("PUT", path, {"title": "x", "plannedAt": AT, "assignmentMode": "AUTO"})):
        w.call(method, p, 404, body)


def references_and_technicians(w):
    w.new("Ref-1")
    w.new("rEF-1", 409)
    w.new("Ref-2", 404, technicianId=999)
    w.new("Ref-3", 404, technicianId=3)                                   # an ADMIN
    assert w.new("Ref-4", technicianId=2)["technician"] == {"id": 2, "fullName": "Bob", "email": "b@x"}
    least = w.sql(
        "SELECT u.id FROM users u WHERE role = 'TECH' ORDER BY (SELECT count(*) FROM interventions i WHERE i.technician_id = u.id AND "
        "i.status IN ('SCHEDULED', 'IN_PROGRESS')), id LIMIT 1")
    assert str(w.new("Ref-5", assignmentMode="AUTO")["technician"]["id"]) == least


def etags(w):
    made = w.new("ETAG-1")
    path = f"/api/interventions/{made['id']}"
    w.call("GET", path, 200)
    etag = w.headers["ETag"]
    def conditional(method, header, value, body=None):
        import urllib.error
        import urllib.request
        req = urllib.request.Request(f"http://127.0.0.1:{w.walmill.ports['api']}{path}", json.dumps(body).encode() if body else None,
                                     {header: value, "Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(req, timeout=30) as r:
                return r.status
        except urllib.error.HTTPError as e:
            return e.code
    body = {"title": "x", "plannedAt": AT, "assignmentMode": "MANUAL"}
    assert conditional("GET", "If-None-Match", etag) == 304 and conditional("GET", "If-None-Match", '"other"') == 200
    assert conditional("PUT", "If-Match", '"other"', body) == 412
    assert conditional("PUT", "If-Match", etag, body) == 200
    assert conditional("PUT", "If-Match", etag, body) == 412              # it has changed since
    assert conditional("GET", "If-None-Match", etag) == 200


def lists_are_what_sql_says(w):
    w.sql(
        "INSERT INTO interventions (reference, title, status, assignment_mode, planned_at, technician_id) "
              "SELECT 'L' || n, 'title ' || n % 7 || '%_', "
        "(ARRAY['SCHEDULED','IN_PROGRESS','COMPLETED','VALIDATED'])[1 + n % 4], (ARRAY['AUTO','MANUAL'])[1 + n % 2], "
        "timestamptz '2026-02-01 00:00+00' + n * interval '1 hour', 1 + n % 2 FROM generate_series(1, 137) n")
    cases = {
    "": "true",
    "status=COMPLETED": "status = 'COMPLETED'",
    "assignmentMode=AUTO&technicianId=1": "assignment_mode = 'AUTO' AND technician_id = 1",
    "query=TITLE%203": "(reference || ' ' || title) ILIKE '%title 3%'",
    "query=%25_": "strpos(title, '%_') > 0",
    "query=zzz": "false",
    "plannedFrom=2026-02-02T00:00:00Z&plannedTo=2026-02-03T00:00:00%2B00:00":
             "planned_at BETWEEN '2026-02-02 00:00+00' AND '2026-02-03 00:00+00'"}
    for query, where in cases.items():
        for sort, order in (("", "planned_at, id"), ("sort=reference,desc", "reference DESC, id"), ("sort=status&sort=updatedAt,desc",
                                                                                                      "status, updated_at DESC, id")):
            want = [int(x) for x in w.sql(f"SELECT id FROM interventions WHERE {where} ORDER BY {order}").split()]
            got, page = [], 0
            while True:
                one = w.call("GET", f"/api/interventions?size=50&page={page}&{query}&{sort}", 200)
                assert one["totalElements"] == len(want) and one["totalPages"] == (
                    len(want) + 49) // 50 and one["page"] == page, one["totalElements"]
                got += [row["id"] for row in one["content"]]
                page += 1
                if page >= one["totalPages"]:
                    break
            assert got == want, (query, sort)
    users = w.call("GET", "/api/users?role=TECH&sort=fullName,desc", 200)
    assert [u["fullName"] for u in users["content"]] == ["Bob", "Ada"] and users["totalElements"] == 2
    assert [u["id"] for u in w.call("GET", "/api/users?query=ADA", 200)["content"]] == [1]


class Session:
    """psql kept open: transactions that span requests, and no process for each statement."""

    def __init__(self, w):
        self.process = subprocess.Popen(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", w.pg.dsn("app")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def sql(self, text):
        self.process.stdin.write(text + ";\n\\echo done\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line == "done\n":
                return
        raise AssertionError(f"psql ended at: {text}")

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()


def figure(w, name):
    return int(w.walmill.call("api", "GET", "/metrics")[2].split(f"\n{name} ")[1].split("\n")[0])


def answers_are_given_again_while_they_are_true(w):
    def recalled():
        return figure(w, "walmill_app_answers_recalled_total")

    def total():
        return w.call("GET", "/api/interventions?query=AGAIN-&size=1", 200)["totalElements"]

    def recalls():
        before = recalled()
        return total() == 0 and recalled() > before

    until(recalls, "the same answer without working it out again", 30)
    a, b, stop = Session(w), Session(w), threading.Event()
    readers = [threading.Thread(target=lambda: [total() for _ in iter(stop.is_set, True)]) for _ in range(3)]
    insert = "INSERT INTO interventions (reference, title, planned_at) VALUES ('AGAIN-{}', 't', now())"
    try:
        # what was under way when the answer was made, committed in another order than begun
        a.sql("BEGIN; " + insert.format("a"))
        b.sql("BEGIN; SAVEPOINT s; " + insert.format("b"))
        assert total() == 0 == total()
        b.sql("COMMIT")
        assert total() == 1 == total()
        a.sql("COMMIT")
        assert total() == 2 == total()
        # whoever has committed reads what he wrote, whatever others ask meanwhile
        for t in readers:
            t.start()
        for n in range(200):
            a.sql(insert.format(n))
            assert total() == n + 3
        a.sql("BEGIN; DELETE FROM interventions WHERE reference = 'AGAIN-a'")
        assert total() == 202
        a.sql("ROLLBACK")
        assert total() == 202
        # another table
        assert w.call("GET", "/api/users?query=Ada", 200)["content"][0]["role"] == "TECH"
        a.sql("UPDATE users SET role = 'ADMIN' WHERE full_name = 'Ada'")
        assert w.call("GET", "/api/users?query=Ada", 200)["content"][0]["role"] == "ADMIN"
        a.sql("UPDATE users SET role = 'TECH' WHERE full_name = 'Ada'")
        a.sql("DELETE FROM interventions WHERE reference LIKE 'AGAIN-%'")
        assert total() == 0
    finally:
        stop.set()
        for t in readers:
            if t.ident:
                t.join()
        a.close()
        b.close()


@contextlib.contextmanager
def slow_users(w, seconds):
    """Whoever reads the users sleeps first."""
    w.sql(f"ALTER TABLE users RENAME TO users_kept; CREATE VIEW users AS SELECT u.* FROM (SELECT pg_sleep({seconds})) s, users_kept u")
    try:
        yield
    finally:
        w.sql("DROP VIEW users; ALTER TABLE users_kept RENAME TO users; DELETE FROM users WHERE email = 'slowly@x'")


def asleep(w):
    return int(w.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))


def one_asks_for_all_who_ask_the_same(w):
    """A question that takes a while, a change during it, and many who ask the same after the change."""
    answers = []

    def ask():
        answers.append(w.walmill.call("api", "GET", "/api/users?query=slowly")[2])

    def at_once(n):
        threads = [threading.Thread(target=ask) for _ in range(n)]
        for t in threads:
            t.start()
        return threads

    with slow_users(w, 0.7):
        made = figure(w, "walmill_app_answers_made_total")
        first = at_once(1)
        until(lambda: asleep(w) > 0, "the first is being answered", 30)
        w.sql("INSERT INTO users_kept (email, full_name, role) VALUES ('slowly@x', 'Slowly', 'ADMIN')")
        for t in at_once(7) + first:
            t.join()
        counts = sorted(json.loads(text)["totalElements"] for text in answers)
        assert counts == [0] + 7 * [1], f"what was committed before they asked is not in every answer: {counts}"
        assert figure(w, "walmill_app_answers_made_total") == made + 2, "more than one asked the server what all of them wanted"


def long_questions_do_not_wait_for_each_other(w):
    """Few connections are opened at once, but those who would wait long get one each."""
    answers = []

    def ask(n):
        answers.append(w.walmill.call("api", "GET", f"/api/users?query=long-{n}")[0])

    with slow_users(w, 3):
        threads = [threading.Thread(target=ask, args=(n,)) for n in range(7)]
        for t in threads:
            t.start()
        until(lambda: asleep(w) == 7, "seven questions under way at once", 30)
        for t in threads:
            t.join()
    assert answers == 7 * [200], answers


def bulk_is_an_upsert(w):
    items = [{"reference": f"BULK-{i}", "title": f"t{i}", "plannedAt": AT,
        "status": "COMPLETED", "startedAt": AT, "technicianId": 1 + i % 2} for i in range(3000)]
    assert w.call("POST", "/api/interventions/bulk", 200, {"items": items}
                  ) == {"created": 3000, "updated": 0, "unchanged": 0, "rejected": []}
    assert w.call("POST", "/api/interventions/bulk", 200, {"items": items}
                  ) == {"created": 0, "updated": 0, "unchanged": 3000, "rejected": []}
    items = [{"reference": "bulk-1", "title": "other", "plannedAt": AT}, {"reference": "BULK-2", "title": "t2", "plannedAt": AT},
             {"reference": "BULK-X", "title": "", "plannedAt": "soon", "colour": 1},
             {"reference": "BULK-1", "title": "twice", "plannedAt": AT},
             {"reference": "BULK-Y", "title": "y", "plannedAt": AT, "technicianId": 77}, 5,
             {"reference": "BULK-Z", "title": "<z>", "plannedAt": AT}]
    got = w.call("POST", "/api/interventions/bulk", 200, {"items": items})
    assert (got["created"], got["updated"], got["unchanged"]) == (1, 1, 1), got
    assert sorted(r["index"] for r in got["rejected"]) == [2, 3, 4, 5], got
    pointers = {e["pointer"] for r in got["rejected"] for e in r["errors"]}
    assert {"/items/2/title", "/items/2/plannedAt", "/items/2/colour", "/items/4/technicianId"} <= pointers, pointers
    # what is not said stays
    assert w.sql("SELECT title, status, technician_id FROM interventions WHERE reference = 'BULK-1'") == "other|COMPLETED|2"
    w.call("POST", "/api/interventions/bulk", 413, {"items": [{}] * 10001})
    w.call("POST", "/api/interventions/bulk", 400, {"items": {}})
    w.call("POST", "/api/interventions/bulk", 400, {})


def follow(w):
    with open(ROOT / "infra/cdc/connectors/sip-interventions-source.json", encoding="utf-8") as f:
        connector = json.load(f)
    connector["config"] |= {
    "database.hostname": "127.0.0.1",
    "database.port": w.pg.port,
    "database.user": "postgres",
    "database.password": "x",
    "database.dbname": "app"}
    assert w.walmill.call("connect", "POST", "/connectors", connector)[0] == 201
    with open(ROOT / "jobs/interventions.sql", "rb") as f:
        assert w.walmill.call("jobs", "POST", "/jobs?name=interventions", f.read())[0] == 202
    until(lambda: w.walmill.call("api", "GET", "/readyz")[0] == 200, "ready")


def the_dashboard_is_what_sql_says(w):
    follow(w)
    day = "2026-03-01"
    def ready():
        return w.call("GET", f"/api/dashboard/summary?date={day}", 200)["totalInterventions"] == \
            int(w.sql(f"SELECT count(*) FROM interventions WHERE (planned_at AT TIME ZONE 'UTC')::date = '{day}'"))
    until(ready, "the summary")
    summary = w.call("GET", f"/api/dashboard/summary?date={day}", 200)
    counts = dict(
        line.split("|") for line in w.sql(
            f"SELECT status, count(*) FROM interventions WHERE (planned_at AT TIME ZONE 'UTC')::date = '{day}' "
            "GROUP BY status").split())
    assert [summary[k] for k in ("scheduledCount", "completedCount")] == [int(counts.get(k, 0))
                                 for k in ("SCHEDULED", "COMPLETED")], summary
    assert w.call("GET", "/api/dashboard/summary?date=1999-01-01", 200)["averageCompletionSeconds"] is None
    trends = w.call("GET", "/api/dashboard/status-trends?from=2026-02-01&to=2026-03-01", 200)
    assert sum(
        t["count"] for t in trends) == int(
            w.sql(
                "SELECT count(*) FROM interventions WHERE (planned_at AT TIME ZONE 'UTC')::date BETWEEN "
                "'2026-02-01' AND '2026-03-01'"))
    assert trends == sorted(trends, key=lambda t: (t["date"], t["status"]))
    load = w.call("GET", "/api/dashboard/technician-load", 200)
    assert {t["technicianName"] for t in load} == {"Ada", "Bob"} and load == sorted(load, key=lambda t: -t["openCount"])
    places = w.call("GET", "/api/dashboard/map", 200)
    assert len(places) == min(500, int(w.sql("SELECT count(*) FROM interventions WHERE latitude IS NOT NULL")))
    assert w.call("GET", "/api/dashboard/map?status=VALIDATED&status=COMPLETED&limit=1", 200) == []
    assert w.call("GET", f"/api/dashboard/ai/insights?date={day}", 200)["trendDirection"] in ("UP", "DOWN", "FLAT")
    forecast = w.call("GET", f"/api/dashboard/ai/forecast?date={day}", 200)
    assert len(forecast["points"]) == 7 and forecast["lastObservedCount"] == summary["totalInterventions"], forecast
    w.call("GET", "/api/health", 200)


def the_console_shows_what_runs(w):
    def console(path):
        return json.loads(w.walmill.call("console", "GET", path)[2])
    connector, job = console("/api/connectors")[0], console("/api/jobs")[0]
    assert "sip.interventions" in connector["topics"] and connector["jobs"] == ["interventions"], connector
    assert connector["walStatus"] == "reserved" and connector["retainedWalBytes"] > 0, connector
    assert connector["config"]["database.password"] == "********"
    assert job["sourceTables"] == ["public.interventions"] and len(job["tables"]) == 3 and job["sourceRows"] > 3000, job
    listed = [t for t in console("/api/topics") if t["name"] == "sip.interventions"][0]
    assert (listed["connector"], listed["jobs"]) == ("sip-interventions-source", ["interventions"]), listed
    assert console("/api/topics/sip.interventions").items() >= {k: listed[k] for k in ("connector", "jobs")}.items()
    own = [t for t in console("/api/topics") if t["name"].startswith("__walmill.")][0]
    assert (own["connector"], own["jobs"]) == (None, []), own
    plan = console("/api/jobs/" + job["id"])["plan"]
    nodes = {n["id"]: n for n in plan["nodes"]}
    assert {n["kind"] for n in nodes.values()} == {"source", "operator", "sink"}
    assert all(e["from"] in nodes and e["to"] in nodes for e in plan["edges"]) and len(plan["edges"]) >= len(nodes) - 1
    assert sum(n["rowsOut"] for n in nodes.values() if n["kind"] == "source") >= job["sourceRows"]


def refresh(w):
    started = w.call("POST", "/api/dashboard/refresh", 202)
    assert w.headers["Location"] == "/api/dashboard/refreshes/" + started["id"]
    at = w.headers["Location"]
    until(lambda: w.call("GET", at, 200)["state"] != "RUNNING", "refresh", 90)
    return w.call("GET", at, 200)


def a_refresh_repairs_what_was_damaged(w):
    assert refresh(w)["rowsDiffered"] == 0
    stop = threading.Event()
    def write():
        while not stop.is_set():
            w.sql("UPDATE interventions SET status = CASE status WHEN 'SCHEDULED' THEN 'IN_PROGRESS' ELSE 'SCHEDULED' END "
                  "WHERE reference = 'L1'")
            stop.wait(0.02)
    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    w.sql("DELETE FROM analytics.intervention_technician_load WHERE technician_id = 1; "
          "UPDATE analytics.intervention_daily_metrics SET total_count = 99 WHERE metric_date = '2026-03-01' AND status = 'COMPLETED'; "
          "INSERT INTO analytics.intervention_geo_view (intervention_id) VALUES (-5), (-6)")
    got = refresh(w)
    # the writer may have mended the technician's row before the comparison: it writes what changes
    assert got["state"] == "DONE" and got["rowsDiffered"] in (3, 4) and got["jobs"][0]["repaired"], got
    stop.set()
    writer.join()
    assert w.sql("SELECT count(*) FROM analytics.intervention_geo_view WHERE intervention_id < 0") == "0"
    assert refresh(w)["rowsDiffered"] == 0
    w.call("GET", "/api/dashboard/refreshes/999", 404)
    # the writer's changes were counted on their way
    metrics = w.walmill.call("api", "GET", "/metrics")[2]
    for name in ("walmill_job_commit_to_visible_seconds", "walmill_job_write_seconds"):
        assert int(metrics.split(f'\n{name}_count{{job="interventions"}} ')[1].split("\n")[0]) > 0, metrics


DEEP = b'{"title":' * 600 + b"1" + b"}" * 600
BAD = [(b"", 400), (b"{", 400), (b"[]", 400), (b'"x"', 400), (b"null", 400), (b"{}x", 400), (b'{"title":1}', 400),
       (b'{"unknown":true}', 400),
       (b'{"status":"DONE"}', 400), (b'{"status":null}', 400), (b"\xff\xfe", 400), (b'{"title":"\\ud800"}', 400),
       (b'{"title":"a\\u0000b"}', 400),
       (DEEP, 400), (b'{"status":"VALIDATED","status":"COMPLETED"}', 400), (b'{"items":[{"reference":1}', 400),
       (b'{"plannedAt":"tomorrow"}', 400),
       (b'{"latitude":1e999}', 400), (b'{"technicianId":1.5}', 400)]


def bad_input_is_refused(w):
    one = w.new("BAD-1")["id"]
    for method, path in (("POST", "/api/interventions"), ("PUT",
                         f"/api/interventions/{one}"), ("POST", f"/api/interventions/{one}/status"), ("POST", "/api/interventions/bulk")):
        for body, status in BAD:
            if path.endswith("/status") and body == b'{"status":"DONE"}':
                status = 400
            w.call(method, path, status, body)
        w.call(method, path, 415, b"<a/>", "text/xml")
    for query in (
        "page=-1",
        "page=x",
        "size=0",
        "size=201",
        "sort=password",
        "sort=title,up",
        "status=DONE",
        "assignmentMode=x",
        "technicianId=x",
        "plannedFrom=now",
        "plannedTo=2026-13-01T00:00:00Z",
        "query=%ff",
        "technicianId=99999999999999999999"):
        w.call("GET", "/api/interventions?" + query, 400)
    for path in (
        "/api/users?role=ROOT",
        "/api/users?sort=x",
        "/api/dashboard/summary?date=x",
        "/api/dashboard/summary?date=2026-02-30",
        "/api/dashboard/status-trends?from=2026-02-02&to=2026-02-01",
        "/api/dashboard/map?status=x",
        "/api/dashboard/map?limit=0",
        "/api/dashboard/map?limit=1001",
        "/api/dashboard/ai/forecast?date='"):
        w.call("GET", path, 400)
    for path in ("/api", "/api/none", "/api/interventions/x", "/api/interventions/-1", "/api/interventions/1/2/3", "/api/../etc/passwd",
                 "/api/interventions/%2e%2e", "/api/interventions/99999999999999999999"):
        w.call("GET", path, 404)
    for method, path in (("DELETE", "/api/interventions"), ("PATCH", f"/api/interventions/{one}"), (
        "POST", "/api/users"), ("PUT", "/api/health"), ("GET", "/api/dashboard/refresh"), ("POST", "/api/dashboard/map")):
        w.call(method, path, 405)
    assert w.sql(f"SELECT title FROM interventions WHERE id = {one}") == "t BAD-1"


def raw(w, data, seconds=5):
    with socket.create_connection(("127.0.0.1", int(w.walmill.ports["api"])), timeout=seconds) as s:
        s.sendall(data)
        try:
            return s.recv(65536)
        except (ConnectionResetError, socket.timeout):
            return b""


def odd_framing_is_refused(w):
    head = b"POST /api/interventions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    for lines in (
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
        b"Content-Length: -1\r\n\r\n{}",
        b"Content-Length: 9000000\r\n\r\n" + b"x" * 100000,
        b"Transfer-Encoding: x\r\n\r\n{}"):
        got = raw(w, head + lines, 2)
        assert not got or got.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4", b"HTTP/1.1 501")), got[:200]
    for origin in (b"http://evil.example", b"http://203.0.113.7", b"http://127.0.0.1.evil.example", b"http://[2001:db8::1]", b"null"):
        assert raw(w, head + b"Origin: " + origin + b"\r\nContent-Length: 2\r\n\r\n{}").startswith(b"HTTP/1.1 403"), origin
    for origin in (b"http://localhost", b"http://127.0.0.1:3000", b"http://[::1]:8080"):
        assert raw(w, head + b"Origin: " + origin + b"\r\nContent-Length: 2\r\n\r\n{}").startswith(b"HTTP/1.1 400"), origin
    # a slow body holds nobody up
    with socket.create_connection(("127.0.0.1", int(w.walmill.ports["api"]))) as slow:
        slow.sendall(head + b"Content-Length: 1000\r\n\r\n{")
        began = time.monotonic()
        w.call("GET", "/api/health", 200)
        assert time.monotonic() - began < 2


def the_source_goes_and_comes_back(w):
    w.pg.process.send_signal(2)
    w.pg.process.wait(timeout=30)
    w.call("GET", "/api/health", 503)
    assert w.headers["Retry-After"]
    with open(w.pg.dir + "/log", "a", encoding="utf-8") as log:
        w.pg.process = subprocess.Popen(w.pg.process.args, stdout=log, stderr=log, cwd="/")
    until(lambda: w.walmill.call("api", "GET", "/api/health")[0] == 200, "the source", 30)
    w.call("GET", "/api/interventions?size=1", 200)


CASES = [
    a_life_step_by_step,
    references_and_technicians,
    etags,
    lists_are_what_sql_says,
    answers_are_given_again_while_they_are_true,
    one_asks_for_all_who_ask_the_same,
    long_questions_do_not_wait_for_each_other,
    bulk_is_an_upsert,
    the_dashboard_is_what_sql_says,
    the_console_shows_what_runs,
    a_refresh_repairs_what_was_damaged,
    bad_input_is_refused,
    odd_framing_is_refused,
    the_source_goes_and_comes_back]


def main():
    failed, w = 0, World(sys.argv[1])
    try:
        for case in CASES:
            try:
                case(w)
                print(f"{case.__name__}: ok", flush=True)
            except AssertionError as why:
                failed += 1
                print(f"{case.__name__}: FAILED: {why}", flush=True)
        w.walmill.close()
    finally:
        w.pg.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
