#!/usr/bin/env python3
"""Connect's REST as clients other than curl speak to it: requests byte by byte, and the flows of operators, providers and libraries.

Usage: rest_clients.py WALMILL
       rest_clients.py --worker PORT    the same expectations of a real worker (scripts/peers.sh start DIR kafka connect)
What stands in RAW is what a worker of Kafka 3.9 with Debezium 3.2 answers; where walmill means to differ, OURS says so and why.
"""
import http.client
import json
import re
import socket
import sys

from restworld import Postgres, Walmill, until

CLOSE = "Connection: close"
JSON = "Content-Type: application/json"
CONFIG = {"connector.class": "io.debezium.connector.postgresql.PostgresConnector", "database.hostname": "127.0.0.1",
          "database.user": "postgres", "database.password": "x", "database.dbname": "postgres", "topic.prefix": "cl", "slot.name": "cl",
          "publication.name": "cl", "publication.autocreate.mode": "filtered", "plugin.name": "pgoutput", "table.include.list": "public.t"}
C = "/connectors/clients"
VALIDATE = "/connector-plugins/PostgresConnector/config/validate"
NO_PATH, NO_METHOD = (404, '"message":"HTTP 404 Not Found"'), (405, '"message":"HTTP 405 Method Not Allowed"')

# what, request line and headers, body, (status, regular expression for headers and body)
RAW = [
    ("any type will do", ["GET /connectors", "Accept: */*"], "", (200, r'\["clients"\]')),
    ("a browser", ["GET /connectors", "Accept: text/html,application/xhtml+xml,*/*;q=0.8"], "", (200, "Content-Type: application/json\r")),
    ("a slash behind", [f"GET {C}/status/"], "", (200, '"state":"PAUSED"')),
    ("a slash behind the list", ["GET /connectors/"], "", (200, r'\["clients"\]')),
    ("two slashes", ["GET //connectors"], "", NO_PATH),
    ("two slashes within", ["GET /connectors//clients"], "", NO_PATH),
    ("upper case", ["GET /Connectors"], "", NO_PATH),
    ("encoded letters", ["GET /connectors/%63lients/config"], "", (200, '"slot.name":"cl"')),
    ("an encoded slash", ["GET /connectors/a%2Fb"], "", (404, "Connector a/b not found")),
    ("an encoded space", ["GET /connectors/a%20b/status"], "", (404, "No status found for connector a b")),
    ("a plus is a plus", ["GET /connectors/a+b/config"], "", (404, r"Connector a\+b not found")),
    ("a whole URL", ["GET http://@HOST@/connectors"], "", (200, r'\["clients"\]')),
    ("a whole URL with a query", ["GET http://@HOST@/connectors?expand=status"], "", (200, '"clients":{"status":{')),
    ("HEAD", [f"HEAD {C}/status"], "", (200, "Content-Length: [1-9][0-9]+\r\n(.*\r\n)?\r\n$")),
    ("HEAD of what is not there", ["HEAD /connectors/nosuch"], "", (404, "\r\n\r\n$")),
    ("OPTIONS", ["OPTIONS /connectors"], "", (200, "Content-Type: text/plain\r.*\r\n\r\n.*POST")),
    ("OPTIONS of one", [f"OPTIONS {C}/config"], "", (200, "Allow: [A-Z, ]*PATCH[A-Z, ]*\r")),
    ("OPTIONS of what is not there", ["OPTIONS /nosuch"], "", NO_PATH),
    ("OPTIONS of everything", ["OPTIONS *"], "", NO_PATH),
    ("another method", [f"GET {C}/pause"], "", NO_METHOD),
    ("TRACE", ["TRACE /"], "", NO_METHOD),
    ("a type and its letters", [f"PATCH {C}/config", "Content-Type: application/json; charset=UTF-8"], "{}", (200, '"name":"clients"')),
    ("a type in capitals", [f"PATCH {C}/config", "Content-Type: Application/JSON;charset=utf-8"], "{}", (200, '"name":"clients"')),
    ("another type", [f"PATCH {C}/config", "Content-Type: application/merge-patch+json"], "{}", (415, "HTTP 415 Unsupported Media Type")),
    ("a type that begins alike", [f"PATCH {C}/config", "Content-Type: application/jsonx"], "{}", (415, "HTTP 415 Unsupported Media Type")),
    ("100-continue", [f"PATCH {C}/config", JSON, "Expect: 100-continue"], "{}", (200, '"name":"clients"')),
    ("in chunks", [f"PATCH {C}/config", JSON, "Transfer-Encoding: chunked"], "2\r\n{}\r\n0\r\n\r\n", (200, '"name":"clients"')),
    ("a body where none is meant", ["GET /connectors", JSON], "{}", (200, r'\["clients"\]')),
    ("a verb with an empty object", [f"PUT {C}/pause", JSON], "{}", (202, "\r\n\r\n$")),
    ("a null in the configuration", [f"PUT {C}/config", JSON], '{"connector.class":null}',
     (400, r"Connector config {connector.class=null, name=clients} contains no connector type")),
    ("Python's True", [f"POST {C}/restart?includeTasks=True&onlyFailed=False"], "", (202, '"state":"RESTARTING".*"tasks":')),
    ("capitals", [f"POST {C}/restart?includeTasks=TRUE"], "", (202, '"state":"RESTARTING"')),
    ("a flag without a value", [f"POST {C}/restart?includeTasks"], "", (204, "\r\n\r\n$")),
    ("a flag of another word", [f"POST {C}/restart?includeTasks=yes"], "", (204, "\r\n\r\n$")),
    ("all plugins", ["GET /connector-plugins?connectorsOnly=False"], "", (200, "RegexRouter")),
    ("all plugins by any other word", ["GET /connector-plugins?connectorsOnly=no"], "", (200, "RegexRouter")),
    ("no word is the preset", ["GET /connector-plugins?connectorsOnly="], "", (200, "PostgresConnector.{0,60}\\]")),
    ("what a router can be told", ["GET /connector-plugins/RegexRouter/config"], "",
     (200, '{"name":"regex","type":"STRING","required":true,"default_value":null,"importance":"HIGH","documentation":".{8,90}",'
           '"group":null,"width":"NONE","display_name":"[Rr]egex","dependents":\\[\\],"order":-1},{"name":"replacement","type":"STRING",')),
    ("and the converter", ["GET /connector-plugins/org.apache.kafka.connect.json.JsonConverter/config"], "",
     (200, '{"name":"schemas.enable","type":"BOOLEAN","required":false,"default_value":"true","importance":"HIGH",'
           '"documentation":".{8,300}","group":"Schemas","width":"MEDIUM","display_name":"[^"]*","dependents":\\[\\],"order":0}')),
    ("and Debezium's", ["GET /connector-plugins/io.debezium.transforms.ExtractNewRecordState/config"], "",
     (200, '"name":"delete.tombstone.handling.mode","type":"STRING","required":false,"default_value":"tombstone","importance":"MEDIUM",')),
    ("and its router", ["GET /connector-plugins/ByLogicalTableRouter/config"], "",
     (200, '"name":"key.enforce.uniqueness","type":"BOOLEAN","required":false,"default_value":"true","importance":"LOW",')),
    ("a plugin that nobody has", ["GET /connector-plugins/NoRouter/config"], "", (404, "Unknown plugin NoRouter.")),
    ("expanding to nothing known", ["GET /connectors?expand=status,info"], "", (200, '{"clients":{}}')),
    ("a task of another number", [f"GET {C}/tasks/07/status"], "", (404, "No status found for task clients-7\"")),
    ("a task below 0", [f"GET {C}/tasks/-1/status"], "", (404, "No status found for task clients--1\"")),
    ("a task that is no number", [f"GET {C}/tasks/x/status"], "", NO_PATH),
    ("a logger below one", ["PUT /admin/loggers/io.debezium.connector.postgresql", JSON], '{"level":"INFO"}',
     (200, r'\["io.debezium.connector.postgresql[",]')),
    ("and its level", ["GET /admin/loggers/io.debezium.connector.postgresql"], "", (200, '{"level":"INFO","last_modified":(null|[0-9]+)}')),
    ("a logger above", ["PUT /admin/loggers/org.apache.kafka", JSON], '{"level":"INFO","extra":1}', (200, r'\["org.apache.kafka[",]')),
    ("another's logger", ["PUT /admin/loggers/org.reflections", JSON], '{"level":"ERROR"}', (200, r'\["org.reflections"')),
    ("the whole cluster's", ["PUT /admin/loggers/org.reflections?scope=Cluster", JSON], '{"level":"ERROR"}', (204, "\r\n\r\n$")),
    ("one class quieter", ["PUT /admin/loggers/io.debezium.connector.common", JSON], '{"level":"ERROR"}',
     (200, r'\["io.debezium.connector.common[",]')),
    ("is not all quieter", ["GET /admin/loggers/root"], "", (200, '{"level":"INFO"')),
    ("no level", ["PUT /admin/loggers/org.reflections", JSON], "{}", (400, "Desired 'level' parameter was not specified in request.")),
    ("what one worker asks another", [f"PUT {C}/fence", JSON], "[]", (400, "missing required signature")),
    ("types that are not there", ["GET /connectors", "Accept: application/xml"], "", (406, "HTTP 406 Not Acceptable")),
    ("no type", [f"PATCH {C}/config"], "{}", (415, "HTTP 415 Unsupported Media Type")),
    ("a verb with a type", [f"PUT {C}/pause", "Content-Type: text/plain"], "x", (415, "HTTP 415 Unsupported Media Type")),
    ("what cannot be decoded", ["GET /connectors/%zz"], "", (400, "")),
    ("a whole URL of elsewhere", ["GET http://elsewhere:1/connectors"], "", (200, r'\["clients"\]')),
    ("a parameter of a path", [f"GET {C}/config;a=b"], "", (200, '"slot.name"')),
]
OURS = {
    "what one worker asks another": (NO_PATH, "there is one worker"),
    "types that are not there": ((200, r'\["clients"\]'), "all is JSON; who asks for something else is better served than refused"),
    "no type": ((200, '"name":"clients"'), "a body whose type is not said is taken for JSON"),
    "a verb with a type": ((202, ""), "a verb looks at no body, so at no type either"),
    "what cannot be decoded": ((404, "Connector %zz not found"), "it stays as it is and names nothing"),
    "a whole URL of elsewhere": (NO_PATH, "the Host is what was judged, for requests of foreign pages"),
    "a parameter of a path": (NO_PATH, "nobody has been seen to use them"),
}


class Face:
    """A Connect listener: walmill's or a worker's."""

    def __init__(self, port):
        self.port = int(port)

    def raw(self, data):
        """Everything that comes until the other side closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=120) as s:
            s.sendall(data)
            got = b""
            while chunk := s.recv(65536):
                got += chunk
        return got.decode("utf-8")

    def request(self, lines, body, version="1.1", last=True):
        head = [f"{lines[0]} HTTP/{version}", f"Host: 127.0.0.1:{self.port}", *lines[1:]]
        if body and not any(line.startswith("Transfer-Encoding") for line in lines):
            head.append(f"Content-Length: {len(body)}")
        if last and version == "1.1":
            head.append(CLOSE)
        return "\r\n".join([*head, "", body]).replace("@HOST@", f"127.0.0.1:{self.port}").encode()

    def call(self, connection, method, path, body=None):
        """Over a connection that is kept; (status, what the JSON says)."""
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json", "Accept": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer.status, json.loads(text) if text else None


def bytewise(face, walmill):
    failed = 0
    for what, lines, body, expected in RAW:
        if walmill and what in OURS:
            expected = OURS[what][0]
        got = face.raw(face.request(lines, body))
        got = re.sub(r"^HTTP/1.1 100 Continue\r\n\r\n", "", got)
        status = int(got.split(" ")[1])
        if status != expected[0] or not re.search(expected[1], got, re.S):
            print(f"{what}: {lines[0]}\n    expected {expected}\n    got {got[:600]!r}")
            failed += 1
    assert not failed, f"{failed} differ"


def connections(face, walmill):
    """HTTP/1.0, kept connections, requests behind each other without waiting."""
    list_ = ["GET /connectors"]
    assert face.raw(face.request(list_, "", "1.0")).startswith("HTTP/1.1 200 OK\r\n")
    assert '["clients"]' in face.raw(b"GET /connectors HTTP/1.0\r\n\r\n")
    kept = face.raw(face.request([*list_, "Connection: keep-alive"], "", "1.0") + face.request(list_, "", "1.0"))
    assert kept.count('["clients"]') == 2 and re.search("Connection: keep-alive", kept, re.I), kept
    piped = face.raw(face.request([f"GET {C}/status"], "", last=False) + face.request([f"PATCH {C}/config", JSON], "{}", last=False) +
                     face.request(["PUT /connectors", JSON], "{}", last=False) + face.request(["GET /connectors/nosuch"], ""))
    assert re.findall(r"HTTP/1.1 (\d+)", piped) == ["200", "200", "405", "404"], piped
    # by another name than localhost: a worker takes any; walmill says what to use instead
    named = face.raw(b"GET /connectors HTTP/1.1\r\nHost: connect:8083\r\nConnection: close\r\n\r\n")
    assert ("use this machine's address" in named and " 403 " in named) if walmill else " 200 " in named, named
    # who waits for the go-ahead gets it before the body is sent
    with socket.create_connection(("127.0.0.1", face.port), timeout=120) as s:
        head, _, body = face.request([f"PATCH {C}/config", JSON, "Expect: 100-continue"], "{}").partition(b"\r\n\r\n")
        s.sendall(head + b"\r\n\r\n")
        assert s.recv(25).startswith(b"HTTP/1.1 100")
        s.sendall(body)
        assert b" 200 " in s.recv(65536)


def until_running(face, c):
    def running():
        status, answer = face.call(c, "GET", f"{C}/status")
        return status == 200 and [answer["connector"]["state"], *[t["state"] for t in answer["tasks"]]] == ["RUNNING", "RUNNING"]

    until(running, "running", 120)


def provider(face, config):
    """What a declarative provider or operator does: look, make by PUT, look again, change, restart what failed, take away."""
    c = http.client.HTTPConnection("127.0.0.1", face.port, timeout=120)
    assert face.call(c, "GET", f"{C}/config")[0] == 404
    status, report = face.call(c, "PUT", VALIDATE, {**config, "name": "clients"})
    assert (status, report["error_count"]) == (200, 0), report
    status, answer = face.call(c, "PUT", f"{C}/config", config)
    assert status == 201 and answer["config"] == {**config, "name": "clients"} and answer["type"] == "source", answer
    until_running(face, c)
    assert face.call(c, "GET", f"{C}/config") == (200, {**config, "name": "clients"})
    status, answer = face.call(c, "POST", "/connectors", {"name": "clients", "config": config})
    assert (status, answer) == (409, {"error_code": 409, "message": "Connector clients already exists"}), answer
    changed = {**config, "heartbeat.interval.ms": "0"}
    status, answer = face.call(c, "PUT", f"{C}/config", changed)
    assert status == 200 and answer["config"] == {**changed, "name": "clients"}, answer
    until_running(face, c)
    status, listed = face.call(c, "GET", "/connectors?expand=status&expand=info")
    assert status == 200 and listed["clients"]["info"]["config"] == {**changed, "name": "clients"}
    assert [t["id"] for t in listed["clients"]["status"]["tasks"]] == [0]
    status, answer = face.call(c, "POST", f"{C}/restart?includeTasks=true&onlyFailed=true")
    assert (status, answer["connector"]["state"], answer["tasks"][0]["state"]) == (202, "RUNNING", "RUNNING"), answer
    status, answer = face.call(c, "GET", f"{C}/tasks-config")
    assert status == 200 and answer["clients-0"]["slot.name"] == "cl" and answer["clients-0"]["task.class"], answer
    assert face.call(c, "PUT", f"{C}/pause") == (202, None)

    def paused():
        answer = face.call(c, "GET", f"{C}/status")[1]
        return [answer["connector"]["state"], *[t["state"] for t in answer["tasks"]]] == ["PAUSED", "PAUSED"]

    until(paused, "paused")


def take_away(face):
    c = http.client.HTTPConnection("127.0.0.1", face.port, timeout=120)
    assert face.call(c, "PUT", f"{C}/stop") == (204, None)
    until(lambda: face.call(c, "GET", f"{C}/status")[1]["connector"]["state"] == "STOPPED", "stopped")

    def reset():
        """A worker refuses while the tasks are still ending, with a sentence of its own."""
        status, answer = face.call(c, "DELETE", f"{C}/offsets")
        return status == 200 and "reset successfully" in answer["message"]

    until(reset, "the offsets are reset")
    assert face.call(c, "GET", f"{C}/offsets") == (200, {"offsets": []})
    assert face.call(c, "DELETE", C) == (204, None)
    until(lambda: face.call(c, "GET", f"{C}/config")[0] == 404, "gone")
    assert face.call(c, "DELETE", C) == (404, {"error_code": 404, "message": "Connector clients not found"})


def main():
    pg, walmill = Postgres(), None
    try:
        pg.sql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')")
        if sys.argv[1] != "--worker":
            walmill = Walmill(sys.argv[1])
        face = Face(walmill.ports["connect"] if walmill else sys.argv[2])
        # what a run that failed has left with a worker: its offsets are another server's
        if '"clients"' in face.raw(face.request(["GET /connectors"], "")):
            take_away(face)
        provider(face, {**CONFIG, "database.port": pg.port})
        bytewise(face, walmill)
        connections(face, walmill)
        take_away(face)
        print("ok")
    finally:
        if walmill:
            walmill.close()
        pg.close()


if __name__ == "__main__":
    main()
