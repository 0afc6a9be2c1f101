#!/usr/bin/env python3
"""The application's REST on api.listen over a real PostgreSQL: status codes and rules, lists against SQL, ETags, the description against
live answers, bad input to every operation of it, and a refresh over tables that were damaged while a writer goes on.

Usage: app_described.py WALMILL rules|lists|hostile|refresh
Prints one line a case; exits 1 when one failed.
"""
import http.client
import json
import random
import re
import socket
import sys
import threading
import urllib.parse

from restworld import ROOT, Postgres, Walmill, until

AT = "2026-03-01T09:00:00Z"
PROBLEM = {"type", "title", "status", "detail", "instance", "requestId"}


class World:
    """A cluster with the demonstration's tables, a walmill over it, and calls that are checked against the API's description."""

    def __init__(self, program):
        self.pg, self.walmill, self.program = Postgres(), None, program
        self.seen = set()      # (method, path, status) of the description that were met

    def begin(self):
        self.pg.sql("CREATE DATABASE app")
        self.pg.sql("CREATE DATABASE bare")
        self.pg.sql(file=ROOT / "demo/schema.sql", db="app")
        self.sql("INSERT INTO users (email, full_name, role) SELECT 'u' || n || '@example.org', 'Name ' || n, CASE n WHEN 1 THEN 'ADMIN' "
                 "WHEN 2 THEN 'DISPATCHER' ELSE 'TECH' END FROM generate_series(1, 9) n")
        self.walmill = Walmill(self.program, "--source", self.pg.dsn("app"))
        self.api = json.loads(self.send("GET", "/api/openapi.json")[2])

    def close(self):
        if self.walmill:
            self.walmill.close()
        self.pg.close()

    def sql(self, text):
        return self.pg.sql(text, db="app")

    def rows(self, query):
        return json.loads(self.sql(f"SELECT coalesce(json_agg(t), '[]') FROM ({query}) t"))

    def send(self, method, path, body=None, **headers):
        """(status, headers, text) as they come."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        c = http.client.HTTPConnection("127.0.0.1", int(self.walmill.ports["api"]), timeout=60)
        try:
            headers = {k.replace("_", "-"): v for k, v in headers.items()}
            if data is not None:
                headers.setdefault("Content-Type", "application/json")
            c.request(method, path, data, headers)
            answer = c.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            c.close()

    def call(self, status, method, path, body=None, **headers):
        """The parsed answer, which must have this status and the shape that the description gives it."""
        got, heads, text = self.send(method, path, body, **headers)
        assert got == status, f"{method} {path}: {got} {text[:300]}"
        parsed = json.loads(text) if text else None
        self.judge(method, path, got, heads, parsed)
        return parsed

    def operation(self, method, path):
        for pattern, operations in self.api["paths"].items():
            regex = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(pattern))
            if re.fullmatch(regex, path.split("?")[0]) and method.lower() in operations:
                return pattern, operations[method.lower()]
        return None, None

    def judge(self, method, path, status, heads, parsed):
        if status >= 400:
            assert heads["Content-Type"] == "application/problem+json", heads["Content-Type"]
            assert PROBLEM <= set(parsed) <= PROBLEM | {"errors"} and parsed["status"] == status and parsed["detail"], parsed
            assert parsed["requestId"] == heads["X-Request-Id"], parsed
            assert status != 503 or int(heads["Retry-After"]) > 0
        pattern, operation = self.operation(method, path)
        if operation is None or status in (304, 405, 503):
            return
        described = operation["responses"].get(str(status))
        assert described, f"{method} {pattern}: {status} is not described"
        self.seen.add((method, pattern, status))
        for content in described.get("content", {}).values():
            check(parsed, content["schema"], self.api, f"{method} {pattern} {status}")


def check(value, schema, api, where):
    """The part of JSON Schema that the description uses; a keyword that it does not know is a fault."""
    if "$ref" in schema:
        return check(value, api["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], api, where)
    known = {"type", "enum", "required", "additionalProperties", "properties", "items", "format", "minLength", "maxLength", "minimum",
             "maximum", "maxItems"}
    assert set(schema) <= known, f"{where}: {set(schema) - known}"
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    assert not types or any(isinstance(value, kinds[t]) and (t == "boolean") == isinstance(value, bool) for t in types), \
        f"{where}: {value!r} is not {types}"
    assert value in schema.get("enum", [value]), f"{where}: {value!r} is none of {schema.get('enum')}"
    if isinstance(value, str) and schema.get("format") == "date-time":
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", value), f"{where}: {value}"
    if isinstance(value, str) and schema.get("format") == "date":
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", value), f"{where}: {value}"
    if isinstance(value, dict):
        assert set(schema.get("required", [])) <= set(value), f"{where}: {set(schema['required']) - set(value)} missing"
        properties = schema.get("properties", {})
        assert schema.get("additionalProperties", True) or set(value) <= set(properties), f"{where}: {set(value) - set(properties)} extra"
        for key in set(value) & set(properties):
            check(value[key], properties[key], api, f"{where}/{key}")
    if isinstance(value, list):
        for i, one in enumerate(value):
            check(one, schema.get("items", {}), api, f"{where}/{i}")
    return None


def planned(reference, **more):
    return {"reference": reference, "title": "a title", "plannedAt": AT, "assignmentMode": "MANUAL", **more}


# ---- rules ----

def life_of_an_intervention(w):
    made = w.call(
        201,
        "POST",
        "/api/interventions",
        planned(
            "L-1",
            technicianId=3,
            latitude=48.8566,
            longitude=2.3522,
            description="é<b>"))
    path = f"/api/interventions/{made['id']}"
    assert made["status"] == "SCHEDULED" and made["technician"] == {"id": 3, "fullName": "Name 3", "email": "u3@example.org"}, made
    assert (made["latitude"], made["longitude"], made["description"]) == (48.8566, 2.3522, "é<b>") and made["startedAt"] is None, made
    assert made["plannedAt"] == "2026-03-01T09:00:00.000000Z", made
    assert w.call(200, "GET", path) == made
    for status in ("COMPLETED", "VALIDATED"):
        w.call(409, "POST", path + "/status", {"status": status})
    for status, stamp in (("IN_PROGRESS", "startedAt"), ("COMPLETED", "completedAt"), ("VALIDATED", "validatedAt")):
        now = w.call(200, "POST", path + "/status", {"status": status})
        assert now["status"] == status and now[stamp] and now["updatedAt"] > made["updatedAt"], now
        assert w.call(200, "POST", path + "/status", {"status": status}) == now, "the same status changes nothing"
    w.call(409, "POST", path + "/status", {"status": "SCHEDULED"})
    changed = w.call(200, "PUT", path, {"title": "other", "plannedAt": "2026-03-02T00:00:00+02:00", "assignmentMode": "MANUAL"})
    assert changed["reference"] == "L-1" and changed["plannedAt"] == "2026-03-01T22:00:00.000000Z" and \
        changed["status"] == "VALIDATED", changed
    assert changed["technician"] is None and changed["latitude"] is None and changed["description"] is None, "a PUT says everything"
    w.call(204, "DELETE", path)
    for method, body in (("GET", None), ("DELETE", None), ("PUT", {"title": "x", "plannedAt": AT, "assignmentMode": "MANUAL"})):
        w.call(404, method, path, body)
    w.call(404, "POST", path + "/status", {"status": "IN_PROGRESS"})


def refusals_have_their_codes(w):
    made = w.call(201, "POST", "/api/interventions", planned("Dup-1"))
    w.call(409, "POST", "/api/interventions", planned("dUP-1"))
    w.call(404, "POST", "/api/interventions", planned("D-2", technicianId=999))
    w.call(404, "POST", "/api/interventions", planned("D-2", technicianId=1))     # an ADMIN
    w.call(409, "POST", f"/api/interventions/{made['id']}/status", {"status": "IN_PROGRESS"})     # nobody's
    for method, path in (("POST", ""), ("POST", "/bulk"), ("PUT", "/1"), ("POST", "/1/status")):
        w.call(415, method, "/api/interventions" + path, planned("D-3"), Content_Type="text/plain")
    assert w.sql("SELECT count(*) FROM interventions WHERE reference ILIKE 'D-%'") == "0"
    status, heads, _ = w.send("PATCH", "/api/interventions")
    assert status == 405 and {"GET", "POST"} <= set(heads["Allow"].split(", ")), heads
    for path in (
        "/api/interventions/0",
        "/api/interventions/-1",
        "/api/interventions/x",
        "/api/interventions/99999999999999999999",
        "/api/no"):
        w.call(404, "GET", path)


def every_fault_has_its_place(w):
    answer = w.call(400,
    "POST",
    "/api/interventions",
    {"reference": "",
    "title": "t" * 161,
    "plannedAt": "tomorrow",
    "assignmentMode": "auto",
    "technicianId": 1.5,
    "latitude": 91,
    "longitude": "2",
    "color": 1,
    "status": "SCHEDULED"})
    assert {e["pointer"] for e in answer["errors"]} == {"/reference", "/title", "/plannedAt",
        "/assignmentMode", "/technicianId", "/latitude", "/longitude", "/color", "/status"}, answer
    answer = w.call(400, "POST", "/api/interventions", {})
    assert {e["pointer"] for e in answer["errors"]} == {"/reference", "/title", "/plannedAt", "/assignmentMode"}, answer
    answer = w.call(400, "POST", "/api/interventions", planned("x", **{"a/b~c": 1}))
    assert answer["errors"][0]["pointer"] == "/a~1b~0c", answer
    w.call(400, "POST", "/api/interventions", b'{"reference":"x","reference":"y"}')
    # the most that is allowed is taken, in characters
    made = w.call(
        201,
        "POST",
        "/api/interventions",
        planned(
            "é" * 50,
            title="日" * 160,
            description="🦀" * 4000,
            latitude=-90,
            longitude=180))
    assert made["title"] == "日" * 160 and made["description"] == "🦀" * 4000


def automatic_assignment_takes_the_least_loaded(w):
    w.sql(
        "DELETE FROM interventions; INSERT INTO interventions (reference, title, planned_at, technician_id, status) SELECT 'A-' || n, 't', "
        "now(), 3 + n % 7, CASE WHEN n < 14 THEN 'SCHEDULED' ELSE 'COMPLETED' END FROM generate_series(0, 40) n; "
        "DELETE FROM interventions WHERE reference IN ('A-2', 'A-5')")
    auto = {"assignmentMode": "AUTO"}
    got = [w.call(201, "POST", "/api/interventions", planned(f"B-{i}", **auto))["technician"]["id"] for i in range(4)]
    assert got == [5, 8, 3, 4], got
    made = w.call(201, "POST", "/api/interventions", planned("B-9", technicianId=9, **auto))
    assert made["technician"]["id"] == 9, made
    w.sql("DELETE FROM interventions; UPDATE users SET role = 'DISPATCHER' WHERE role = 'TECH'")
    w.call(409, "POST", "/api/interventions", planned("C-1", **auto))
    made = w.call(201, "POST", "/api/interventions", planned("C-1"))
    w.call(409, "PUT", f"/api/interventions/{made['id']}", {"title": "x", "plannedAt": AT, **auto})
    w.sql("UPDATE users SET role = 'TECH' WHERE id > 2")


def bulk_is_by_reference_and_idempotent(w):
    w.sql("DELETE FROM interventions")
    items = [planned(f"K-{i}", title=f"t{i}", status="COMPLETED", startedAt=AT, completedAt="2026-03-01T10:00:00Z", latitude=1.5,
                     longitude=i / 100, technicianId=3 + i % 7) for i in range(2500)]
    first = w.call(200, "POST", "/api/interventions/bulk", {"items": items})
    assert first == {"created": 2500, "updated": 0, "unchanged": 0, "rejected": []}, first
    before = w.sql("SELECT md5(string_agg(i::text, ',' ORDER BY id)) FROM interventions i")
    assert w.call(200, "POST", "/api/interventions/bulk", {"items": items})["unchanged"] == 2500
    assert w.sql("SELECT md5(string_agg(i::text, ',' ORDER BY id)) FROM interventions i") == before, "not even updated_at moves"
    mixed = [{**items[0], "reference": "k-0", "title": "new"}, planned("K-new"), {"reference": "K-1"}, "x", planned("K-new"),
             planned("K-2", technicianId=77), items[3], planned("K-4", title="\x00")]
    got = w.call(200, "POST", "/api/interventions/bulk", {"items": mixed})
    assert (got["created"], got["updated"], got["unchanged"]) == (1, 1, 1), got
    places = {r["index"]: sorted(e["pointer"] for e in r["errors"]) for r in got["rejected"]}
    assert places == {2: ["/items/2/plannedAt", "/items/2/title"], 3: ["/items/3"], 4: ["/items/4/reference"],
                      5: ["/items/5/technicianId"], 7: ["/items/7/title"]}, places
    row = w.rows("SELECT title, status FROM interventions WHERE reference = 'K-0'")
    assert row == [{"title": "new", "status": "COMPLETED"}], row
    assert w.call(200, "POST", "/api/interventions/bulk", {"items": []})["created"] == 0
    w.call(413, "POST", "/api/interventions/bulk", {"items": [{}] * 10001})
    for body in ({}, {"items": 1}, {"items": [], "x": 1}, [], b'{"items":[{"reference":"a"}', b'{"items":[],"items":[]}'):
        w.call(400, "POST", "/api/interventions/bulk", body)
    # what only one of the two parsers would have taken
    for i, item in enumerate((planned("Q-1", title="\ud800"), planned("Q-2", latitude=1e-300, longitude=0), planned("Q-3",
                             plannedAt="2026-02-30T00:00:00Z"), planned("Q-4", plannedAt="9999-12-31T23:59:59Z"),
                             planned("Q-5", technicianId=10**19))):
        got = w.call(200, "POST", "/api/interventions/bulk", {"items": [item, planned(f"QQ-{i}")]})
        assert got["created"] >= 1, f"one bad item takes the others with it: {got}"


def etags_say_whether_it_changed(w):
    made = w.call(201, "POST", "/api/interventions", planned("E-1"))
    path = f"/api/interventions/{made['id']}"
    for each in (path, "/api/interventions?size=3", "/api/users", "/api/dashboard/summary", "/api/dashboard/map"):
        status, heads, text = w.send("GET", each)
        assert status == 200 and re.fullmatch(r'"[^"]+"', heads["ETag"]) and "no-cache" in heads["Cache-Control"], heads
        status, again, text = w.send("GET", each, If_None_Match=f'"other", {heads["ETag"]}')
        assert status == 304 and text == "" and again["ETag"] == heads["ETag"]
        assert w.send("GET", each, If_None_Match='"other"')[0] == 200
    etag = w.send("GET", path)[1]["ETag"]
    body = {"title": "first", "plannedAt": AT, "assignmentMode": "MANUAL"}
    w.call(412, "PUT", path, body, If_Match='"other"')
    w.call(200, "PUT", path, body, If_Match=etag)
    w.call(412, "PUT", path, {**body, "title": "second"}, If_Match=etag)
    assert w.call(200, "GET", path)["title"] == "first"
    w.call(200, "PUT", path, {**body, "title": "third"}, If_Match="*")
    fresh = w.send("GET", path)[1]["ETag"]
    # of many at once with one ETag, one is let through
    codes, threads = [], []
    for i in range(6):
        threads.append(
            threading.Thread(
                target=lambda n=i: codes.append(
                    w.send(
                        "PUT", path, {
                            **body, "title": f"n{n}"}, If_Match=fresh)[0])))
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(codes) == [200] + [412] * 5, codes


def without_the_tables_it_says_so(w):
    other = Walmill(w.program, "--source", w.pg.dsn("bare"))
    try:
        for path in (
            "/api/interventions",
            "/api/users",
            "/api/interventions/1",
            "/api/dashboard/summary",
            "/api/dashboard/technician-load",
            "/api/dashboard/map",
            "/api/dashboard/ai/insights",
            "/api/dashboard/ai/forecast",
            "/api/dashboard/status-trends"):
            status, heads, text = other.call("api", "GET", path)
            assert status == 404 and "tables" in json.loads(text)["detail"], f"{path}: {status} {text}"
        assert json.loads(other.call("api", "GET", "/api/health")[2]) == {"status": "UP", "db": 1}
    finally:
        other.close()


def a_server_that_went_away_comes_back(w):
    w.call(200, "GET", "/api/users")
    w.pg.restart()
    until(lambda: w.send("GET", "/api/users")[0] == 200, "the API over a new server")
    w.pg.stop()
    for path in ("/api/users", "/api/dashboard/summary", "/api/health"):
        w.call(503, "GET", path)
    w.call(503, "POST", "/api/interventions", planned("Z-1"))
    assert w.send("GET", "/livez")[0] == 200
    w.pg.begin()
    until(lambda: w.send("GET", "/api/users")[0] == 200, "the API over a new server")


def health_lists_its_checks(w):
    assert w.call(200, "GET", "/api/health") == {"status": "UP", "db": 1}
    status, _, text = w.send("GET", "/readyz?verbose")
    assert status == 200 and re.search(r"^\[\+\] ?log ok$", text, re.M) and text.endswith("ready\n"), text
    assert w.send("GET", "/readyz")[2] == "ready\n"
    w.call(405, "POST", "/livez")
    status, heads, text = w.send("GET", "/metrics")
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
    for line in text.splitlines():
        if not line.startswith("#"):
            name = re.match(r"[a-zA-Z_:]+", line)[0]
            histogram = re.sub("_(bucket|sum|count)$", "", name)
            name = histogram if types.get(histogram) == "histogram" else name
            assert name in types, f"{name} has no TYPE"
            assert types[name] != "counter" or name.endswith("_total"), name
    assert {"process_resident_memory_bytes", "walmill_build_info", "walmill_uptime_seconds"} <= set(types), sorted(types)


def the_description_can_be_read(w):
    assert w.api["openapi"] == "3.1.0"
    status, heads, page = w.send("GET", "/api/docs")
    assert status == 200 and heads["Content-Type"].startswith("text/html") and "script-src 'self'" in heads["Content-Security-Policy"]
    assert not re.search(r"<script>|\son\w+=|https?://", page), "nothing inline, nothing from elsewhere"
    for file, kind in ((re.search(r'<script src="([^"]+)"', page)[1], "javascript"),
                       (re.search(r'<link rel="stylesheet" href="([^"]+)"', page)[1], "css")):
        status, heads, text = w.send("GET", file)
        assert status == 200 and kind in heads["Content-Type"] and "innerHTML" not in text
    names = [op["operationId"] for ops in w.api["paths"].values() for op in ops.values()]
    assert len(names) == len(set(names)) > 15 and "text/event-stream" in w.api["paths"]["/api/stream"]["get"]["responses"]["200"]["content"]
    refs = set(re.findall(r'#/components/schemas/(\w+)', json.dumps(w.api)))
    assert refs == set(w.api["components"]["schemas"]), refs ^ set(w.api["components"]["schemas"])


def every_described_answer_was_met(w):
    described = {(m.upper(), p, int(s)) for p, ops in w.api["paths"].items() for m, op in ops.items() for s in op["responses"]}
    elsewhere = {d for d in described if d[1].startswith(("/api/dashboard/refresh", "/api/stream")) or d[2] in (400, 413, 503)}
    missing = described - w.seen - elsewhere
    assert not missing, sorted(missing)


# ---- lists ----

def fill(w):
    rng = random.Random(7)
    w.sql("DELETE FROM interventions")
    values = []
    for i in range(430):
        status = rng.choice(("SCHEDULED", "IN_PROGRESS", "COMPLETED", "VALIDATED"))
        title = rng.choice(("pump 100%", "a_b", "back\\slash", "é'quote", "PUMP", "<script>"))
        values.append("('R-%03d', $q$%s$q$, '%s', '%s', timestamptz '2026-01-01Z' + interval '1 hour' * %d, %s)" %
                      (i, title, status, rng.choice(("AUTO", "MANUAL")), rng.randint(0, 300), rng.choice(("NULL", "3", "4", "5"))))
    w.sql("INSERT INTO interventions (reference, title, status, assignment_mode, planned_at, technician_id) VALUES " + ",".join(values))


def pages_are_what_sql_gives(w):
    fill(w)
    filters = [({}, "true"), ({"status": "COMPLETED"}, "status = 'COMPLETED'"), ({"assignmentMode": "AUTO"}, "assignment_mode = 'AUTO'"),
               ({"technicianId": 4}, "technician_id = 4"), ({"technicianId": 99}, "false"),
               ({"plannedFrom": "2026-01-03T05:00:00Z", "plannedTo": "2026-01-04T06:00:00+01:00"},
                "planned_at BETWEEN '2026-01-03 05:00Z' AND '2026-01-04 05:00Z'"),
               ({"query": "pump"}, "title ILIKE '%pump%'"),
               ({"query": "100%"}, "title LIKE '%100\\%%'"), ({"query": "a_b"}, "title = 'a_b'"),
               ({"query": "\\"}, "title = E'back\\\\slash'"),
               ({"query": "é'"}, "title = 'é''quote'"), ({"query": "r-04"}, "reference LIKE 'R-04%'"),
               ({"status": "SCHEDULED", "technicianId": 3, "query": "p"},
                "status = 'SCHEDULED' AND technician_id = 3 AND (title ILIKE '%p%' OR reference ILIKE '%p%')")]
    sorts = [([], "planned_at, id"), (["plannedAt,desc"], "planned_at DESC, id"), (["status,asc", "title,desc"], "status, title DESC, id"),
             (["technician,desc", "id,desc"], "(SELECT full_name FROM users u WHERE u.id = technician_id) DESC NULLS LAST, id DESC"),
             (["startedAt"], "started_at, id"), (["reference,desc"], "reference DESC")]
    for query, where in filters:
        for sort, order in sorts:
            want = [r["id"] for r in w.rows(f"SELECT id FROM interventions WHERE {where} ORDER BY {order}")]
            for size in (7, 200):
                got, page = [], 0
                while True:
                    text = urllib.parse.urlencode({**query, "page": page, "size": size}) + "".join("&sort=" + s for s in sort)
                    answer = w.call(200, "GET", "/api/interventions?" + text)
                    assert (answer["page"], answer["size"], answer["totalElements"], answer["totalPages"]) == \
                        (page, size, len(want), -(-len(want) // size)), answer
                    got += [item["id"] for item in answer["content"]]
                    page += 1
                    if page >= answer["totalPages"] or (size == 7 and page > 3):
                        break
                assert got == want[:len(got)] and (size == 7 or len(got) == len(want)), (query, sort, size)
    assert len(w.call(200, "GET", "/api/interventions")["content"]) == 20
    assert w.call(200, "GET", "/api/interventions?page=9999")["content"] == []


def lists_are_shaped(w):
    assert w.call(200, "GET", "/api/interventions?size=1")["size"] == 1


def users_are_what_sql_gives(w):
    assert [u["id"] for u in w.call(200, "GET", "/api/users?size=4&page=1")["content"]] == [5, 6, 7, 8]
    assert [u["role"] for u in w.call(200, "GET", "/api/users?role=ADMIN")["content"]] == ["ADMIN"]
    assert [u["id"] for u in w.call(200, "GET", "/api/users?query=U7%40&sort=id,desc")["content"]] == [7]
    assert [u["id"] for u in w.call(200, "GET", "/api/users?sort=email,desc&size=2")["content"]] == [9, 8]
    assert w.call(200, "GET", "/api/users?query=%25")["totalElements"] == 0


def the_dashboard_is_what_its_tables_say(w):
    w.sql(
        "DELETE FROM analytics.intervention_daily_metrics; DELETE FROM analytics.intervention_technician_load; "
        "DELETE FROM analytics.intervention_geo_view; "
        "INSERT INTO analytics.intervention_daily_metrics SELECT d, s, extract(day FROM d)::int + length(s), "
        "CASE s WHEN 'COMPLETED' THEN 3600.25 WHEN 'VALIDATED' THEN 50 END, CASE s WHEN 'VALIDATED' THEN 44.44 END, '2026-03-15 12:00Z' "
        "FROM generate_series(date '2026-02-20', '2026-03-15', '1 day') d, "
        "unnest(ARRAY['SCHEDULED', 'IN_PROGRESS', 'COMPLETED', 'VALIDATED']) s; "
        "INSERT INTO analytics.intervention_technician_load VALUES (3, 5, 1, NULL, now()), (4, 9, 0, 10.5, now()), "
        "(77, 5, 0, NULL, now()); "
        "INSERT INTO analytics.intervention_geo_view SELECT n, 1.5, 2.25, CASE n % 3 WHEN 0 THEN 'SCHEDULED' WHEN 1 THEN 'COMPLETED' ELSE "
        "'VALIDATED' END, NULL, '2026-03-01Z', timestamptz '2026-03-01Z' + interval '1 second' * (n * 7 % 800) "
        "FROM generate_series(1, 700) n")
    got = w.call(200, "GET", "/api/dashboard/summary?date=2026-03-10")
    assert got == {"totalInterventions": 40 + 38, "scheduledCount": 19, "inProgressCount": 21, "completedCount": 19, "validatedCount": 19,
                   "averageCompletionSeconds": 3600.25, "validationRatio": 44.44, "lastRefreshedAt": "2026-03-15T12:00:00.000000Z"}, got
    got = w.call(200, "GET", "/api/dashboard/summary?date=2020-01-01")
    assert got["totalInterventions"] == 0 and got["validationRatio"] is None, got
    want = w.rows(
        "SELECT metric_date AS date, status, total_count AS count FROM analytics.intervention_daily_metrics WHERE metric_date BETWEEN "
        "'2026-03-02' AND '2026-03-15' ORDER BY 1, 2")
    assert w.call(200, "GET", "/api/dashboard/status-trends?to=2026-03-15") == want
    assert w.call(200, "GET", "/api/dashboard/status-trends?from=2026-03-15&to=2026-03-15") == want[-4:]
    w.call(400, "GET", "/api/dashboard/status-trends?from=2026-03-15&to=2026-03-14")
    got = w.call(200, "GET", "/api/dashboard/technician-load")
    assert [(r["technicianId"], r["technicianName"], r["openCount"])
             for r in got] == [(4, "Name 4", 9), (3, "Name 3", 5), (77, None, 5)], got
    for query, where, limit in (("", "true", 500), ("?limit=20", "true", 20), ("?status=COMPLETED&status=VALIDATED",
                                "status <> 'SCHEDULED'", 500), ("?status=COMPLETED,VALIDATED&limit=1000", "status <> 'SCHEDULED'", 500)):
        want = [
    r["id"] for r in w.rows(
        f"SELECT intervention_id AS id FROM analytics.intervention_geo_view WHERE {where} ORDER BY updated_at DESC, "
        f"intervention_id LIMIT {limit}")]
        assert [r["interventionId"] for r in w.call(200, "GET", "/api/dashboard/map" + query)] == want, query
    got = w.call(200, "GET", "/api/dashboard/ai/insights?date=2026-03-15")
    now = sum(4 * d + 38 for d in range(9, 16))
    was = sum(4 * d + 38 for d in range(2, 9))
    assert got["trendDirection"] == "UP" and got["trendPercentage"] == round(100 * (now - was) / was, 1), got
    assert got["validationAssessment"] == "low" and got["slaAssessment"] == "within four hours" and len(got["highlights"]) == 3, got
    got = w.call(200, "GET", "/api/dashboard/ai/forecast?date=2026-03-15")
    level = None
    for day in [23, 24, 25, 26, 27, 28] + list(range(1, 16)):
        count = 4 * day + 38
        level = count if level is None else (count + level) / 2
    assert got["lastObservedCount"] == 98 and {p["predictedCount"] for p in got["points"]} == {round(level)}, got
    assert [p["date"] for p in got["points"]] == [f"2026-03-{d}" for d in range(16, 23)], got


# ---- hostile ----

BODIES = [b"", b"{", b"[]", b"null", b"17", b'"x"', b"{}x", b'{"a":' * 5000, b"[" * 100000, b'{"title":"\xff\xfe"}',
          bytes(range(256)) * 40,
          b'{"title":"\\ud800"}', b'{"title":"a\\u0000b"}', b'{"nosuch":1}', b'{"items":[[[[]]]]}' + b"]", b"\xef\xbb\xbf{}",
          b'{"status":1,"title":{},"plannedAt":[],"technicianId":"1","latitude":1e999}',
          b'{"reference":"' + b"n" * 300000 + b'"}', b"{" + b",".join(b'"k%d":1' % i for i in range(20000)) + b"}", b"x" * (9 << 20)]
QUERIES = ["page=-1", "page=x", "page=1e3", "page=99999999999999999999", "size=0", "size=201", "size=", "sort=nosuch",
           "sort=id,up", "sort=id;drop",
           "sort=" + "id," * 500, "query=%ff%fe", "query=" + "%25" * 900, "query=%00", "status=DONE", "status=%27", "assignmentMode=auto",
           "technicianId=x", "technicianId=99999999999999999999", "plannedFrom=yesterday", "plannedTo=2026-13-01", "plannedTo=infinity",
               "plannedTo=2026-01-01T00:00:00Z%20BC",
           "role=ROOT", "role=%ff", "date=2026-02-30", "date=today", "date=2026-01-01%20BC", "from=x", "to=2026-1", "limit=0", "limit=1001",
           "limit=x", "status=SCHEDULED,", "status=,", "&&=&%", "date=infinity", "date=99999-01-01"]
IDS = ["nosuch", "..", "%2e%2e", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%5c..", "1%00", "%ff%fe", "%", "a" * 5000, "<script>",
       "%0d%0aX-Evil:%201",
       "1/../1", "'; DROP TABLE users; --", "-0", "1.0", "0x1"]


def is_refused(w, what, got):
    status, heads, text = got
    assert 400 <= status < 500, f"{what}: {status} {text[:200]}"
    assert "X-Evil" not in heads and not re.search(r"\.c:\d+|0x[0-9a-f]{6}|[Ss][Qq][Ll]\b", text), f"{what}: {text[:200]}"
    body = json.loads(text)
    # what is refused in front of the listener has members of every family
    want = PROBLEM if heads["Content-Type"] == "application/problem+json" else {
        "type", "title", "status", "detail", "error_code", "message"}
    assert want <= set(body) and body["status"] == status and (want == PROBLEM or status in (400, 403, 413)), f"{what}: {status} {body}"


def bad_bodies_are_refused(w):
    for path, operations in w.api["paths"].items():
        for method, operation in operations.items():
            if "requestBody" not in operation:
                continue
            for body in BODIES:
                what = f"{method} {path} {body[:30]!r}"
                try:
                    got = w.send(method.upper(), path.replace("{id}", "1"), body)
                except (ConnectionError, http.client.HTTPException):
                    assert len(body) > 8 << 20, f"{what}: closed"
                    continue
                is_refused(w, what, got)


def bad_queries_are_refused_or_ignored(w):
    for path, operations in w.api["paths"].items():
        known = {p["name"] for p in operations.get("get", {}).get("parameters", []) if p["in"] == "query"}
        for query in QUERIES if known else []:
            name, _, value = query.partition("=")
            got = w.send("GET", path + "?" + query)
            if name in known and value not in ("", "%00", "%25" * 900) and not (path.endswith("map") and value == "SCHEDULED,"):
                is_refused(w, path + "?" + query, got)
            else:
                assert got[0] in (200, 400), f"{path}?{query}: {got}"


def bad_names_and_methods_are_refused(w):
    for path, operations in w.api["paths"].items():
        for name in IDS if "{id}" in path else []:
            for method, operation in operations.items():
                body = {"title": "x", "plannedAt": AT, "assignmentMode": "MANUAL"} if method == "put" else {"status": "IN_PROGRESS"}
                quoted = urllib.parse.quote(name, safe="%/'<>;.-+")
                is_refused(w, f"{method} {path} {name}", w.send(method.upper(), path.replace("{id}", quoted),
                                                               body if "requestBody" in operation else None))
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"):
            if method.lower() not in operations:
                got = w.send(method, path.replace("{id}", "1"), b"{}" if method in ("POST", "PUT", "PATCH") else None)
                assert path.endswith("/bulk") or (got[0] == 405 and got[1]["Allow"]), f"{method} {path}: {got[0]}"   # /bulk is like an id
                is_refused(w, f"{method} {path}", got)


def bad_frames_are_refused(w):
    port = int(w.walmill.ports["api"])
    post = b"POST /api/interventions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    body = json.dumps(planned("SMUGGLED")).encode()
    for name, data in {
        "CL and TE": post + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), len(body), body),
        "two lengths": post + b"Content-Length: %d\r\nContent-Length: %d\r\n\r\n%s" % (len(body), len(body) + 1, body),
        "negative length": post + b"Content-Length: -1\r\n\r\n" + body, "no number": post + b"Content-Length: five\r\n\r\n" + body,
        "bad chunk": post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + body,
        "other host": post.replace(b"127.0.0.1", b"evil.example") + b"Content-Length: %d\r\n\r\n%s" % (len(body), body),
        "other origin": post + b"Origin: http://evil.example\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body),
        "no request": b"\x00\x01\x02\x03\r\n\r\n", "traversal": b"GET /../../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    }.items():
        with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
            got = b""
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                got = s.recv(65536)
            except ConnectionError:
                pass
            if name == "traversal":
                assert b"root:" not in got, got[:200]
            else:
                assert not got or re.match(rb"HTTP/1\.[01] 4\d\d ", got), f"{name}: {got[:200]}"
    assert w.sql("SELECT count(*) FROM interventions WHERE reference = 'SMUGGLED'") == "0"
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    for s in slow:
        s.sendall(post + b"Content-Length: 1000\r\n\r\n{")
    assert w.send("GET", "/api/users")[0] == 200, "bodies that never come keep nobody waiting"
    for s in slow:
        s.close()


def nothing_has_changed(w):
    assert w.sql("SELECT md5(string_agg(i::text, ',' ORDER BY id)) FROM interventions i") == w.before
    assert w.walmill.process.poll() is None
    resident = int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{w.walmill.process.pid}/status", encoding="utf-8").read())[1]) // 1024
    print("resident", resident, "MiB")


def rows_to_attack(w):
    w.sql("INSERT INTO interventions (id, reference, title, planned_at) VALUES (1, 'one', 't', '2026-03-01Z')")
    w.before = w.sql("SELECT md5(string_agg(i::text, ',' ORDER BY id)) FROM interventions i")


# ---- refresh ----

def begin_job(w):
    connector = json.loads((ROOT / "infra/cdc/connectors/sip-interventions-source.json").read_text(encoding="utf-8"))
    connector["config"] |= {"database.hostname": "127.0.0.1", "database.port": w.pg.port, "database.user": "postgres",
                            "database.password": "x", "database.dbname": "app"}
    fill(w)
    w.sql("UPDATE interventions SET latitude = id % 80, longitude = id % 170")
    assert w.walmill.call("connect", "POST", "/connectors", connector)[0] == 201
    assert w.walmill.call("jobs", "POST", "/jobs?name=interventions", (ROOT / "jobs/interventions.sql").read_bytes())[0] == 202
    until(lambda: w.send("GET", "/readyz")[0] == 200, "ready")


def refreshed(w):
    status, heads, text = w.send("POST", "/api/dashboard/refresh")
    assert status == 202, text
    started = json.loads(text)
    assert heads["Location"] == "/api/dashboard/refreshes/" + started["id"], heads
    w.judge("POST", "/api/dashboard/refresh", status, heads, started)
    end = {}

    def done():
        end.update(w.call(200, "GET", heads["Location"]))
        return end["state"] != "RUNNING"
    until(done, "the refresh", 90)
    assert end["state"] == "DONE", end
    return end


def is_equal(w):
    status, _, text = w.walmill.call("jobs", "POST", "/jobs/interventions/verify")
    assert status == 200, text
    return json.loads(text)["equal"]


DAMAGE = [("nothing", "SELECT 1", {}),
          ("a value changed", "UPDATE analytics.intervention_geo_view SET latitude = latitude + 0.5 WHERE intervention_id % 10 = 0",
           {"analytics.intervention_geo_view": "SELECT count(*) FROM analytics.intervention_geo_view WHERE intervention_id % 10 = 0"}),
          ("rows removed", "DELETE FROM analytics.intervention_daily_metrics WHERE status = 'VALIDATED'",
           {"analytics.intervention_daily_metrics":
            "SELECT count(*) FROM analytics.intervention_daily_metrics WHERE status = 'VALIDATED'"}),
          ("rows added", "INSERT INTO analytics.intervention_technician_load VALUES (1001, 1, 1), (1002, 1, 1), (1003, 1, 1)",
           {"analytics.intervention_technician_load": "SELECT 3"}),
          ("all of it", "TRUNCATE analytics.intervention_geo_view; DELETE FROM analytics.intervention_technician_load; "
           "UPDATE analytics.intervention_daily_metrics SET total_count = -1 WHERE status = 'SCHEDULED'",
           {"analytics.intervention_geo_view": "SELECT count(*) FROM analytics.intervention_geo_view",
            "analytics.intervention_technician_load": "SELECT count(*) FROM analytics.intervention_technician_load",
            "analytics.intervention_daily_metrics":
            "SELECT count(*) FROM analytics.intervention_daily_metrics WHERE status = 'SCHEDULED'"})]


def differed(end):
    return {t["table"]: t["differed"] for j in end["jobs"] for t in j["tables"] if t["differed"]}


def damage_is_counted_and_mended(w):
    begin_job(w)
    for what, statement, counts in DAMAGE:
        want = {table: int(w.sql(query)) for table, query in counts.items()}
        w.sql(statement)
        end = refreshed(w)
        assert differed(end) == want, f"{what}: {differed(end)}, not {want}"
        assert end["rowsDiffered"] == sum(want.values()), end
        assert is_equal(w), what


def damage_is_mended_while_a_writer_goes_on(w):
    stop, failed = threading.Event(), []

    def write():
        n = 0
        while not stop.is_set():
            n += 1
            try:
                w.sql(
                    f"UPDATE interventions SET status = CASE WHEN random() < 0.5 THEN 'COMPLETED' ELSE 'VALIDATED' END, updated_at = now() "
                    f"WHERE planned_at > '2026-01-04Z' AND id % 17 = {n} % 17; "
                    f"INSERT INTO interventions (reference, title, planned_at, technician_id) VALUES ('W-{n}', 't', '2026-02-01Z', 3)")
            except AssertionError as why:
                failed.append(why)
                return
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for what, statement, want in (("rows added",
        "INSERT INTO analytics.intervention_technician_load VALUES (2001, 1, 1), (2002, 1, 1)", 2),
                                      ("rows removed",
                                      "DELETE FROM analytics.intervention_daily_metrics WHERE metric_date = '2026-01-02' AND "
                                       "status = 'SCHEDULED'", 1),
                                      ("nothing", "SELECT 1", 0)):
            w.sql(statement)
            end = refreshed(w)
            assert end["rowsDiffered"] == want, f"{what}: {end}"
            assert is_equal(w), what
    finally:
        stop.set()
        writer.join()
    assert not failed, failed


def one_refresh_at_a_time(w):
    first = w.send("POST", "/api/dashboard/refresh")
    codes = [w.send("POST", "/api/dashboard/refresh")[0] for _ in range(3)]
    assert first[0] == 202 and 409 in codes, codes
    until(lambda: w.call(200, "GET", first[1]["Location"])["state"] != "RUNNING", "the refresh")
    for name in ("0", "999", "x", "-1"):
        w.call(404, "GET", "/api/dashboard/refreshes/" + name)


CASES = {
    "rules": [
        life_of_an_intervention,
        refusals_have_their_codes,
        every_fault_has_its_place,
        automatic_assignment_takes_the_least_loaded,
        lists_are_shaped,
        bulk_is_by_reference_and_idempotent,
        etags_say_whether_it_changed,
        without_the_tables_it_says_so,
        health_lists_its_checks,
        the_description_can_be_read,
        the_dashboard_is_what_its_tables_say,
        users_are_what_sql_gives,
        every_described_answer_was_met,
        a_server_that_went_away_comes_back],
        "lists": [pages_are_what_sql_gives],
        "hostile": [
            rows_to_attack,
            bad_bodies_are_refused,
            bad_queries_are_refused_or_ignored,
            bad_names_and_methods_are_refused,
            bad_frames_are_refused,
            nothing_has_changed],
            "refresh": [
                damage_is_counted_and_mended,
                damage_is_mended_while_a_writer_goes_on,
                one_refresh_at_a_time],
                }


def main():
    failed = 0
    world = World(sys.argv[1])
    try:
        world.begin()
        for case in CASES[sys.argv[2]]:
            try:
                case(world)
                print(f"{case.__name__}: ok", flush=True)
            except (AssertionError, KeyError, ValueError, OSError) as why:
                failed += 1
                print(f"{case.__name__}: FAILED: {why!r}", flush=True)
    finally:
        world.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
