#!/usr/bin/env python3
"""Kill drill: `walmill up` and PostgreSQL die again and again under load; at the end every job's tables equal their SQL.

    crash_drill.py WALMILL ROOT [kills [crashes]]

A throwaway cluster, a data directory, the demo's schema and job and one job more. A writer that never stops sends
transactions, and starts over when its connection dies.
walmill is killed with SIGKILL at random moments, PostgreSQL stopped with -m immediate. Needs the server's
binaries and psql.
Run by meson (suite it); ends with 77 (skipped) on a machine without PostgreSQL.
"""
import glob
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

WALMILL, ROOT = sys.argv[1], sys.argv[2]
KILLS = int(sys.argv[3]) if len(sys.argv) > 3 else 20
CRASHES = int(sys.argv[4]) if len(sys.argv) > 4 else 5
DEADLINE_S = 60
rng = random.Random(int(os.environ.get("WALMILL_SEED", "7")))

PAIRS = """
INSERT INTO kept.pairs (a, b, n, total)
SELECT l.grp, r.grp, count(*), sum(l.amount) FROM shop.left_side l LEFT JOIN shop.right_side r ON r.id = l.ref GROUP BY l.grp, r.grp;
INSERT INTO kept.whole (n, total) SELECT count(*), sum(amount) FROM shop.left_side;
"""
CHECKS = {
    "kept.pairs": "SELECT l.grp, r.grp, count(*), sum(l.amount) "
                  "FROM shop.left_side l LEFT JOIN shop.right_side r ON r.id = l.ref GROUP BY l.grp, r.grp",
    "kept.whole": "SELECT count(*), sum(amount) FROM shop.left_side",
    "analytics.intervention_geo_view": "SELECT id, latitude, longitude, status, technician_id, planned_at, updated_at "
                                       "FROM public.interventions "
                                       "WHERE latitude IS NOT NULL AND longitude IS NOT NULL",
}
COLUMNS = {"analytics.intervention_geo_view": "intervention_id, latitude, longitude, status, technician_id, planned_at, updated_at"}
SCHEMA = """
CREATE SCHEMA shop; CREATE SCHEMA kept;
CREATE TABLE shop.left_side (id int PRIMARY KEY, grp int, ref int, amount numeric);
CREATE TABLE shop.right_side (id int PRIMARY KEY, grp int);
CREATE TABLE kept.pairs (a int, b int, n bigint, total numeric, UNIQUE NULLS NOT DISTINCT (a, b));
CREATE TABLE kept.whole (n bigint, total numeric);
"""


def binaries():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda p: int(p.split("/")[4]))
    if not found:
        sys.exit(77)
    return os.path.dirname(found[-1])


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Postgres:
    def __init__(self, top):
        self.bin, self.dir, self.port = binaries(), os.path.join(top, "data"), free_port()
        self.user = {"user": "postgres"} if os.getuid() == 0 else {}
        if self.user:
            os.chown(top, pwd.getpwnam("postgres").pw_uid, -1)
        self.run("initdb", "-D", self.dir, "-U", "postgres", "-A", "trust", "--locale=C.UTF-8", "-E", "UTF8")
        with open(os.path.join(self.dir, "postgresql.conf"), "a") as conf:
            conf.write("port = %d\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nwal_level = logical\n"
                       "max_replication_slots = 20\n"
                       "max_wal_senders = 20\nrestart_after_crash = on\n" % self.port)

    def run(self, name, *args):
        subprocess.run([os.path.join(self.bin, name), *args], check=True, stdout=subprocess.DEVNULL, cwd="/", **self.user)

    def start(self):
        self.run("pg_ctl", "-D", self.dir, "-w", "-l", os.path.join(self.dir, "log"), "start")

    def stop(self):
        self.run("pg_ctl", "-D", self.dir, "-w", "-m", "immediate", "stop")

    def dsn(self, db="app"):
        return "host=127.0.0.1 port=%d user=postgres dbname=%s" % (self.port, db)

    def sql(self, text, db="app"):
        done = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", self.dsn(db)], input=text, capture_output=True,
                              text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()


class Writer(threading.Thread):
    """Random transactions for as long as it is let; what it sends is not awaited, so that many are open when something dies."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.leave, self.sent = server, threading.Event(), 0
        self.rng = random.Random(11)

    def transaction(self):
        r, out = self.rng, ["BEGIN;"]
        for _ in range(r.randint(1, 5)):
            i, g = r.randint(1, 400), r.choice(["NULL", "1", "2", "3"])
            out.append(r.choice([
                f"INSERT INTO shop.left_side VALUES ({i}, {g}, {r.randint(1, 60)}, {r.choice(['NULL', '0.01', '1e20', '-7'])}) "
                "ON CONFLICT (id) DO UPDATE SET amount = EXCLUDED.amount, grp = EXCLUDED.grp;",
                f"DELETE FROM shop.left_side WHERE id = {i};",
                f"INSERT INTO shop.right_side VALUES ({i % 60}, {g}) ON CONFLICT (id) DO UPDATE SET grp = EXCLUDED.grp;",
                f"DELETE FROM shop.right_side WHERE id = {i % 60};",
                f"INSERT INTO public.interventions (reference, title, planned_at, latitude, longitude) "
                 f"VALUES ('R' || nextval('shop.refs'), 't', now(), {i / 10}, 1);",
                f"UPDATE public.interventions SET status = 'COMPLETED', started_at = now() - interval '1 hour', completed_at = now() "
                 f"WHERE id % 40 = {i % 40};",
                f"DELETE FROM public.interventions WHERE id % 50 = {i % 50};",
            ]))
        out.append(r.choice(["COMMIT;", "COMMIT;", "COMMIT;", "ROLLBACK;"]))
        return "\n".join(out) + "\n"

    def run(self):
        while not self.leave.is_set():
            psql = subprocess.Popen(["psql", "-Xq", self.server.dsn()], stdin=subprocess.PIPE,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
            try:
                while not self.leave.is_set() and psql.poll() is None:
                    psql.stdin.write(self.transaction())
                    psql.stdin.flush()
                    self.sent += 1
                    self.leave.wait(0.003)
                psql.stdin.close()
            except (BrokenPipeError, OSError):
                pass
            psql.wait()


class Walmill:
    def __init__(self, top, server):
        self.options, self.log = [], open(os.path.join(top, "walmill.log"), "ab")
        for name in ("connect", "jobs", "api", "kafka", "console"):
            self.options += ["--set", "%s.listen=%s" % (name, "127.0.0.1:%d" % free_port())]
        self.options += ["--set", "job.checkpoint.interval=100ms"]
        self.options += ["--data", os.path.join(top, "walmill"), "--source", server.dsn(), "--target", server.dsn()]
        self.child = None

    def start(self):
        self.child = subprocess.Popen([WALMILL, "up", *self.options], stdout=self.log, stderr=self.log)

    def kill(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def tool(self, *args):
        return subprocess.run([WALMILL, *args, *self.options], capture_output=True, text=True, check=False)

    def tool_until(self, what, *args, good=lambda done: done.returncode == 0):
        deadline = time.monotonic() + DEADLINE_S
        while True:
            done = self.tool(*args)
            if good(done):
                return done
            if self.child.poll() is not None:
                raise SystemExit("walmill ended by itself with %d" % self.child.returncode)
            if time.monotonic() > deadline:
                raise SystemExit("%s: %s %s" % (what, done.stdout, done.stderr))
            time.sleep(0.1)


def differences(server):
    out = []
    for table, query in CHECKS.items():
        target = "SELECT %s FROM %s" % (COLUMNS.get(table, "*"), table)
        n = server.sql("SELECT (SELECT count(*) FROM (%s EXCEPT ALL %s) a), (SELECT count(*) FROM (%s EXCEPT ALL %s) b)"
                       % (query, target, target, query))
        if n != "0|0":
            out.append("%s: missing|too many = %s" % (table, n))
    return out


def wait_equal(server, walmill):
    deadline = time.monotonic() + DEADLINE_S
    while True:
        wrong = differences(server)
        if not wrong:
            return
        if time.monotonic() > deadline:
            raise SystemExit("\n".join(wrong) + "\n" + walmill.tool("job", "list").stdout)
        time.sleep(0.2)


def wait_running(walmill, names):
    def good(done):
        return done.returncode == 0 and all(any(n in line and "RUNNING" in line for line in done.stdout.splitlines()) for n in names)

    walmill.tool_until("jobs did not get to run", "job", "list", good=good)


def drill(top):
    server = Postgres(top)
    server.start()
    walmill = None
    try:
        server.sql("CREATE DATABASE app", "postgres")
        with open(os.path.join(ROOT, "demo/schema.sql"), encoding="utf-8") as f:
            server.sql(f.read() + SCHEMA + "CREATE SEQUENCE shop.refs;")
        walmill = Walmill(top, server)
        walmill.start()
        pairs = os.path.join(top, "pairs.sql")
        with open(pairs, "w", encoding="utf-8") as f:
            f.write(PAIRS)
        walmill.tool_until("connector", "connector", "create", "--name", "app", "--tables", r"shop\..*,public\.interventions")
        walmill.tool_until("job", "job", "submit", pairs)
        walmill.tool_until("job", "job", "submit", os.path.join(ROOT, "jobs/interventions.sql"))
        wait_running(walmill, ["pairs", "interventions"])
        writer = Writer(server)
        writer.start()
        events = ["kill"] * KILLS + ["crash"] * CRASHES
        rng.shuffle(events)
        for event in events:
            # the load itself is the clock: a random number of transactions, so that the moment is anywhere
            target, deadline = writer.sent + rng.randint(1, 120), time.monotonic() + DEADLINE_S
            while writer.sent < target and time.monotonic() < deadline:
                time.sleep(0.001)
            if event == "kill":
                walmill.kill()
                walmill.start()
            else:
                server.stop()
                server.start()
        writer.leave.set()
        writer.join()
        wait_running(walmill, ["pairs", "interventions"])
        wait_equal(server, walmill)
        # one more, when there surely is a checkpoint: the job begins with it
        def made(done):
            return done.returncode == 0 and all(j["walmill"]["checkpoint"]["made"] > 0 for j in json.loads(done.stdout)["jobs"])

        server.sql("INSERT INTO shop.left_side VALUES (1000, 1, 1, 1); UPDATE public.interventions SET latitude = 40.1 WHERE id = 1")
        walmill.tool_until("checkpoints", "job", "list", "--json", good=made)
        walmill.kill()
        walmill.start()
        wait_running(walmill, ["pairs", "interventions"])
        wait_equal(server, walmill)
        for job in json.loads(walmill.tool("job", "list", "--json").stdout)["jobs"]:
            if job["walmill"]["from"] != "checkpoint":
                raise SystemExit("job %s began from the %s" % (job["name"], job["walmill"]["from"]))
        n = server.sql("SELECT count(*) FROM shop.left_side")
        print("%d transactions, %d kills, %d crashes; %s rows; equal" % (writer.sent, KILLS, CRASHES, n))
        if int(n) < 20:
            raise SystemExit("the load did too little")
        for job in ("pairs", "interventions"):
            done = walmill.tool("verify", job)
            print(done.stdout.strip() or done.stderr.strip())
            if done.returncode:
                raise SystemExit("verify says that %s is not equal" % job)
    except BaseException:
        with open(os.path.join(top, "walmill.log"), encoding="utf-8", errors="replace") as f:
            sys.stderr.write("".join(f.readlines()[-60:]))
        raise
    finally:
        if walmill and walmill.child:
            walmill.kill()
        server.stop()


def main():
    top = tempfile.mkdtemp(prefix="walmill_drill_")
    try:
        os.chmod(top, 0o755)
        drill(top)
    finally:
        shutil.rmtree(top, ignore_errors=True)


main()
