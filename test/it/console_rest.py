#!/usr/bin/env python3
"""The console's REST over topics that Kafka clients write and groups that read them.

Usage: console_rest.py WALMILL
Prints one line a case; exits 1 when one failed.
"""
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from kafka_clients import Walmill, kcat
from restworld import until


class Console(Walmill):
    def get(self, path, status=200, method="GET", **query):
        url = f"http://127.0.0.1:{self.console}{path}" + ("?" + urllib.parse.urlencode(query) if query else "")
        request = urllib.request.Request(url, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                got, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            got, body = error.code, error.read()
        assert got == status, f"{method} {url}: {got} {body[:300]}"
        parsed = json.loads(body)
        if status >= 400:
            assert parsed["status"] == status and parsed["title"] and parsed["detail"] and parsed["requestId"], parsed
        return parsed

    def pages(self, topic, **query):
        """All messages, page after page, and how many pages that took."""
        messages, pages = [], 0
        while True:
            page = self.get(f"/api/topics/{topic}/messages", **query)
            pages += 1
            messages += page["messages"]
            assert len(page["messages"]) <= query.get("limit", 50)
            if not page["next"] or not page["more"]:
                return messages, pages
            query["cursor"] = page["next"]
            assert pages < 1000


def produce_three_partitions(walmill, topic, n):
    for partition in range(3):
        kcat(walmill, "-P", "-t", topic, "-p", str(partition), "-K:",
             text="".join(f"k{i}:{partition}/{i}\n" for i in range(n)))


def places(messages):
    return [(m["partition"], m["offset"]) for m in messages]


def pages_show_every_record_once(w):
    produce_three_partitions(w, "paged", 101)
    everything = sorted((p, o) for p in range(3) for o in range(101))
    for query in ({}, {"from": "oldest"}, {"from": "offset", "offset": 0}, {"from": "time", "timestamp": 1}):
        for limit in (1, 7, 500):
            messages, _ = w.pages("paged", limit=limit, **query)
            assert sorted(places(messages)) == everything, (query, limit, len(messages))
            for partition in range(3):
                offsets = [m["offset"] for m in messages if m["partition"] == partition]
                assert offsets == sorted(offsets, reverse=not query), (query, limit)
    first = w.get("/api/topics/paged/messages", limit=3)["messages"]
    assert [m["timestamp"] for m in first] == sorted((m["timestamp"] for m in first), reverse=True)
    assert first[0]["key"] == "k100" and first[0]["value"].endswith("/100"), first[0]
    messages, _ = w.pages("paged", limit=10, partition=1)
    assert places(messages) == [(1, o) for o in reversed(range(101))]
    messages, _ = w.pages("paged", limit=10, **{"from": "offset", "offset": 95})
    assert sorted(places(messages)) == [(p, o) for p in range(3) for o in range(95, 101)]


def a_filter_finds_what_contains_it(w):
    produce_three_partitions(w, "filtered", 3000)
    for query in ({}, {"from": "oldest"}):
        messages, _ = w.pages("filtered", limit=20, query="2/2", **query)
        want = [(2, i) for i in range(3000) if f"2/{i}".startswith("2/2")]
        assert sorted(places(messages)) == want, len(messages)
        messages, _ = w.pages("filtered", limit=20, query="k1234", **query)
        assert sorted(places(messages)) == [(p, 1234) for p in range(3)]


def a_forward_cursor_waits_for_more(w):
    kcat(w, "-L", "-t", "empty")
    assert w.get("/api/topics/empty/messages")["messages"] == [] == w.get("/api/topics/empty/messages", **{"from": "oldest"})["messages"]
    kcat(w, "-P", "-t", "tail", "-p", "0", text="a\nb\n")
    page = w.get("/api/topics/tail/messages", **{"from": "oldest"})
    assert [m["value"] for m in page["messages"]] == ["a", "b"] and page["more"] is False
    kcat(w, "-P", "-t", "tail", "-p", "0", text="c\n")
    page = w.get("/api/topics/tail/messages", cursor=page["next"])
    assert [m["value"] for m in page["messages"]] == ["c"], page
    # asked to wait, it answers when something comes, not before and not at the end of the time
    got = []
    waiting = threading.Thread(target=lambda: got.append(w.get("/api/topics/tail/messages", cursor=page["next"], wait=30000, query="z")))
    waiting.start()
    kcat(w, "-P", "-t", "tail", "-p", "0", text="d\n")
    kcat(w, "-P", "-t", "empty", "-p", "0", text="z\n")
    waiting.join(1)
    assert waiting.is_alive() and not got, got
    kcat(w, "-P", "-t", "tail", "-p", "0", text="ez\n")
    waiting.join(20)
    assert [m["value"] for m in got[0]["messages"]] == ["ez"] and got[0]["more"] is False, got
    began = time.monotonic()
    page = w.get("/api/topics/tail/messages", cursor=got[0]["next"], wait=200)
    assert page["messages"] == [] and time.monotonic() - began >= 0.2, page
    assert w.get("/api/topics/tail/messages", wait=30000)["messages"][0]["value"] == "ez"     # from the newest there is nothing to wait for


def who_waits_and_goes_gives_his_place_back(w):
    kcat(w, "-P", "-t", "quiet", "-p", "0", text="a\n")
    cursor = w.get("/api/topics/quiet/messages", **{"from": "oldest"})["next"]
    path = "/api/topics/quiet/messages?" + urllib.parse.urlencode({"wait": 30000, "cursor": cursor})

    def threads():
        with open(f"/proc/{w.process.pid}/status", encoding="ascii") as f:
            return int(f.read().split("Threads:")[1].split()[0])

    before, sockets = threads(), [socket.create_connection(("127.0.0.1", int(w.console)), timeout=20) for _ in range(100)]
    for s in sockets:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{w.console}\r\n\r\n".encode())
    until(lambda: threads() > before + 90, "each has a thread that waits", 20)    # one of before may have ended meanwhile
    for s in sockets:
        s.close()
    until(lambda: threads() < before + 20, "those who have gone are not waited for", 15)


def any_bytes_are_shown(w):
    subprocess.run(["kcat", "-q", "-b", w.address, "-P", "-t", "bytes", "-p", "0", "-D", "|", "-H", "h=é"],
                   input=b"\xff\x00\x01|<script>\"\\|" + b"x" * 100000, check=True, timeout=30)
    newest, middle, oldest = w.get("/api/topics/bytes/messages")["messages"]
    assert oldest["value"] == {"base64": "/wAB"} and oldest["key"] is None and oldest["valueSize"] == 3, oldest
    assert middle["value"] == "<script>\"\\" and middle["headers"] == [{"key": "h", "value": "é"}], middle
    assert newest["truncated"] and len(newest["value"]) == 65536 and newest["valueSize"] == 100000
    newest = w.get("/api/topics/bytes/messages", limit=1, full="true")["messages"][0]
    assert len(newest["value"]) == 100000 and not newest["truncated"]


def large_values_do_not_hide_the_newest(w):
    kcat(w, "-P", "-t", "large", "-p", "0", "-X", "message.max.bytes=1000000",
         text="".join(f"{i}:" + "y" * 600000 + "\n" for i in range(30)))
    page = w.get("/api/topics/large/messages", full="true", limit=50)
    assert page["messages"][0]["offset"] == 29 and page["next"], len(page["messages"])
    messages, pages = w.pages("large", full="true", limit=50)
    assert places(messages) == [(0, o) for o in reversed(range(30))] and pages > 2


def compressed_records_are_read(w):
    for codec in ("gzip", "snappy", "lz4", "zstd"):
        kcat(w, "-P", "-t", "packed", "-p", "0", "-z", codec, text="".join(f"{codec} {i}\n" for i in range(50)))
    messages, _ = w.pages("packed", limit=30, **{"from": "oldest"})
    assert [m["value"] for m in messages] == [f"{c} {i}" for c in ("gzip", "snappy", "lz4", "zstd") for i in range(50)]


def topics_say_what_they_hold(w):
    produce_three_partitions(w, "held", 101)
    row = next(t for t in w.get("/api/topics") if t["name"] == "held")
    assert row["records"] == 303 and row["partitions"] == 3 and not row["internal"], row
    # the rate is that of the last seconds: one record after the other until it shows
    written, deadline = 101, time.monotonic() + 20
    while next(t for t in w.get("/api/topics") if t["name"] == "held")["eventsPerSecond"] == 0:
        assert time.monotonic() < deadline, row
        kcat(w, "-P", "-t", "held", "-p", "0", text="again\n")
        written += 1
    one = w.get("/api/topics/held")
    assert [p["endOffset"] for p in one["partitions"]] == [written, 101, 101], one
    assert {"name": "cleanup.policy", "value": "delete", "source": "default"} in one["configs"]


def groups_say_how_far_behind_they_are(w):
    kcat(w, "-P", "-t", "lag", "-p", "0", text="1\n2\n3\n")
    reader = subprocess.Popen(["kcat", "-u", "-q", "-b", w.address, "-G", "lagging", "-X", "auto.offset.reset=earliest", "-X",
                               "auto.commit.interval.ms=50", "lag"], stdout=subprocess.PIPE, text=True)
    try:
        assert [reader.stdout.readline() for _ in range(3)] == ["1\n", "2\n", "3\n"]
        deadline = time.monotonic() + 20
        while True:
            one = w.get("/api/groups/lagging")
            done = [p for p in one["partitions"] if p["partition"] == 0 and p["committed"] == 3]
            if done:
                break
            assert time.monotonic() < deadline, one
        member = one["memberList"][0]
        assert one["state"] == "Stable" and one["members"] == 1 and one["lagRecords"] == 0, one
        assert {"topic": "lag", "partition": 0} in member["partitions"] and len(member["partitions"]) == 3, member
        assert done[0]["memberId"] == member["id"] and done[0]["end"] == 3
        assert sorted(p["committed"] is None for p in one["partitions"]) == [False, True, True], one
    finally:
        reader.terminate()
        reader.wait(timeout=20)
    kcat(w, "-P", "-t", "lag", "-p", "0", text="4\n5\n")
    row = next(g for g in w.get("/api/groups") if g["id"] == "lagging")
    assert row["lagRecords"] == 2 and row["topics"] == ["lag"] and 0 <= row["lagSeconds"] < 60, row
    assert "lagging" in next(t for t in w.get("/api/topics") if t["name"] == "lag")["groups"]
    api = next(x["address"] for x in w.get("/api/health")["listeners"] if x["name"] == "api.listen")
    with urllib.request.urlopen(f"http://{api}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    of = 'consumergroup="lagging"'
    assert f'\nkafka_consumergroup_lag{{{of},topic="lag",partition="0"}} 2\n' in text, text
    assert f'\nkafka_consumergroup_current_offset{{{of},topic="lag",partition="0"}} 3\n' in text
    assert f"\nkafka_consumergroup_members{{{of}}} 0\n" in text
    for counted in ("walmill_log_flush_seconds_count", 'walmill_http_request_seconds_count{listener="console.listen"}'):
        assert int(text.split("\n" + counted + " ")[1].split("\n")[0]) > 0, counted


def health_names_each_check(w):
    health = w.get("/api/health")
    assert health["status"] == "ok" and [c["name"] for c in health["checks"]] == ["log"] and health["memoryBytes"] > 1 << 20
    assert {"name": "kafka.listen", "address": w.address} in health["listeners"], health
    assert w.get("/api/connectors") == [] and w.get("/api/jobs") == []


def the_other_faces_are_mounted(w):
    assert w.get("/connect/connectors") == []
    assert "jobs" in w.get("/flink/jobs/overview")


def what_is_not_there_is_refused(w):
    for path in ("/api/topics/none", "/api/topics/none/messages", "/api/groups/none", "/api/connectors/none", "/api/jobs/none",
                 "/api/none", "/api/topics//messages", "/api/../etc/passwd", "/api/topics/%2e%2e/messages"):
        w.get(path, 404)
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        w.get("/api/topics", 405, method=method)
    for query in ({"limit": 0}, {"limit": 501}, {"limit": "x"}, {"partition": 3}, {"partition": -1}, {"offset": "1e3"}, {"from": "middle"},
                  {"from": "offset", "offset": -1}, {"cursor": "x"}, {"cursor": "<9:1"}, {"cursor": "<0:-1"}, {"cursor": ">0"},
                  {"cursor": ">0:1;1:2"}, {"timestamp": "now"}):
        w.get("/api/topics/paged/messages", 400, **query)


CASES = [pages_show_every_record_once, a_filter_finds_what_contains_it, a_forward_cursor_waits_for_more,
         who_waits_and_goes_gives_his_place_back, any_bytes_are_shown,
         large_values_do_not_hide_the_newest, compressed_records_are_read, topics_say_what_they_hold,
         groups_say_how_far_behind_they_are, health_names_each_check, the_other_faces_are_mounted, what_is_not_there_is_refused]


def main():
    failed = 0
    with tempfile.TemporaryDirectory(prefix="walmill-test-console-") as directory:
        walmill = Console(sys.argv[1], directory)
        walmill.start()
        for case in CASES:
            try:
                case(walmill)
                print(f"{case.__name__}: ok")
            except (AssertionError, subprocess.TimeoutExpired, KeyError) as why:
                failed += 1
                print(f"{case.__name__}: FAILED: {why!r}")
        walmill.stop()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
