#!/usr/bin/env python3
"""The recorded exchanges with a real Connect worker (test/golden/rest), sent to a walmill: status, headers and bodies must be the worker's.

Usage: rest_golden.py WALMILL [2.6.2|3.2.3]...
What may differ is listed below, with the reason: MASKS for what is a worker's own, EXCEPTIONS for what walmill answers
otherwise on purpose.
An exception or mask that is no longer needed fails the test too.
"""
import copy
import json
import re
import sys

from restworld import ROOT, Postgres, Walmill, until

NAME = "rest-demo"

# (method and path as a regular expression, note or None, what is done to both bodies, reason)
MASKS = [
    ("GET /$", None, lambda b: {**b, "commit": "", "kafka_cluster_id": ""}, "a commit and an id are an installation's own"),
    ("GET /connector-plugins$", None, lambda b: [p for p in b if "postgresql" in p["class"]],
     "a worker also carries Kafka's file connectors"),
    ("GET /connector-plugins.connectorsOnly", None, lambda b: [p for p in b if p["class"] in PLUGINS and p["type"] != "header_converter"],
     "walmill has the plugins that it has; those it names are the worker's"),
    ("GET /connector-plugins/.*/config$", None, lambda b: sorted((definition(d) for d in b), key=lambda d: d["name"]),
     "texts for people are our own; the list has no order"),
    ("PUT /connector-plugins/.*/validate$", None, lambda b: report(b), "texts for people are our own"),
    ("GET /connectors/rest-demo/offsets", "after an offset flush", lambda b: offsets(b), "clocks, ids and LSNs are a run's own"),
    ("GET /connectors/rest-demo/topics", "after reset", lambda b: {n: [] for n in b}, "a heartbeat may have come since; see below"),
    ("PUT /admin/loggers/io.debezium$", None, lambda b: b[:1], "walmill has no Java classes below a name"),
    ("GET /admin/loggers/io.debezium$", None, lambda b: {**b, "last_modified": isinstance(b["last_modified"], int)}, "a clock"),
]
PLUGINS = ("io.debezium.connector.postgresql.PostgresConnector", "io.debezium.transforms.ByLogicalTableRouter",
           "io.debezium.transforms.ExtractNewRecordState", "org.apache.kafka.connect.transforms.RegexRouter",
           "org.apache.kafka.connect.json.JsonConverter")

BAD_BODY = "what the client sent wrongly is a 4xx in walmill, never a 500 with a Java exception"
# (method path, note): (status, regular expression for the message, reason)
EXCEPTIONS = {
    ("POST /connectors", "broken JSON"): (400, "the body is not valid JSON: .* at byte 1", BAD_BODY),
    ("POST /connectors", "empty body"): (400, "the body is not valid JSON", BAD_BODY),
    ("POST /connectors", "an array"): (400, "the body must be a JSON object", BAD_BODY),
    ("POST /connectors", "unknown field"): (
        400, 'Unrecognized field "extra", not marked as ignorable .3 known properties: "config", "name", "initial_state"',
        BAD_BODY),
    ("POST /connectors", "no config"): (400, 'the body has no "config"', BAD_BODY),
    ("POST /connectors", "unknown class"): (
        400, "Failed to find any class that implements Connector and which name matches no.such.Connector, available connectors are: "
        "PluginDesc{klass=class io.debezium.connector.postgresql.PostgresConnector", BAD_BODY),
    ("PUT /connector-plugins/PostgresConnector/config/validate", "no class"): (
        400, "^Connector config {topic.prefix=x} contains no connector type$", BAD_BODY),
    ("POST /connectors", "unknown initial state"): (
        400, 'initial_state "SLEEPING" is none of RUNNING, PAUSED, STOPPED', BAD_BODY),
    ("PATCH /connectors/rest-demo/offsets", "stopped, altered"): (
        400, "position 0/00000001 lies before the connector's, .* published twice",
        "a worker stores any offset; walmill's log would get duplicates"),
    ("PATCH /connectors/rest-demo/offsets", "stopped, wrong partition"): (
        400, "a partition has one key", "a worker stores offsets of partitions that do not exist"),
}


def definition(d):
    return d and {k: v for k, v in d.items() if k not in ("documentation", "display_name", "dependents")}


def report(b):
    if "configs" not in b:
        return b
    for c in b["configs"]:
        c["definition"] = definition(c["definition"])
        c["value"].pop("visible")  # a hint for forms
        # 2.6 has fewer of them, and walmill's table has one list
        c["value"]["recommended_values"] = [v for v in c["value"]["recommended_values"]
                                            if v not in ("no_tables", "isostring", "microseconds", "nanoseconds")]
    return b


def offsets(b):
    """Shape of each offset; progress without rows moves walmill's and not a worker's."""
    assert len(b["offsets"]) == 1 and b["offsets"][0]["partition"] == {"server": "rest"}, b
    got = b["offsets"][0]["offset"]
    assert got["lsn"] > 0 and all(isinstance(v, (int, bool, str)) for v in got.values()), b
    if "lsn_proc" in got:
        return "progress"
    return {k: v if k in ("last_snapshot_record", "snapshot", "snapshot_completed") else type(v).__name__ for k, v in got.items()}


def without_own(x):
    """walmill's own member of a status, which Connect's clients do not look at."""
    if isinstance(x, dict):
        return {k: without_own(v) for k, v in x.items() if k != "walmill"}
    return [without_own(v) for v in x] if isinstance(x, list) else x


def parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


class Replay:
    def __init__(self, walmill, postgres):
        self.w, self.pg = walmill, postgres
        self.worker = "127.0.0.1:" + walmill.ports["connect"]
        self.used, self.failed = set(), 0

    def fill(self, text):
        return text.replace("@WORKER@", self.worker).replace("@PG_PORT@", self.pg.port)

    def settle(self, method, path, note, status):
        """The recording waited for the state that a request leads to; so does this."""
        tail = path[len("/connectors/" + NAME):] if path.startswith("/connectors/" + NAME) else None
        if status >= 300 or method in ("GET", "DELETE") or (tail is None and note != "created") or tail in ("/offsets", "/topics/reset"):
            return
        want = {"/pause": "PAUSED", "/stop": "STOPPED"}.get(tail, "RUNNING")
        until(lambda: self.w.state(NAME) == want and (want != "RUNNING" or self.w.step(NAME) == "streaming"), f"{NAME} {want}")

    def differences(self, want, status, headers, text):
        key = (f"{want['method']} {want['path']}", want["note"])
        if key in EXCEPTIONS:
            self.used.add(key)
            code, message, _reason = EXCEPTIONS[key]
            body = parsed(text)
            assert want["status"] != code, "the exception is not needed"
            if status != code or body.get("error_code") != code or not re.search(message, body["message"]):
                yield f"expected {code} {message!r}, got {status} {text[:300]}"
            return
        if status != want["status"]:
            yield f"status {status}, the worker's is {want['status']}: {text[:300]}"
        for name in ("Content-Type", "Location", "Allow"):
            # a worker forgets the type of its 404, 405 and 415; walmill says it, and what a 405 would allow
            if status in (404, 405, 415) and name not in want["headers"]:
                continue
            if headers.get(name) != (self.fill(want["headers"][name]) if name in want["headers"] else None):
                yield f"{name}: {headers.get(name)}, the worker's is {want['headers'].get(name)}"
        theirs, ours = parsed(self.fill(want["body"])), without_own(parsed(text))
        for i, (pattern, note, mask, _reason) in enumerate(MASKS):
            if re.match(pattern, key[0]) and note in (None, want["note"]) and status == 200:
                self.used.add(i)
                theirs, ours = mask(copy.deepcopy(theirs)), mask(copy.deepcopy(ours))
                if ours == "progress":
                    ours = theirs
        if theirs != ours:
            yield f"body\n    ours   {json.dumps(ours)[:1500]}\n    theirs {json.dumps(theirs)[:1500]}"

    def run(self, path):
        for number, line in enumerate(open(path, encoding="utf-8")):
            want = json.loads(line)
            body = None if want["request"] is None else self.fill(want["request"]).encode()
            status, headers, text = self.w.call("connect", want["method"], want["path"], body, want["content_type"])
            for d in self.differences(want, status, headers, text):
                print(f"{path.name} {number} {want['method']} {want['path']} ({want['note']}): {d}")
                self.failed += 1
            if want["note"] == "after reset" and "rest.public.t" in text:
                print("the list of topics was not emptied")
                self.failed += 1
            self.settle(want["method"], want["path"], want["note"], status)
        unused = [k for k in [*EXCEPTIONS, *range(len(MASKS))] if k not in self.used]
        if unused:
            print("not needed any more:", unused)
            self.failed += 1


def validations(w, pg):
    """What Debezium 3.2.3 says of wrong values, key by key: validate-3.2.3.jsonl holds keys to change and the list of faults. Left out
    of the recording: keys that walmill refuses whatever their value, regular expressions (another library's words), another converter."""
    failed = 0
    good = {"connector.class": "PostgresConnector", "name": "c", "database.hostname": "127.0.0.1", "database.port": pg.port,
            "database.user": "postgres", "database.dbname": "resttest", "topic.prefix": "q", "plugin.name": "pgoutput", "slot.name": "q",
            "publication.name": "q", "publication.autocreate.mode": "filtered", "table.include.list": "public.t"}
    for line in open(ROOT / "test/golden/rest/validate-3.2.3.jsonl", encoding="utf-8"):
        want = json.loads(line)
        status, _, text = w.call("connect", "PUT", "/connector-plugins/PostgresConnector/config/validate", {**good, **want["config"]})
        assert status == 200, text
        got = [e for c in json.loads(text)["configs"] for e in c["value"]["errors"]]
        # port 0 is one that Debezium takes without looking; to connect there is walmill's fault only
        got = [e for e in got if "port number: \"0\"" not in e]
        if got != want["errors"]:
            failed += 1
            print("validate", str(want["config"])[:200])
            print("\n".join(f"    ours   {e}" for e in got if e not in want["errors"]))
            print("\n".join(f"    theirs {e}" for e in want["errors"] if e not in got) or "    (another order or number)")
    return failed


def main():
    program, versions = sys.argv[1], sys.argv[2:] or ["2.6.2", "3.2.3"]
    postgres, failed = Postgres(), 0
    try:
        for version in versions:
            postgres.sql("CREATE DATABASE resttest TEMPLATE template0")
            postgres.sql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')", "resttest")
            walmill = Walmill(program, "--set", "compat.version=" + version[:3])
            try:
                replay = Replay(walmill, postgres)
                replay.run(ROOT / "test/golden/rest" / f"debezium-{version}.jsonl")
                failed += replay.failed + (validations(walmill, postgres) if version == "3.2.3" else 0)
            finally:
                walmill.close()
            postgres.sql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = 'resttest'")
            postgres.sql("DROP DATABASE resttest WITH (FORCE)")
            print(f"{version}: {'ok' if not failed else 'differs'}")
    finally:
        postgres.close()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
