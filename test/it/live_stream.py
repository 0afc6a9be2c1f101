#!/usr/bin/env python3
"""The live stream against what the tables really are: readers that fold snapshots and deltas, come back with their last id, read slowly,
and live through restarts, while a writer changes rows.

Usage: live_stream.py WALMILL [SEED]
Every source transaction keeps sums over the three tables in step (each row is on the map, is counted in its day and status, and is open
at its technician or not), so that a reader's state is checked at every position that the stream names, and in the end against the tables
themselves.
"""
import http.client
import json
import pathlib
import random
import sys
import threading
import time

from restworld import Postgres, Walmill, until

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TOPICS = ("daily", "load", "map")
KEYS = {"daily": ("date", "status"), "load": ("technicianId",), "map": ("interventionId",)}
OPEN = ("SCHEDULED", "IN_PROGRESS")
SECONDS = 12


def key_of(topic, row):
    key = tuple(row[k] for k in KEYS[topic])
    return key


class Reader(threading.Thread):
    """Folds the stream. `leave`: after about so many events it hangs up and comes back with its last id. `slow`: seconds between reads."""

    def __init__(self, walmill, leave=0, slow=0.0, seed=0):
        super().__init__(daemon=True)
        self.walmill, self.leave, self.slow, self.random = walmill, leave, slow, random.Random(seed)
        self.tables = {t: None for t in TOPICS}
        self.at = {t: None for t in TOPICS}
        self.id, self.done, self.failed = "", False, None
        self.events = self.resyncs = self.resumed = self.checked = self.snapshots = 0

    def run(self):
        try:
            while not self.done:
                try:
                    self.connection()
                except (OSError, http.client.HTTPException):
                    time.sleep(0.05)      # walmill restarts
        except AssertionError as why:
            self.failed = why

    def connection(self):
        c = http.client.HTTPConnection("127.0.0.1", int(self.walmill.ports["console"]), timeout=20)
        c.request("GET", "/api/stream?topics=" + ",".join(TOPICS), headers={"Last-Event-ID": self.id} if self.id else {})
        answer = c.getresponse()
        if answer.status == 503:
            raise OSError("it is going away")
        assert answer.status == 200, answer.read()
        back, left = bool(self.id), self.random.randint(1, 2 * self.leave) if self.leave else -1
        event, ident, first = "", "", True
        while not self.done and left != 0:
            line = answer.readline().decode()
            if not line:
                break
            line = line.rstrip("\n")
            if line.startswith("event: "):
                event, ident = line[7:], ""
            elif line.startswith("id: "):
                ident = line[4:]
            elif line.startswith("data: "):
                self.resumed += back and first and event == "delta"
                first = False
                self.take(event, json.loads(line[6:]))
                self.id = ident or self.id
                left -= left > 0
                if self.slow:
                    time.sleep(self.slow)
        c.close()

    def take(self, event, data):
        topic = data["topic"]
        self.events += 1
        if event == "resync":
            self.resyncs += 1
            self.tables[topic] = self.at[topic] = None
            return
        if event == "snapshot":
            self.snapshots += 1
            self.tables[topic] = {key_of(topic, row): row for row in data["rows"]}
        else:
            table = self.tables[topic]
            assert table is not None, f"a delta of {topic} before its snapshot"
            assert lsn(data["lsn"]) >= lsn(self.at[topic]), f"{topic} goes back from {self.at[topic]} to {data['lsn']}"
            for row in data["upsert"]:
                table[key_of(topic, row)] = row
            for key in data["delete"]:
                table.pop(tuple(key) if isinstance(key, list) else (key,), None)
        self.at[topic] = data["lsn"]
        self.check()

    def check(self):
        """What holds in every transaction, where all three are at one position."""
        if None in self.tables.values() or len(set(self.at.values())) != 1 or lsn(self.at["map"]) == 0:
            return
        self.checked += 1
        counted = {}
        for row in self.tables["map"].values():
            counted[row["status"]] = counted.get(row["status"], 0) + 1
        daily = {}
        for row in self.tables["daily"].values():
            daily[row["status"]] = daily.get(row["status"], 0) + row["count"]
        assert counted == daily, f"at {self.at['map']}: map {counted}, daily {daily}"
        still_open = sum(row["openCount"] for row in self.tables["load"].values())
        assert still_open == sum(counted.get(s, 0) for s in OPEN), f"at {self.at['map']}: {still_open} open, map {counted}"


def lsn(text):
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def write(pg, stop, seed):
    rng, n = random.Random(seed), 0
    while not stop.is_set():
        statements = []
        for _ in range(rng.randint(1, 6)):
            n += 1
            what, status, tech = rng.random(), rng.choice(("SCHEDULED", "IN_PROGRESS", "COMPLETED", "VALIDATED")), rng.randint(1, 20)
            some = f"(SELECT id FROM interventions ORDER BY hashint8(id + {rng.randint(0, 10**6)}) LIMIT {rng.randint(1, 5)})"
            if what < 0.4:
                day = f"timestamptz '2026-01-01 00:00+00' + interval '{rng.randint(0, 40)} days'"
                statements.append("INSERT INTO interventions (reference, title, status, planned_at, technician_id, latitude, longitude) "
                                  f"VALUES ('w{seed}-{n}', 't', '{status}', {day}, {tech}, {rng.randint(-80, 80)}.5, "
                                  f"{rng.randint(-170, 170)}.25)")
            elif what < 0.85:
                statements.append(f"UPDATE interventions SET status = '{status}', technician_id = {tech}, "
                                  f"latitude = {rng.randint(-80, 80)}, planned_at = planned_at + "
                                  f"interval '{rng.randint(-2, 2)} days' WHERE id IN {some}")
            else:
                statements.append(f"DELETE FROM interventions WHERE id IN {some}")
        try:
            pg.sql("; ".join(statements), db="app")     # one simple query is one transaction
        except AssertionError as why:
            assert "deadlock detected" in str(why), why   # of the two writers; it was rolled back
        stop.wait(rng.random() * 0.03)


SHOWN = {"daily": "SELECT metric_date, status, total_count FROM analytics.intervention_daily_metrics",
         "load": "SELECT technician_id, open_count FROM analytics.intervention_technician_load",
         "map": "SELECT intervention_id, status, technician_id, latitude, longitude FROM analytics.intervention_geo_view"}
SHAPES = {"daily": lambda r: [r["date"], r["status"], r["count"]], "load": lambda r: [r["technicianId"], r["openCount"]],
          "map": lambda r: [r["interventionId"], r["status"], r["technicianId"], r["latitude"], r["longitude"]]}


def equal(pg, reader):
    for topic in TOPICS:
        rows = json.loads(pg.sql(f"SELECT coalesce(json_agg(json_build_array(t.*)), '[]') FROM ({SHOWN[topic]}) t", db="app") or "[]")
        rows = [list(r[0].values()) if len(r) == 1 and isinstance(r[0], dict) else r for r in rows]
        shown = reader.tables[topic]  # looked at once: a resync may take it away at any moment
        if shown is None or sorted(rows, key=str) != sorted((SHAPES[topic](r) for r in list(shown.values())), key=str):
            return False
    return True


def begin(pg, walmill):
    with open(ROOT / "infra/cdc/connectors/sip-interventions-source.json", encoding="utf-8") as f:
        connector = json.load(f)
    connector["config"] |= {"database.hostname": "127.0.0.1", "database.port": pg.port, "database.user": "postgres",
                            "database.password": "x", "database.dbname": "app"}
    assert walmill.call("connect", "POST", "/connectors", connector)[0] == 201
    with open(ROOT / "jobs/interventions.sql", "rb") as f:
        assert walmill.call("jobs", "POST", "/jobs?name=interventions", f.read())[0] == 202
    until(lambda: walmill.call("api", "GET", "/readyz")[0] == 200, "ready")


def once(pg, walmill):
    """A stream that ends after its snapshots: each topic once, together what a reader without an end has."""
    reader = Reader(walmill)
    c = http.client.HTTPConnection("127.0.0.1", int(walmill.ports["console"]), timeout=20)
    c.request("GET", "/api/stream?once=true&topics=freshness," + ",".join(TOPICS))
    for event in c.getresponse().read().decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in event.split("\n") if ": " in line)
        if "data" in lines and '"topic":"freshness"' not in lines["data"]:
            reader.take(lines["event"], json.loads(lines["data"]))
    c.close()
    assert (reader.snapshots, reader.events) == (len(TOPICS), len(TOPICS)), f"{reader.snapshots} snapshots, {reader.events} events"
    assert equal(pg, reader), "the snapshots are not the tables"


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    pg, walmill = Postgres(), None
    try:
        pg.sql("CREATE DATABASE app")
        pg.sql(file=ROOT / "demo/schema.sql", db="app")
        pg.sql("INSERT INTO users (email, full_name) SELECT n || '@example.org', 'n' || n FROM generate_series(1, 20) n", db="app")
        walmill = Walmill(sys.argv[1], "--source", pg.dsn("app"), "--set", "job.checkpoint.interval=1s")
        begin(pg, walmill)
        stop = threading.Event()
        writers = [threading.Thread(target=write, args=(pg, stop, seed * 10 + i), daemon=True) for i in range(2)]
        readers = [Reader(walmill), Reader(walmill, leave=5, seed=seed), Reader(walmill, leave=20, seed=seed + 1),
                   Reader(walmill, slow=0.4)]
        for t in writers + readers:
            t.start()
        time.sleep(SECONDS / 3)
        walmill.call("jobs", "PUT", "/jobs/interventions/pause")
        walmill.call("jobs", "PUT", "/jobs/interventions/resume")
        time.sleep(SECONDS / 3)
        walmill.stop()
        walmill.start()
        late = Reader(walmill)
        late.start()
        readers.append(late)
        time.sleep(SECONDS / 3)
        walmill.call("jobs", "PUT", "/jobs/interventions/repair")
        stop.set()
        for t in writers:
            t.join()
        for i, reader in enumerate(readers):
            until(lambda r=reader: r.failed or equal(pg, r), f"reader {i} equal to the tables", 40)
        once(pg, walmill)
        for reader in readers:
            reader.done = True
        pg.sql("UPDATE interventions SET status = 'VALIDATED'", db="app")   # wakes those that wait
        for i, reader in enumerate(readers):
            reader.join()
            print(f"reader {i}: {reader.events} events, {reader.snapshots} snapshots, {reader.resyncs} resyncs, {reader.resumed} resumed, "
                  f"{reader.checked} positions checked")
            assert not reader.failed, f"reader {i}: {reader.failed}"
            assert reader.checked > 3, f"reader {i} was checked {reader.checked} times only"
        assert readers[1].resumed > 3, "nobody came back to where they were"
        assert readers[0].resyncs + readers[0].snapshots > 3, "a repair and a restart make readers begin anew"
        assert walmill.process.poll() is None
    finally:
        if walmill:
            walmill.close()
        pg.close()
    print("ok")


if __name__ == "__main__":
    main()
