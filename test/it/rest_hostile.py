#!/usr/bin/env python3
"""Bad input for the two REST faces: every route with bodies, methods, names and headers that are wrong. The answer must be a 4xx in the
family's own shape (or what a good request gets), the program must live, and nothing that was there may change.

Usage: rest_hostile.py WALMILL
"""
import json
import re
import socket
import sys
import urllib.parse

from restworld import ROOT, Postgres, Walmill, until

DEEP = b'{"config":' * 5000 + b"1" + b"}" * 5000
BODIES = {
    "empty": b"", "broken": b'{"name":', "trailing": b'{"name":"x"} x', "scalar": b"17", "text": b'"x"', "null": b"null", "list": b"[]",
    "nested lists": b"[" * 100000, "deep": DEEP, "not UTF-8": b'{"name":"\xff\xfe","config":{}}',
    "NUL": b'{"name":"a\\u0000b","config":{}}',
    "binary": bytes(range(256)) * 40, "unknown field": b'{"nosuch":1}', "name a number": b'{"name":1,"config":{}}',
    "config a list": b'{"name":"x","config":[]}', "config nested": b'{"name":"x","config":{"connector.class":{"a":[1]}}}',
    "values nested": b'{"connector.class":{"a":[1]}}', "offsets a number": b'{"offsets":1}',
    "offsets of numbers": b'{"offsets":[1,[2],null]}',
    "offsets empty entry": b'{"offsets":[{}]}', "offset a list": b'{"offsets":[{"partition":{"server":"h"},"offset":[1]}]}',
    "offset huge": b'{"offsets":[{"partition":{"server":"h"},"offset":{"lsn":99999999999999999999999}}]}', "level a number": b'{"level":7}',
    "long string": b'{"name":"' + b"n" * 300000 + b'","config":{"connector.class":"PostgresConnector"}}',
    "many keys": b'{"name":"x","config":{' + b",".join(b'"k%d":"v"' % i for i in range(20000)) + b"}}",
    "control characters": b'{"name":"a\\nb\\u0007","config":{"connector.class":"PostgresConnector"}}', "too large": b"x" * (9 << 20),
}
NAMES = ["nosuch", "..", "%2e%2e", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%5c..", "%00", "a%00b", "hostile%00", "real%00x", "%ff%fe",
         "%", "%zz", "a" * 5000,
         "<script>alert(1)</script>",         "%22%3E%3Cimg%20src=x%3E", "%0d%0aX-Evil:%201", "{}", "hostile/../hostile",
         "%F0%9F%A6%80", "'; DROP TABLE t; --"]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]


def routes(*files):
    """(method, pattern) of every row of the tables in the sources."""
    found = []
    for name in files:
        text = (ROOT / "src/api" / name).read_text(encoding="utf-8")
        text = text.replace('VERTEX "', '"/jobs/{}/vertices/{}').replace("VERTEX,", '"/jobs/{}/vertices/{}",')
        found += re.findall(r'\{"(GET|POST|PUT|PATCH|DELETE)", "([^"]+)", \w+, (?:true|false)\}', text)
    assert len(found) > 25, found
    return found


def send(port, data, read=True):
    """Raw bytes; the answer's first bytes, b"" when the connection was closed."""
    with socket.create_connection(("127.0.0.1", int(port)), timeout=3) as s:
        try:
            s.sendall(data)
            return s.recv(65536) if read else b""
        except (ConnectionResetError, BrokenPipeError):
            return b""
        except TimeoutError:
            # it waits for the rest of a request; there is none
            s.shutdown(socket.SHUT_WR)
            return s.recv(65536)


class Hostile:
    def __init__(self, walmill, face):
        self.w, self.face, self.failed, self.sent = walmill, face, [], 0

    def is_family(self, text):
        try:
            body = json.loads(text)
        except ValueError:
            return False
        if self.face == "jobs":
            return (isinstance(body, dict) and isinstance(body.get("errors"), list) and all(isinstance(e,
                                                                                                       str) for e in body["errors"])) or \
                "error_code" in body   # what the server itself refuses, and topics
        return isinstance(body, dict) and isinstance(body.get("error_code"), int) and isinstance(body.get("message"), str)

    def check(self, what, method, path, body=None, ctype="application/json", good=()):
        self.sent += 1
        try:
            status, headers, text = self.w.call(self.face, method, path, body, ctype)
        except Exception as e:  # noqa: BLE001  a closed connection is an answer, a dead program is not
            self.w.call(self.face, "GET", "/overview" if self.face == "jobs" else "/")
            if body is None or len(body) < 1 << 20:
                self.failed.append(f"{what}: {method} {path[:80]}: {e}")
            return
        if status in good:
            return
        if not 400 <= status < 500:
            self.failed.append(f"{what}: {method} {path[:80]}: {status} {text[:200]}")
        elif method != "HEAD" and not self.is_family(text):
            self.failed.append(f"{what}: {method} {path[:80]}: {status}, not the family's shape: {text[:200]}")
        elif re.search(r"\.c:\d+|0x[0-9a-f]{6}|Exception:|\bat org\.", text):
            self.failed.append(f"{what}: {method} {path[:80]}: shows the inside: {text[:200]}")
        elif "X-Evil" in headers:
            self.failed.append(f"{what}: {path[:80]}: a header was smuggled in")

    def run(self, table):
        for method, pattern in table:
            plain = pattern.replace("{}", "nosuch")
            # bodies: only where one is taken may a body decide anything
            for name, body in BODIES.items():
                self.check(name, method, plain, body, good=(200, 202) if method == "GET" or plain.endswith("topics/reset") else ())
            self.check("text/plain", method, plain, b"{}", "text/plain", good=(200, 202) if method == "GET" or "reset" in plain else ())
            for name in NAMES if "{}" in pattern else []:
                quoted = urllib.parse.quote(name, safe="%/'<>{}()=;.-")
                self.check("name", method, pattern.replace("{}", quoted), b"{}" if method in ("POST", "PUT", "PATCH") else None,
                           good=(200, 202) if "topics" in pattern else ())
        for path in sorted({p for _, p in table}):
            own = {m for m, p in table if p == path}
            for method in METHODS:
                if method not in own and not (method == "HEAD" and "GET" in own):
                    # a worker tells what a path can do
                    self.check("method", method, path.replace("{}", "nosuch"),
                               good=(200,) if method == "OPTIONS" and self.face == "connect" else ())
        for path in ("/%2e%2e/%2e%2e/etc/passwd", "//", "/connectors//status", "/jobs//plan", "/." * 200, "/" + "x/" * 500,
                     "/connectors/a/b/c/d/e/f/g/h/i"):
            self.check("path", "GET", path, good=(200,))
        for query in ("?expand=" + "x" * 3000, "?maxExceptions=-1", "?maxExceptions=99999999999999999999",
                      "?get=" + "numRecordsIn," * 200, "?a=b&a&&=&%"):
            for path in ("/connectors", "/jobs/real/exceptions", "/jobs/real/metrics", "/jobs/overview"):
                self.check("query", "GET", path + query, good=(200,))

    def frames(self):
        """What the HTTP parser itself must refuse: any 4xx, or a close."""
        port = self.w.ports[self.face]
        post = b"POST /connectors HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        for name, data in {
            "CL and TE": post + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "two lengths": post + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}   ",
            "negative length": post + b"Content-Length: -1\r\n\r\n{}",
            "no number": post + b"Content-Length: five\r\n\r\n{}",
            "bad chunk": post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            "other host": b"GET /connectors HTTP/1.1\r\nHost: evil.example\r\n\r\n",
            "other origin": post + b"Origin: http://evil.example\r\nContent-Length: 2\r\n\r\n{}",
            "no request": b"\x00\x01\x02\x03\r\n\r\n",
            "endless header": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 200000 + b"\r\n\r\n",
        }.items():
            self.sent += 1
            got = send(port, data)
            if got and not re.match(rb"HTTP/1\.[01] 4\d\d ", got):
                self.failed.append(f"{name}: {got[:200]}")
        # a body that never comes must not keep others waiting
        with socket.create_connection(("127.0.0.1", int(port))) as slow:
            slow.sendall(post + b"Content-Length: 1000\r\n\r\n{")
            assert self.w.call(self.face, "GET", "/jobs/overview" if self.face == "jobs" else "/connectors")[0] == 200


def main():
    postgres = Postgres()
    walmill = None
    try:
        postgres.sql("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE n (n bigint NOT NULL); INSERT INTO t VALUES (1, '<b>')")
        walmill = Walmill(sys.argv[1], "--source", postgres.dsn(), "--target", postgres.dsn())
        config = {"connector.class": "PostgresConnector", "topic.prefix": "h", "slot.name": "hostile",
                  "publication.autocreate.mode": "filtered",
                  "table.include.list": "public.t"}
        assert walmill.call("connect", "POST", "/connectors", {"name": "hostile", "config": config})[0] == 201
        until(lambda: walmill.state("hostile") == "RUNNING", "the connector runs")
        assert walmill.call("jobs", "POST", "/jobs?name=real", b"INSERT INTO public.n (n) SELECT count(*) FROM public.t;",
                            "text/plain")[0] == 202
        until(lambda: postgres.sql("SELECT n FROM n") == "1", "the job runs")
        failed = []
        body = json.dumps({"name": "x", "config": {**config, "slot.name": "other", "topic.prefix": "x", "note": "MARK"}}).encode()
        status, _, text = walmill.call("connect", "POST", "/connectors", body.replace(b"MARK", b"\xff\xfe"))
        assert status == 400 and "UTF-8" in text, text
        # a refusal that shows the configuration does not show what is secret
        status, _, text = walmill.call("connect", "POST", "/connectors",
                                       {"name": "x", "config": {"database.password": "hunter2", "a": "b"}})
        assert status == 400 and "{database.password=[hidden], a=b, name=x}" in text, text
        # names that are text, but of which files, notes and topics could not be named
        for name in ("n" * 171, "é" * 90, "_" * 60, "a\x7fb", "/" * 57):
            status, _, text = walmill.call("connect", "POST", "/connectors", {"name": name, "config": {**config, "slot.name": "other"}})
            assert status == 400 and "error_code" in text, f"{name}: {status} {text}"
            quoted = urllib.parse.quote(name, safe="")
            status, _, text = walmill.call("jobs", "POST", "/jobs?name=" + quoted, b"SELECT 1", "text/plain")
            assert status == 400 and "errors" in text, f"{name}: {status} {text}"
        for face, files in (("connect", ["connect.c"]), ("jobs", ["jobs.c"])):
            h = Hostile(walmill, face)
            h.run(routes(*files))
            h.frames()
            failed += h.failed
            print(face, h.sent, "requests", flush=True)
        # what was there is as it was, and goes on
        assert json.loads(walmill.call("connect", "GET", "/connectors")[2]) == ["hostile"]
        assert [j["name"] for j in json.loads(walmill.call("jobs", "GET", "/jobs/overview")[2])["jobs"]] == ["real"]
        postgres.sql("INSERT INTO t VALUES (2)")
        until(lambda: postgres.sql("SELECT n FROM n") == "2", "the job goes on")
        resident = int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{walmill.process.pid}/status", encoding="utf-8").read())[1]) // 1024
        print("resident", resident, "MiB")
        print("\n".join(failed[:40]), f"\n{len(failed)} failed" if failed else "ok")
        sys.exit(1 if failed else 0)
    finally:
        if walmill:
            walmill.close()
        postgres.close()


if __name__ == "__main__":
    main()
