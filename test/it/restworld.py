"""What the tests of REST faces share: a throwaway PostgreSQL with role postgres and no passwords, a walmill, and HTTP."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PG_BIN = os.environ.get("PG_BIN", "/usr/lib/postgresql/15/bin")


def as_owner(command):
    """PostgreSQL refuses to run as root."""
    if os.getuid() == 0:
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--", *command]
    return list(command)


class Postgres:
    """A cluster in a directory of its own, on a free port of loopback."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="walmill-rest-pg-")
        os.chmod(self.dir, 0o777)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = str(s.getsockname()[1])
        data = self.dir + "/data"
        subprocess.run(as_owner([PG_BIN + "/initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                                 "--no-sync"]), check=True, capture_output=True, cwd="/")
        self.begin()

    def begin(self):
        with open(self.dir + "/log", "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                as_owner([PG_BIN + "/postgres", "-D", self.dir + "/data", "-p", self.port, "-c", "listen_addresses=127.0.0.1",
                          "-c", "unix_socket_directories=", "-c", "wal_level=logical", "-c", "max_replication_slots=30",
                          "-c", "max_wal_senders=30", "-c", "timezone=UTC", "-c", "fsync=off"]), stdout=log, stderr=log, cwd="/")
        ready = [PG_BIN + "/pg_isready", "-q", "-h", "127.0.0.1", "-p", self.port]
        until(lambda: subprocess.run(ready, check=False).returncode == 0, "PostgreSQL")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=60)

    def restart(self):
        self.stop()
        self.begin()

    def sql(self, text=None, db="postgres", file=None):
        how = ["-f", str(file)] if file else ["-c", text]
        done = subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres",
                               "-d", db, *how], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def dsn(self, db="postgres"):
        return f"host=127.0.0.1 port={self.port} user=postgres dbname={db}"

    def close(self):
        if self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


class Walmill:
    """An instance with ports of the system's choice and a data directory of its own."""

    def __init__(self, program, *options):
        self.program, self.options = program, list(options)
        self.dir = tempfile.mkdtemp(prefix="walmill-rest-")
        self.process = None
        self.start()

    def start(self):
        command = [self.program, "up", "--data", self.dir + "/data", "--set", "log.reserve_bytes=16MiB", *self.options]
        for listener in ("kafka", "connect", "jobs", "api", "console"):
            command += ["--set", listener + ".listen=127.0.0.1:0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.ports = dict(re.findall(r"(\w+)=(\d+)", line))
        assert "connect" in self.ports, "walmill did not start: " + line

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(timeout=60)
        assert how == signal.SIGKILL or code == 0, f"walmill ended with {code}"

    def close(self):
        if self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def call(self, face, method, path, body=None, ctype="application/json", timeout=120):
        """(status, headers, text); body: bytes, or anything that becomes JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {} if data is None or ctype is None else {"Content-Type": ctype}
        req = urllib.request.Request(f"http://127.0.0.1:{self.ports[face]}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(req, timeout=timeout) as r:
                return r.status, r.headers, r.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.headers, e.read().decode()

    def state(self, name):
        """The connector's state when its tasks are of the same, else None."""
        status, _, text = self.call("connect", "GET", f"/connectors/{name}/status")
        if status != 200:
            return None
        got = json.loads(text)
        state = got["connector"]["state"]
        return state if all(t["state"] == state for t in got["tasks"]) and (got["tasks"] or state == "STOPPED") else None

    def step(self, name):
        return json.loads(self.call("connect", "GET", f"/connectors/{name}/status")[2]).get("walmill", {}).get("step")


def until(true, what, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.05)
