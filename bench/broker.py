"""walmill as a broker under librdkafka (kafka_load.c): producing, consuming, paced latency, beside Apache Kafka with PEERS=1.

Both brokers run for the whole part, one of them loaded at a time, in turns; a figure is the median of ROUNDS. walmill acknowledges after
fdatasync whatever the topic says; Kafka does so with flush.messages=1, and otherwise when the page cache has it.
"""
import json
import mmap
import os
import subprocess
import time

from machine import ROOT, Failed, cpu_s, peak_mb, quantile, reset_peak, wait_for

LOAD = os.environ.get("KAFKA_LOAD", os.path.join(ROOT, "build-release/bench/kafka_load"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SIZES = (("1 KB", 1024, 500_000), ("100 B", 100, 2_000_000))
PACED_S, DISK_S = 5, 3
SYNCED = "flush.messages=1"


class Broker:
    def __init__(self, name, address, pid, data=""):
        self.name, self.address, self.pid, self.data, self.topics = name, address, pid, data, 0
        reset_peak(pid)

    def load(self, what, *arguments):
        done = subprocess.run([LOAD, what, self.address, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False)
        if done.returncode:
            raise Failed(f"kafka_load {what} on {self.name}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def topic(self, partitions, *configs):
        self.topics += 1
        name = f"load-{self.topics}"
        self.load("topic", name, partitions, *configs)
        return name

    def delete(self, name):
        """Until Kafka's files are gone: while hundreds of megabytes are freed every sync on the machine waits, which would be the next
        one's figure."""
        self.load("delete", name)
        if self.data:
            wait_for(lambda: not [d for d in os.listdir(self.data) if d.endswith("-delete")], "deleted files", 90, 0.1)


def touch_memory(share=0.5):
    """A guest pays for memory when it is used for the first time: that should be nobody's figure."""
    with open("/proc/meminfo") as f:
        free = next(int(line.split()[1]) for line in f if line.startswith("MemAvailable")) * 1024
    size = int(free * share) & ~0xfff
    with mmap.mmap(-1, size) as m:
        for at in range(0, size, 4096):
            m[at] = 1


def in_turns(brokers, run, each_round=None):
    """For each broker what `run` gave in each round; who begins changes. `each_round` comes before."""
    got = {b.name: [] for b in brokers}
    for r in range(ROUNDS):
        if each_round:
            each_round()
        for b in brokers[::1 if r % 2 else -1]:
            os.sync()  # what the other left for the kernel to write would be written under this one's syncs
            before = cpu_s(b.pid)
            one = run(b)
            got[b.name].append(one | {"cpu": cpu_s(b.pid) - before})
    return got


def disk_alone(directory, per_s):
    """The limit of every broker that acknowledges what is on the disk: one file written over, each write all that was due by then and one
    fdatasync. A message's latency runs from when it was due."""
    ms, size, at = [], 64 << 20, 0
    f = os.open(os.path.join(directory, "disk"), os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for _ in range(size >> 20):
            os.write(f, b"x" * (1 << 20))
        os.fsync(f)
        begin = time.monotonic()
        while len(ms) < per_s * DISK_S:
            now = time.monotonic() - begin
            due = int(now * per_s) + 1 - len(ms)
            if due <= 0:
                time.sleep((len(ms) + 1) / per_s - now)
                continue
            bytes_ = min(due * 1024, size)
            at = at if at + bytes_ <= size else 0
            os.pwrite(f, b"y" * bytes_, at)
            at += bytes_
            os.fdatasync(f)
            now = time.monotonic() - begin
            ms += [1e3 * (now - i / per_s) for i in range(len(ms), len(ms) + due)]
    finally:
        os.close(f)
    return {"p50": quantile(ms, 0.5), "p99": quantile(ms, 0.99), "max": max(ms), "s": DISK_S}


def middle(runs, key):
    return quantile([r[key] for r in runs], 0.5)


def rate(count, seconds):
    return f"{count / seconds / 1e3:,.0f}k msg/s"


def throughput(table, got, what, load, count, least):
    mine, peer = got["walmill"], got.get("kafka")
    s = middle(mine, "s")
    ratio = middle(peer, "s") / s if peer else 0
    table.add(what, load, count, rate(count, s), "Kafka " + rate(count, middle(peer, "s")) if peer else "",
              f"{middle(mine, 'cpu') / count * 1e6:.1f}" + (f" (Kafka {middle(peer, 'cpu') / count * 1e6:.1f})" if peer else ""),
              ratio=ratio, required=[(f">= {least:g} of Kafka", ratio >= least)] if peer else [])


def bulk(table, brokers, partitions, size, *configs):
    text, bytes_, count = size
    names = {}

    def produce(b):
        if b.name in names:
            b.delete(names[b.name])
        names[b.name] = b.topic(partitions, *configs)
        return b.load("produce", names[b.name], partitions, bytes_, count)

    def consume(b):
        return b.load("consume", names[b.name], partitions, count)
    load = f"{text}, {partitions} partition{'s' if partitions > 1 else ''}"
    if configs:
        throughput(table, in_turns(brokers, produce), "Kafka clients: produce", load + ", Kafka with " + SYNCED, count, 1)
    else:
        throughput(table, in_turns(brokers, produce), "Kafka clients: produce", load + ", Kafka unsynced", count, 0.8)
        throughput(table, in_turns(brokers, consume), "Kafka clients: consume", load, count, 1)
    for b in brokers:
        b.delete(names[b.name])


def paced(table, directory, brokers, per_s, partitions, linger_ms, *configs):
    disk = []

    def run(b):
        name = b.topic(partitions, *configs)
        one = b.load("paced", name, partitions, 1024, per_s, PACED_S, linger_ms)
        b.delete(name)
        return one

    def ms(runs):
        return " ".join(f"{q} {middle(runs, q):.2f}" for q in ("p50", "p99", "max")) + " ms"
    got = in_turns(brokers, run, lambda: disk.append(disk_alone(directory, per_s)))
    mine, peer = got["walmill"], got.get("kafka")
    ratio = middle(peer, "p99") / middle(mine, "p99") if peer else 0
    load = f"{per_s:,}/s of 1 KB, {partitions} partition{'s' if partitions > 1 else ''}, linger {linger_ms} ms, Kafka " + \
        ("with " + SYNCED if configs else "unsynced")

    def cores(runs):
        return f"{100 * middle(runs, 'cpu') / PACED_S:.0f} %"
    table.add("Kafka clients: paced", load, per_s * PACED_S, ms(mine), ("Kafka " + ms(peer) + ", " if peer else "") + "disk " + ms(disk),
              cores(mine) + " of a core" + (f" (Kafka {cores(peer)})" if peer else ""),
              ratio=ratio, required=[("p99 <= Kafka's", ratio >= 1)] if peer else [])


def warm_up(brokers):
    """JVMs are slow until they have compiled what they run."""
    for b in brokers:
        name = b.topic(16)
        b.load("produce", name, 16, 1024, 300_000)
        b.load("consume", name, 16, 300_000)
        b.load("paced", name, 16, 1024, 20_000, 3, 0)
        b.delete(name)


def kafka(bench):
    table = bench.table
    w = bench.walmill("kafka", "", listeners=("connect", "jobs", "api", "kafka"))
    w.wait_ready()
    brokers = [Broker("walmill", f"127.0.0.1:{w.ports['kafka']}", w.pid)]
    if bench.peers:
        bench.peers.start("kafka")
        brokers.append(Broker("kafka", bench.peers.kafka, int(bench.peers.facts["kafka"]), bench.peers.dir + "/kafka-data"))
    touch_memory()
    warm_up(brokers)
    for partitions in (1, 16):
        for size in SIZES:
            bulk(table, brokers, partitions, size)
    for size in SIZES:
        bulk(table, brokers, 1, size, SYNCED)
    for partitions in (1, 16):
        for linger_ms in (0, 5):
            paced(table, bench.dir, brokers, 20_000, partitions, linger_ms)
        paced(table, bench.dir, brokers, 20_000, partitions, 0, SYNCED)
    paced(table, bench.dir, brokers, 1_000, 1, 0, SYNCED)
    peak = [peak_mb(b.pid) for b in brokers]
    share = peak[0] / peak[1] if bench.peers else 0
    table.add("Kafka clients: memory", "over all of the above", rss=f"{peak[0]:.0f}" + (f" (Kafka {peak[1]:.0f})" if bench.peers else ""),
              ratio=share, required=[("<= 0.1 of Kafka", share <= 0.1)] if bench.peers else [])
    if bench.peers:
        bench.peers.stop()
    w.stop()
