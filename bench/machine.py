"""What bench.py measures with: PostgreSQL through libpq, private clusters, a running walmill, CPU and memory from /proc.

Only Python's standard library and libpq itself; times are time.monotonic() seconds.
"""
import ctypes
import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WALMILL = os.environ.get("WALMILL", os.path.join(ROOT, "build-release/src/cli/walmill"))
PG_BIN = os.environ.get("PG_BIN", "/usr/lib/postgresql/15/bin")
TICK = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A measurement could not be made; the text says why."""


def wait_for(condition, what, timeout_s, every_s=0.002):
    """Polls until condition() is true, returns what it gave."""
    end = time.monotonic() + timeout_s
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {timeout_s} s")
        time.sleep(every_s)


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]


# ---- PostgreSQL ----

class Notify(ctypes.Structure):
    _fields_ = [("relname", ctypes.c_char_p), ("be_pid", ctypes.c_int), ("extra", ctypes.c_char_p)]


def load_libpq():
    lib = ctypes.CDLL("libpq.so.5")
    p, s, i = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, *arguments in (
            ("PQconnectdb", p, s), ("PQstatus", i, p), ("PQerrorMessage", s, p), ("PQfinish", None, p), ("PQexec", p, p, s),
            ("PQresultStatus", i, p), ("PQntuples", i, p), ("PQnfields", i, p), ("PQgetvalue", s, p, i, i), ("PQclear", None, p),
            ("PQsocket", i, p), ("PQconsumeInput", i, p), ("PQnotifies", ctypes.POINTER(Notify), p), ("PQfreemem", None, p)):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


class Pg:
    """One connection, one thread at a time. Calling it runs SQL and gives the rows as tuples of texts."""
    lib = None

    def __init__(self, dsn):
        Pg.lib = Pg.lib or load_libpq()
        self.c = self.lib.PQconnectdb(dsn.encode())
        if self.lib.PQstatus(self.c) != 0:
            raise Failed("PostgreSQL: " + self.lib.PQerrorMessage(self.c).decode().strip())

    def __call__(self, sql):
        r = self.lib.PQexec(self.c, sql.encode())
        if self.lib.PQresultStatus(r) not in (1, 2):
            self.lib.PQclear(r)
            raise Failed(f"{sql[:80]}: {self.lib.PQerrorMessage(self.c).decode().strip()}")
        rows = [tuple(self.lib.PQgetvalue(r, i, k).decode() for k in range(self.lib.PQnfields(r))) for i in range(self.lib.PQntuples(r))]
        self.lib.PQclear(r)
        return rows

    def one(self, sql):
        rows = self(sql)
        return rows[0][0] if rows else ""

    def notifications(self, timeout_s):
        """Payloads that have come, after waiting at most so long for the first."""
        if not select.select([self.lib.PQsocket(self.c)], [], [], timeout_s)[0]:
            return []
        if not self.lib.PQconsumeInput(self.c):
            raise Failed("PostgreSQL: " + self.lib.PQerrorMessage(self.c).decode().strip())
        got = []
        while True:
            n = self.lib.PQnotifies(self.c)
            if not n:
                return got
            got.append(n.contents.extra.decode())
            self.lib.PQfreemem(n)

    def close(self):
        if self.c:
            self.lib.PQfinish(self.c)
        self.c = None


def lsn(text):
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


class Cluster:
    """A private server by scripts/postgres.sh in directory `dir`."""
    SETTINGS = ("shared_buffers = 512MB", "max_wal_size = 16GB", "checkpoint_timeout = 30min", "autovacuum = off", "max_connections = 100")

    def __init__(self, dir):
        self.dir = dir
        env = dict(os.environ, PG_EXTRA="\n".join(self.SETTINGS), PG_BIN=PG_BIN)
        self.base = subprocess.run([ROOT + "/scripts/postgres.sh", "start", dir], env=env, check=True, stdout=subprocess.PIPE,
            text=True).stdout.strip()
        self.part = dict(x.split("=", 1) for x in self.base.split())
        self.env = dict(os.environ, PGHOST=self.part["host"], PGPORT=self.part["port"], PGUSER=self.part["user"],
            PGPASSWORD=self.part["password"])

    def dsn(self, db):
        return self.base.replace("dbname=postgres", "dbname=" + db)

    def connect(self, db="postgres"):
        return Pg(self.dsn(db))

    def create(self, db, *files):
        pg = self.connect()
        pg("CREATE DATABASE " + db)
        pg.close()
        for f in files:
            self.run("psql", "-Xqd", db, "-v", "ON_ERROR_STOP=1", "-f", os.path.join(ROOT, f))

    def run(self, program, *arguments, **more):
        more.setdefault("stdout", subprocess.DEVNULL)
        return subprocess.run([f"{PG_BIN}/{program}", *arguments], env=self.env, check=True, **more)

    def start(self, program, *arguments, **more):
        return subprocess.Popen([f"{PG_BIN}/{program}", *arguments], env=self.env, **more)

    def destroy(self):
        subprocess.run([ROOT + "/scripts/postgres.sh", "destroy", self.dir], check=False)


# ---- processes ----

def cpu_s(pid):
    """User and system time of a process, in 10 ms ticks; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            v = f.read().rsplit(") ", 1)[1].split()
    except OSError:
        return None
    return (int(v[11]) + int(v[12])) / TICK


def peak_mb(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) / 1024


def reset_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w") as f:
        f.write("5")


# ---- walmill ----

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Walmill:
    """`walmill up` on a data directory; its listeners get ports that were free a moment ago."""

    LISTENERS = ("connect", "jobs", "api", "console", "kafka")

    def __init__(self, data, source, target="", listeners=LISTENERS[:3]):
        self.data = data
        self.ports = {name: free_port() for name in listeners}
        # passwords go by the environment: a command line can be read by everybody
        self.env = dict(os.environ, WALMILL_SOURCE=source, WALMILL_TARGET=target)
        self.log = open(data + ".log", "ab")
        self.start()

    def start(self):
        address = {name: f"127.0.0.1:{self.ports[name]}" if name in self.ports else "" for name in self.LISTENERS}
        sets = [x for name in self.LISTENERS for x in ("--set", f"{name}.listen={address[name]}")]
        self.started = time.monotonic()
        self.p = subprocess.Popen([WALMILL, "up", "--data", self.data, *sets], env=self.env, stdout=self.log, stderr=self.log)
        self.pid = self.p.pid

    def http(self, method, listener, path, body=None):
        """(status, decoded body); status 0 when nobody listens."""
        c = http.client.HTTPConnection("127.0.0.1", self.ports[listener], timeout=30)
        try:
            c.request(method, path, body)
            r = c.getresponse()
            text = r.read().decode()
        except (ConnectionError, http.client.HTTPException):
            if self.p.poll() is not None:
                raise Failed(f"walmill ended with {self.p.returncode}: {self.tail()}") from None
            return 0, None
        finally:
            c.close()
        return r.status, json.loads(text) if text[:1] in ("{", "[") else text

    def must(self, method, listener, path, body=None):
        status, got = self.http(method, listener, path, body)
        if status // 100 != 2:
            raise Failed(f"{method} {path}: {status} {got}")
        return got

    def wait_ready(self, timeout_s=30):
        """Seconds from the start of the process to /readyz; asked seldom enough that asking takes no core from what starts."""
        wait_for(lambda: self.http("GET", "api", "/readyz")[0] == 200, "/readyz", timeout_s, 0.004)
        return time.monotonic() - self.started

    def connector(self, name):
        got = self.must("GET", "connect", f"/connectors/{name}/status")
        if got["tasks"] and got["tasks"][0]["state"] == "FAILED":
            raise Failed(f"connector {name}: {got['tasks'][0]['trace']}")
        return got["walmill"] | {"state": got["connector"]["state"]}

    def job(self, name):
        got = self.must("GET", "jobs", "/jobs/" + name)["walmill"]
        if got["state"] in ("FAILED", "DEGRADED"):
            raise Failed(f"job {name}: {got.get('error')} {got.get('detail', '')}")
        return got

    def tail(self):
        with open(self.data + ".log") as f:
            return " | ".join(f.read().splitlines()[-3:])

    def kill(self):
        self.p.send_signal(signal.SIGKILL)
        self.p.wait()

    def stop(self):
        if self.p.poll() is None:
            self.p.send_signal(signal.SIGTERM)
            try:
                self.p.wait(20)
            except subprocess.TimeoutExpired:
                print("walmill does not end; killed", file=sys.stderr)
                self.kill()
