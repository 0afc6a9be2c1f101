"""The stack that walmill stands in for (Kafka 3.9, Connect with Debezium 3.2, Flink 1.19), brought up by scripts/peers.sh and measured
with bench.py's loads on bench.py's servers, one after the other with walmill: `make bench PEERS=1`.

Debezium runs with large batches and lz4 (throughput) or a poll interval of 10 ms and no linger (latency); Flink with a buffer timeout of 0
and sinks that flush 500 rows or 20 ms, 10 s checkpoints. Times begin as walmill's do: when the stopped connector is resumed.
"""
import datetime
import http.client
import json
import os
import random
import socket
import subprocess
import time

from machine import ROOT, Failed, cpu_s, peak_mb, reset_peak, wait_for

JVMS = ("kafka", "connect", "jobmanager", "taskmanager")
BULK = {"max.batch.size": "20480", "max.queue.size": "81920", "poll.interval.ms": "10", "producer.override.linger.ms": "5",
        "producer.override.batch.size": "262144", "producer.override.compression.type": "lz4"}
QUICK = {"poll.interval.ms": "10", "producer.override.linger.ms": "0"}


class Peers:
    def __init__(self, dir):
        self.dir = dir
        self.env = dict(os.environ, KAFKA_PORT=str(free_pair()), CONNECT_PORT=str(free_pair()), FLINK_PORT=str(free_pair()))
        self.script("fetch")

    def start(self, *names):
        """All, or those named: kafka, connect, flink."""
        try:
            self.facts = dict(line.split("=", 1) for line in self.script("start", self.dir, *names).splitlines() if "=" in line)
        except Failed:
            self.stop()
            raise
        self.kafka = "127.0.0.1:" + self.facts["kafka_port"]

    def script(self, *arguments):
        done = subprocess.run([ROOT + "/scripts/peers.sh", *arguments], env=self.env, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise Failed(f"peers.sh {arguments[0]} ended with {done.returncode}: {done.stdout[-500:]}")
        return done.stdout

    def stop(self):
        self.script("stop", self.dir)

    def pids(self, names=JVMS):
        return [int(self.facts[n]) for n in names]

    def cpu(self, names=JVMS):
        return sum(cpu_s(p) or 0 for p in self.pids(names))

    def reset_peak(self):
        for p in self.pids():
            reset_peak(p)

    def peak(self, names=JVMS):
        return sum(peak_mb(p) for p in self.pids(names))

    def rest(self, port, method, path, body=None):
        c = http.client.HTTPConnection("127.0.0.1", int(self.facts[port]), timeout=60)
        c.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        r = c.getresponse()
        text = r.read().decode()
        c.close()
        if r.status // 100 != 2:
            raise Failed(f"{method} {path}: {r.status} {text[:500]}")
        return json.loads(text) if text else None

    # ---- Connect ----

    def create(self, config):
        """Posts a connector; returns when its task runs."""
        self.rest("connect_port", "POST", "/connectors", config)
        wait_for(lambda: self.state(config["name"]) == "RUNNING", "Debezium's task running", 60)

    def state(self, name):
        try:
            tasks = self.rest("connect_port", "GET", f"/connectors/{name}/status")["tasks"]
        except Failed:
            return None                  # not there yet
        if tasks and tasks[0]["state"] == "FAILED":
            raise Failed(tasks[0]["trace"][:500])
        return tasks[0]["state"] if tasks else "STOPPED"

    def steer(self, name, verb, method="PUT"):
        self.rest("connect_port", method, f"/connectors/{name}/{verb}".rstrip("/"))

    # ---- Kafka ----

    def make_topic(self, name, value):
        subprocess.run(["kcat", "-q", "-b", self.kafka, "-P", "-t", name, "-K|"], input=value, text=True, check=True)

    def records(self, topic):
        """The high watermark of partition 0; 0 while there is no such topic."""
        done = subprocess.run(["kcat", "-q", "-b", self.kafka, "-Q", "-t", topic + ":0:-1"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, check=False)
        return int(done.stdout.split()[-1]) if done.returncode == 0 and done.stdout else 0

    # ---- Flink ----

    def submit(self, topic, target, db):
        clock = topic + ".clock"
        today = str(datetime.datetime.now(datetime.timezone.utc).date())
        self.make_topic(clock, '{"k":1}|' + json.dumps({"k": 1, "d": today}) + "\n")
        part = target.part
        jdbc = (f"'connector' = 'jdbc', 'url' = 'jdbc:postgresql://{part['host']}:{part['port']}/{db}?stringtype=unspecified"
                f"&reWriteBatchedInserts=true', 'username' = '{part['user']}', 'password' = '{part['password']}', "
                "'sink.buffer-flush.max-rows' = '500', 'sink.buffer-flush.interval' = '20 ms'")
        with open(ROOT + "/bench/peers.sql") as f:
            text = f.read()
        for key, value in {"TOPIC": topic, "CLOCK": clock, "KAFKA": self.kafka, "JDBC": jdbc}.items():
            text = text.replace("${" + key + "}", value)
        path = self.dir + "/job.sql"
        with open(path, "w") as f:
            f.write(text)
        self.script("sql", self.dir, path)
        wait_for(self.running, "Flink's job running", 60)

    def running(self):
        jobs = [j for j in self.rest("flink_port", "GET", "/jobs/overview")["jobs"] if j["state"] not in ("CANCELED", "FINISHED")]
        if any(j["state"] in ("FAILED", "RESTARTING") for j in jobs):
            raise Failed("Flink's job does not run: " + json.dumps(jobs)[:300])
        return jobs and all(j["tasks"]["running"] == j["tasks"]["total"] for j in jobs)

    def cancel(self):
        for j in self.rest("flink_port", "GET", "/jobs/overview")["jobs"]:
            if j["state"] == "RUNNING":
                self.rest("flink_port", "PATCH", f"/jobs/{j['jid']}?mode=cancel")
        wait_for(lambda: all(j["state"] != "RUNNING" for j in self.rest("flink_port", "GET", "/jobs/overview")["jobs"]), "job gone", 60)


def free_pair():
    """A port that is free together with the next one, below those that the system gives to connections: the peers start much later."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        end = int(f.read().split()[0])
    for _ in range(100):
        port = random.randrange(10000, end - 1)
        if not taken(port) and not taken(port + 1):
            return port
    raise Failed("no two free ports side by side")


def taken(port):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


# ---- are the tables right ----

TABLES = {"intervention_daily_metrics": "metric_date, status, total_count, avg_completion_seconds, validation_ratio",
          "intervention_technician_load": "technician_id, open_count, completed_today, avg_completion_seconds",
          "intervention_geo_view": "intervention_id, latitude, longitude, status, technician_id, planned_at, updated_at"}


class Equal:
    """Whether the target's tables are what the job's SQL gives over the source, whose own analytics tables are scratch here."""

    def __init__(self, source, target, db):
        self.server, self.source, self.target, self.db = source, source.connect(db), target.connect(db), db
        for pg in (self.source, self.target):
            pg("SET TimeZone = 'UTC'")

    def near(self):
        """Cheap: the last commit is on the map, and each row is counted."""
        want = self.source.one("SELECT updated_at FROM interventions WHERE id = 1")
        return self.target.one("SELECT updated_at FROM analytics.intervention_geo_view WHERE intervention_id = 1") == want and \
            self.target.one("SELECT sum(total_count) FROM analytics.intervention_daily_metrics") == self.rows

    def all(self):
        return all(self.target.one(self.digest(t)) == self.source.one(self.digest(t)) for t in TABLES)

    @staticmethod
    def digest(table):
        return f"SELECT md5(string_agg(t::text, ';' ORDER BY t::text)) FROM (SELECT {TABLES[table]} FROM analytics.{table}) t"

    def wait(self, timeout_s=180):
        """The time at which they were; the batch recompute does not count."""
        self.rows = self.source.one("SELECT count(*) FROM interventions")
        end = time.monotonic() + timeout_s
        recomputed = False
        while True:
            wait_for(self.near, "the peers' tables", end - time.monotonic(), 0.05)
            at = time.monotonic()
            if not recomputed:
                self.source("TRUNCATE " + ", ".join("analytics." + t for t in TABLES))
                self.server.run("psql", "-Xqd", self.db, "-v", "ON_ERROR_STOP=1", "-c", "SET TimeZone = 'UTC'", "-f",
                                ROOT + "/jobs/interventions.sql")
                recomputed = True
            if self.all():
                return at
            if time.monotonic() > end:
                raise Failed("the peers' tables are not what the SQL says")
            time.sleep(0.1)

    def close(self):
        self.source.close()
        self.target.close()
