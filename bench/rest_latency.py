#!/usr/bin/env python3
"""Latency of the application's reads at a steady rate: keep-alive connections, each request due at a time of its own.

Usage: rest_latency.py WALMILL [RATE [SECONDS [CONNECTIONS]]]      (1,000 a second, 10 s, 8)
A request's latency counts from when it was due, so that a stall counts for every request that waited behind it. Writes go on meanwhile at
20 a second. Prints percentiles of each path and of all, and what /metrics took under that load.
"""
import http.client
import json
import os
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "test/it"))
from restworld import ROOT, Postgres, Walmill, until  # noqa: E402

ROWS = 10000
PATHS = [
    "/api/interventions?page=3&size=20",
    "/api/interventions?status=SCHEDULED&sort=plannedAt,desc",
    "/api/interventions/{id}",
    "/api/users",
    "/api/dashboard/summary?date=2026-03-01",
    "/api/dashboard/status-trends?to=2026-03-05",
    "/api/dashboard/technician-load",
     "/api/dashboard/map?limit=100"]


def client(port, rate, seconds, number, of, out):
    """Every of-th request of the whole, beginning with `number`. In a process of its own: Python's threads would wait for each other."""
    rng, c, took, late = random.Random(number), http.client.HTTPConnection("127.0.0.1", port, timeout=30), [], 0
    c.connect()
    begin = time.monotonic() + 0.2
    for i in range(number, int(rate * seconds), of):
        due = begin + i / rate
        wait = due - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        else:
            late += 1
        path = rng.choice(PATHS)
        c.request("GET", path.replace("{id}", str(rng.randint(1, ROWS))))
        answer = c.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        took.append((path.split("?")[0], time.monotonic() - due))
    out.write(json.dumps({"took": took, "late": late}))
    out.close()


def percentile(sorted_ms, p):
    return sorted_ms[min(len(sorted_ms) - 1, int(len(sorted_ms) * p))]


def show(what, ms):
    ms = sorted(ms)
    print(
    f"{what:32} {len(ms):7} {percentile(ms, 0.5):8.2f} {percentile(ms, 0.9):8.2f} {percentile(ms, 0.99):8.2f} {percentile(ms, 0.999):8.2f} "
    f"{ms[-1]:8.2f}")


def load(port, rate, seconds, connections):
    """[(path, seconds)], how many requests went out behind their time"""
    readers = []
    for number in range(connections):
        r, w = os.pipe()
        if os.fork() == 0:
            os.close(r)
            code = 1
            try:
                client(port, rate, seconds, number, connections, os.fdopen(w, "w"))
                code = 0
            finally:
                os._exit(code)
        os.close(w)
        readers.append(os.fdopen(r))
    results = [json.loads(r.read()) for r in readers]
    for _ in results:
        os.wait()
    return [t for r in results for t in r["took"]], sum(r["late"] for r in results)


def begin(pg, program):
    pg.sql("CREATE DATABASE app")
    pg.sql(file=ROOT / "demo/schema.sql", db="app")
    pg.sql(
    "INSERT INTO users (email, full_name) SELECT n || '@example.org', 'n' || n FROM generate_series(1, 20) n; "
    "INSERT INTO interventions (reference, title, planned_at, technician_id, status, latitude, longitude) SELECT 'R' || n, 'title', "
    "timestamptz '2026-02-20Z' + interval '1 minute' * (n % 20000), 1 + n % 20, (ARRAY['SCHEDULED','IN_PROGRESS','COMPLETED'])[1 + n % 3], "
    f"40 + n % 10, n % 10 FROM generate_series(1, {ROWS}) n", db="app")
    pg.sql("ANALYZE", db="app")
    walmill = Walmill(program, "--source", pg.dsn("app"))
    connector = json.loads((ROOT / "infra/cdc/connectors/sip-interventions-source.json").read_text(encoding="utf-8"))
    connector["config"] |= {"database.hostname": "127.0.0.1", "database.port": pg.port, "database.user": "postgres",
                            "database.password": "x", "database.dbname": "app"}
    assert walmill.call("connect", "POST", "/connectors", connector)[0] == 201
    assert walmill.call("jobs", "POST", "/jobs?name=interventions", (ROOT / "jobs/interventions.sql").read_bytes())[0] == 202
    until(lambda: walmill.call("api", "GET", "/readyz")[0] == 200, "ready")
    return walmill


def scrape(walmill, stop, took):
    while not stop.wait(0.5):
        at = time.monotonic()
        walmill.call("api", "GET", "/metrics")
        took.append((time.monotonic() - at) * 1000)


def write(walmill, stop):
    n = 0
    while not stop.wait(0.05):
        n += 1
        walmill.call("api", "PUT", f"/api/interventions/{n % ROWS + 1}",
                     {"title": f"t{n}", "plannedAt": "2026-03-01T09:00:00Z", "assignmentMode": "MANUAL"})


def main():
    rate, seconds, connections = (float(sys.argv[i]) if len(sys.argv) > i else preset for i, preset in ((2, 1000), (3, 10), (4, 8)))
    pg, walmill = Postgres(), None
    try:
        walmill = begin(pg, sys.argv[1])
        port = int(walmill.ports["api"])
        load(port, rate, 2, int(connections))      # warm
        stop, metrics = threading.Event(), []
        threads = [threading.Thread(target=scrape, args=(walmill, stop, metrics)), threading.Thread(target=write, args=(walmill, stop))]
        for t in threads:
            t.start()
        took, late = load(port, rate, seconds, int(connections))
        stop.set()
        for t in threads:
            t.join()
        print(f"{'ms, from when it was due':32} {'n':>7} {'p50':>8} {'p90':>8} {'p99':>8} {'p99.9':>8} {'max':>8}")
        for path in sorted({p for p, _ in took}):
            show(path, [t * 1000 for p, t in took if p == path])
        show("all", [t * 1000 for _, t in took])
        show("/metrics", metrics)
        print(f"{rate:.0f} requests/s, {connections:.0f} connections, {late} of {len(took)} sent behind their time")
    finally:
        if walmill:
            walmill.close()
        pg.close()


if __name__ == "__main__":
    main()
