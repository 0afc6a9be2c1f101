#!/usr/bin/env python3
"""Real Kafka clients against a walmill of its own: kcat, a program on librdkafka, and, where npm and mvn can fetch them, kafkajs and Apache
Kafka's own tools.

Usage: kafka_clients.py WALMILL RDKAFKA_PROGRAM [kcat|rdkafka|kafkajs|java]...
Prints one line a case; exits 1 when one failed. What is not installed is skipped, and said so.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


class Walmill:
    """The instance: ports of the system's choice, everything in a directory of its own."""

    def __init__(self, program, directory):
        self.program, self.directory, self.process, self.port = program, directory, None, "0"

    def start(self):
        command = [self.program, "up", "--data", self.directory + "/data", "--set", "kafka.listen=127.0.0.1:" + self.port,
                   "--set", "kafka.default_partitions=3", "--set", "kafka.group_initial_delay=100ms", "--set", "log.reserve_bytes=16MiB"]
        for listener in ("connect", "jobs", "api", "console"):
            command += ["--set", listener + ".listen=127.0.0.1:0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"kafka=(\d+)", line)
        assert found, "walmill did not start: " + line
        self.port = found[1]
        self.jobs, self.console = (re.search(name + r"=(\d+)", line)[1] for name in ("jobs", "console"))
        self.address = "127.0.0.1:" + self.port

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(timeout=60)
        assert how == signal.SIGKILL or code == 0, f"walmill ended with {code}"


def run(command, text=None, timeout=60):
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def fetched(command, timeout):
    """Whether a registry gave what the command asks for; that it did not is nobody's failure here."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False).returncode
    except subprocess.TimeoutExpired:
        return 3


# ---- kcat ----

def kcat(walmill, *arguments, text=None):
    return run(["kcat", "-q", "-b", walmill.address, *arguments], text)


def kcat_lists_and_creates(walmill):
    assert "1 brokers" in run(["kcat", "-b", walmill.address, "-L"])
    listing = run(["kcat", "-b", walmill.address, "-L", "-t", "made"])
    listing = run(["kcat", "-b", walmill.address, "-L", "-t", "made"])
    assert '"made" with 3 partitions' in listing, listing


def kcat_headers_keys_and_nulls(walmill):
    kcat(walmill, "-P", "-t", "headers", "-p", "0", "-K:", "-H", "colour=blue", "-H", "empty=", text="k1:v1\nk2:v2\n")
    kcat(walmill, "-P", "-t", "headers", "-p", "0", "-K:", "-Z", text="k3:\n")
    got = kcat(walmill, "-C", "-t", "headers", "-p", "0", "-e", "-Z", "-f", "%o %k %s %h\\n")
    assert got == "0 k1 v1 colour=blue,empty=\n1 k2 v2 colour=blue,empty=\n2 k3 NULL \n", got


def kcat_every_compression(walmill):
    text = "".join(f"record number {i}\n" for i in range(2000))
    for codec in CODECS:
        for idempotent in ("false", "true"):
            topic = f"codec-{codec}-{idempotent}"
            kcat(walmill, "-P", "-t", topic, "-p", "1", "-z", codec, "-X", "enable.idempotence=" + idempotent, text=text)
            got = kcat(walmill, "-C", "-t", topic, "-p", "1", "-e")
            assert got == text, f"{topic}: {len(got)} bytes of {len(text)}"


def kcat_offsets_by_time(walmill):
    kcat(walmill, "-P", "-t", "times", "-p", "0", text="a\nb\n")
    when = kcat(walmill, "-C", "-t", "times", "-p", "0", "-c", "1", "-f", "%T")
    assert run(["kcat", "-b", walmill.address, "-Q", "-t", "times:0:" + when]).split() == ["times", "[0]", "offset", "0"]
    assert run(["kcat", "-b", walmill.address, "-Q", "-t", "times:0:-1"]).split()[-1] == "2"
    assert kcat(walmill, "-C", "-t", "times", "-p", "0", "-o", "-1", "-e") == "b\n"


def kcat_group_goes_on_where_it_was(walmill):
    text = "".join(f"{i}\n" for i in range(300))
    group = ["-G", "readers", "-e", "-X", "auto.offset.reset=earliest", "grouped"]
    kcat(walmill, "-P", "-t", "grouped", text=text)
    assert sorted(kcat(walmill, *group).split(), key=int) == text.split()
    kcat(walmill, "-P", "-t", "grouped", text="more\n")
    assert kcat(walmill, *group) == "more\n"
    walmill.stop()
    walmill.start()
    kcat(walmill, "-P", "-t", "grouped", text="again\n")
    assert kcat(walmill, *group) == "again\n"


def topic_tail_reads_what_was_compressed(walmill):
    text = "".join(f"line {i}\n" for i in range(10))
    kcat(walmill, "-P", "-t", "tailed", "-p", "0", "-z", "zstd", text=text)
    got = run([walmill.program, "topic", "tail", "tailed", "--data", walmill.directory + "/data", "--set",
               "jobs.listen=127.0.0.1:" + walmill.jobs])
    assert got.count("line ") == 10, got


def topic_commands_and_clients_agree(walmill):
    def topic(*arguments, code=0):
        done = subprocess.run([walmill.program, "topic", *arguments, "--data", walmill.directory + "/data", "--set",
                               "jobs.listen=127.0.0.1:" + walmill.jobs], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode == 0) == (code == 0), done.stdout + done.stderr
        return done.stdout + done.stderr

    topic("create", "by-hand", "--partitions", "5", "--with", "retention.ms=60000,max.message.bytes=2000")
    assert '"by-hand" with 5 partitions' in run(["kcat", "-b", walmill.address, "-L", "-t", "by-hand"])
    described = topic("describe", "by-hand")
    assert '"retention.ms":"60000"' in described and described.count('"partition":') == 5, described
    assert "retention.mss" in topic("create", "other", "--with", "retention.mss=1", code=1)
    assert "exists" in topic("create", "by-hand", code=1)
    topic("delete", "by-hand")
    assert "does not exist" in topic("describe", "by-hand", code=1)
    assert "by-hand" not in run(["kcat", "-b", walmill.address, "-L"])


def kcat_follows_live(walmill):
    kcat(walmill, "-P", "-t", "live", "-p", "0", text="first\n")
    follower = subprocess.Popen(["kcat", "-u", "-q", "-b", walmill.address, "-C", "-t", "live", "-p", "0", "-c", "3"],
                                stdout=subprocess.PIPE, text=True)
    watchdog = threading.Timer(30, follower.kill)
    watchdog.start()
    assert follower.stdout.readline() == "first\n"
    for word in ("second\n", "third\n"):
        kcat(walmill, "-P", "-t", "live", "-p", "0", text=word)
        assert follower.stdout.readline() == word
    assert follower.wait(timeout=20) == 0
    watchdog.cancel()


def kcat_sees_all_after_kill(walmill):
    kcat(walmill, "-P", "-t", "killed", "-p", "0", "-X", "acks=all", text="".join(f"{i}\n" for i in range(5000)))
    walmill.stop(signal.SIGKILL)
    walmill.start()
    assert kcat(walmill, "-C", "-t", "killed", "-p", "0", "-e").split() == [str(i) for i in range(5000)]


# ---- the others ----

def rdkafka_program(walmill):
    print(run([sys.argv[2], walmill.address], timeout=120), end="")


def kafkajs_script(walmill):
    directory = walmill.directory + "/kafkajs"
    os.makedirs(directory)
    shutil.copy(HERE / "kafkajs.js", directory)
    if fetched(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", directory, "kafkajs@2.2.4"], 100) != 0:
        print("kafkajs: skipped, npm could not fetch it")
        return
    print(run(["node", directory + "/kafkajs.js", walmill.address], timeout=120), end="")


def java_tools(walmill):
    script = str(HERE.parent.parent / "scripts" / "kafka-tool.sh")
    if fetched([script, "topics", "--version"], 150) == 3:
        print("java: skipped, Maven could not fetch the tools")
        return

    def tool(name, *arguments, text=None):
        return run([script, name, "--bootstrap-server", walmill.address, *arguments], text)

    tool("topics", "--create", "--topic", "java", "--partitions", "2", "--replication-factor", "1", "--config", "retention.ms=3600000")
    described = tool("topics", "--describe", "--topic", "java")
    assert "PartitionCount: 2" in described and "retention.ms=3600000" in described, described
    tool("topics", "--alter", "--topic", "java", "--partitions", "3")
    tool("console-producer", "--topic", "java", text="one\ntwo\nthree\n")
    consumed = tool("console-consumer", "--topic", "java", "--from-beginning", "--max-messages", "3", "--group", "java-group",
                    "--timeout-ms", "30000")
    assert sorted(consumed.split()) == ["one", "three", "two"], consumed
    groups = tool("consumer-groups", "--describe", "--group", "java-group")
    rows = [line.split() for line in groups.splitlines() if line.startswith("java-group")]
    assert len(rows) == 3 and sum(int(row[3]) for row in rows) == 3 and all(row[5] == "0" for row in rows), groups
    tool("consumer-groups", "--reset-offsets", "--group", "java-group", "--topic", "java", "--to-earliest", "--execute")
    groups = tool("consumer-groups", "--describe", "--group", "java-group")
    assert sum(int(line.split()[5]) for line in groups.splitlines() if line.startswith("java-group")) == 3, groups
    tool("configs", "--alter", "--topic", "java", "--add-config", "max.message.bytes=1000")
    assert "max.message.bytes=1000" in tool("configs", "--describe", "--topic", "java")
    assert sum(int(line.split(":")[2]) for line in tool("get-offsets", "--topic", "java").split()) == 3
    tool("consumer-groups", "--delete", "--group", "java-group")
    producers = tool("transactions", "describe-producers", "--topic", "java", "--partition", "0") + tool(
        "transactions", "describe-producers", "--topic", "java", "--partition", "1") + tool(
        "transactions", "describe-producers", "--topic", "java", "--partition", "2")
    assert any(line.split()[-1:] == ["None"] for line in producers.splitlines()), producers
    assert len(tool("transactions", "list").splitlines()) == 1
    elected = tool("leader-election", "--election-type", "preferred", "--topic", "java", "--partition", "0")
    assert "Valid replica already elected" in elected, elected
    assert tool("configs", "--describe", "--entity-type", "users") == ""
    tool("topics", "--delete", "--topic", "java")
    assert "java" not in tool("topics", "--list").split()


CASES = {
    "kcat": [kcat_lists_and_creates, kcat_headers_keys_and_nulls, kcat_every_compression, kcat_offsets_by_time,
             kcat_group_goes_on_where_it_was, topic_tail_reads_what_was_compressed,
             topic_commands_and_clients_agree, kcat_follows_live, kcat_sees_all_after_kill],
    "rdkafka": [rdkafka_program],
    "kafkajs": [kafkajs_script],
    "java": [java_tools],
}
NEEDS = {"kcat": "kcat", "rdkafka": None, "kafkajs": "npm", "java": "mvn"}


def main():
    failed = 0
    with tempfile.TemporaryDirectory(prefix="walmill-test-clients-") as directory:
        walmill = Walmill(sys.argv[1], directory)
        walmill.start()
        for name in sys.argv[3:] or CASES:
            if NEEDS[name] and not shutil.which(NEEDS[name]):
                print(f"{name}: skipped, {NEEDS[name]} is not installed")
                continue
            for case in CASES[name]:
                try:
                    case(walmill)
                    print(f"{case.__name__}: ok")
                except (AssertionError, subprocess.TimeoutExpired) as why:
                    failed += 1
                    print(f"{case.__name__}: FAILED: {why}")
        walmill.stop()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
