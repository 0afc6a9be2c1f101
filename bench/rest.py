"""The application's reads at a steady rate: keep-alive connections, each request due at a time of its own; what /metrics takes meanwhile.

A request's latency counts from when it was due, so that a stall counts for every request that waited behind it. Writes go on at 20 a
second.
"""
import json
import os
import random
import socket
import sys
import threading
import time

from machine import ROOT, Failed, cpu_s, peak_mb, quantile, wait_for

ROWS, RATE, CONNECTIONS = 10_000, 1000, 8
PATHS = ("/api/interventions?page=3&size=20", "/api/interventions?status=SCHEDULED&sort=plannedAt,desc", "/api/interventions/{id}",
         "/api/users", "/api/dashboard/summary?date=2026-03-01", "/api/dashboard/status-trends?to=2026-03-05",
         "/api/dashboard/technician-load", "/api/dashboard/map?limit=100")
FILL = f"""INSERT INTO users (email, full_name) SELECT n || '@example.org', 'n' || n FROM generate_series(1, 20) n;
INSERT INTO interventions (reference, title, planned_at, technician_id, status, latitude, longitude)
SELECT 'R' || n, 'title', timestamptz '2026-02-20Z' + interval '1 minute' * (n % 20000), 1 + n % 20,
(ARRAY['SCHEDULED','IN_PROGRESS','COMPLETED'])[1 + n % 3], 40 + n % 10, n % 10 FROM generate_series(1, {ROWS}) n"""


def get(s, path):
    """One request and its whole answer. http.client takes a millisecond of CPU for that, which would be what is measured."""
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    got = b""
    while (end := got.find(b"\r\n\r\n")) < 0:
        got += receive(s)
    at = got.lower().index(b"content-length:", 0, end) + 15
    left = end + 4 + int(got[at:got.index(b"\r", at)]) - len(got)
    while left > 0:
        left -= len(receive(s))
    if not got.startswith(b"HTTP/1.1 200 "):
        raise Failed(f"{path}: {got[:200]}")


def receive(s):
    some = s.recv(65536)
    if not some:
        raise Failed("the connection was closed")
    return some


def client(port, seconds, number, out):
    """Every CONNECTIONS-th request, beginning with `number`. In a process of its own: Python's threads would wait for each other."""
    rng, took = random.Random(number), []
    s = socket.create_connection(("127.0.0.1", port), timeout=30)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    begin = time.monotonic() + 0.2
    for i in range(number, int(RATE * seconds), CONNECTIONS):
        due = begin + i / RATE
        time.sleep(max(0, due - time.monotonic()))
        path = rng.choice(PATHS)
        get(s, path.replace("{id}", str(rng.randint(1, ROWS))))
        took.append((path.split("?")[0], 1e3 * (time.monotonic() - due)))
    json.dump(took, out)
    out.close()


def load(port, seconds):
    """[(path, ms)] of all."""
    readers = []
    for number in range(CONNECTIONS):
        r, w = os.pipe()
        if os.fork() == 0:
            os.close(r)
            code = 1
            try:
                client(port, seconds, number, os.fdopen(w, "w"))
                code = 0
            except (Failed, OSError, ValueError) as e:
                print(f"reader {number}: {e!r}", file=sys.stderr)
            finally:
                os._exit(code)
        os.close(w)
        readers.append(os.fdopen(r))
    texts = [r.read() for r in readers]
    if any(os.wait()[1] for _ in texts):
        raise Failed("a reader of the REST load failed")
    return [x for text in texts for x in json.loads(text)]


class Meanwhile:
    """Writes and scrapes while the reads go on."""

    def __init__(self, w):
        self.w, self.stop, self.scrapes = w, threading.Event(), []
        self.threads = [threading.Thread(target=self.write), threading.Thread(target=self.scrape)]
        for t in self.threads:
            t.start()

    def write(self):
        n = 0
        while not self.stop.wait(0.05):
            n += 1
            self.w.http("PUT", "api", f"/api/interventions/{n % ROWS + 1}",
                        json.dumps({"title": f"t{n}", "plannedAt": "2026-03-01T09:00:00Z", "assignmentMode": "MANUAL"}))

    def scrape(self):
        while not self.stop.wait(0.2):
            at = time.monotonic()
            self.w.must("GET", "api", "/metrics")
            self.scrapes.append(1e3 * (time.monotonic() - at))

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join()


def text_of(ms):
    return " ".join(f"{name} {quantile(ms, q):.2f}" for name, q in (("p50", 0.5), ("p99", 0.99), ("max", 1))) + " ms"


def read(bench, w, seconds, beside):
    before = cpu_s(w.pid)
    took = load(w.ports["api"], seconds)
    cores = (cpu_s(w.pid) - before) / seconds
    paths = {}
    for path, ms in took:
        paths.setdefault(path, []).append(ms)
    slowest = max(paths, key=lambda p: quantile(paths[p], 0.99))
    every = [ms for _, ms in took]
    bench.table.add("REST reads", f"{RATE:,} requests/s, {CONNECTIONS} connections, {beside}", len(took), text_of(every),
                    cpu=f"{100 * cores:.0f} % of a core", rss=f"{peak_mb(w.pid):.0f}",
                    required=[("p99 <= 5 ms", quantile(every, 0.99) <= 5)])
    bench.table.add("REST reads", "of these the slowest path: " + slowest, len(paths[slowest]), text_of(paths[slowest]))


def rest(bench, create_connector, seconds):
    source, db = bench.source, "rest"
    source.create(db, "demo/schema.sql")
    pg = source.connect(db)
    pg(FILL)
    pg("VACUUM ANALYZE")  # as autovacuum, which is off here, would have done
    pg.close()
    w = bench.walmill(db, source.dsn(db))
    w.wait_ready()
    create_connector(w, source, db, "rest")
    with open(ROOT + "/jobs/interventions.sql") as f:
        w.must("POST", "jobs", "/jobs?name=interventions", f.read())
    wait_for(lambda: w.job("interventions")["state"] == "RUNNING", "job running", 60)
    load(w.ports["api"], 2)  # plans and pages are cached then
    read(bench, w, seconds, "nobody writes")
    meanwhile = Meanwhile(w)
    read(bench, w, seconds, "20 writes/s")
    meanwhile.end()
    bench.table.add("/metrics", "meanwhile", len(meanwhile.scrapes), text_of(meanwhile.scrapes),
                    required=[("max < 20 ms", max(meanwhile.scrapes) < 20)])
    w.stop()
