"""One owner of three is away for a while: what it takes to have it hold the same as the others again.

    outage    it misses everything that clients write, thousands of operations a second for minutes
    behind    it misses few keys of very many

Not a storm: nothing else goes wrong. Equal is what `armilla status --json` says of the node that is back: no partition of it was
unequal or learning when it was compared last, and no operation was missing.
"""

import json
import random
import socket
import threading
import time

from cluster import BINARY, run, until
from history import check
from load import Load, connect, read_back
from machines import PORT, Machines

ANSWER_SECONDS_MAX = 3
OPERATIONS_PER_SECOND = 2_000
LEAD_SECONDS = 3.0
# Keys that are read at quorum again and again while the node catches up.
SAMPLE_ONE_OF = 1000
LOOK_SECONDS = 0.25
EQUAL_SECONDS_MAX = 600.0
DISK_BYTES = 16 << 30
KEYS_AT_ONCE = 500
WRITERS_PER_NODE = 2
WRITE_SECONDS_MAX = 60
# A machine that compiles at the same time answers late.
WRITE_TRIES_MAX = 10
VALUE_BYTES = 100
# Sums of what has been quiet for so long are on the disk, and need not be made anew after a start.
SETTLED_SECONDS = 35.0
FIGURES = ("cells_taken", "cells_compared", "bytes_taken", "exchanges_finished", "exchanges_given_up")


def sync_of(node):
    """What a node says of what it lacks; nothing while it does not answer."""
    _, out, _ = run([BINARY, "status", "-s", node.address, "--json"])
    try:
        members = json.loads(out)["members"]
    except (ValueError, KeyError):
        return None
    return next(member["sync"] for member in members if member["name"] == node.name)


def is_equal(sync):
    owed = ("operations_behind", "partitions_unequal", "partitions_learning", "exchanges_open")
    return bool(sync) and not any(sync[name] for name in owed)


class Return:
    """A node is started again and takes what it has missed; what that took is told in the end."""

    def __init__(self, machines, absent):
        self.machines, self.absent = machines, absent
        self.before = {node.name: sync_of(node) for node in machines.nodes if node is not absent}
        self.bytes_before = machines.net.received_bytes(absent.number)
        self.most_behind = 0
        self.began = time.monotonic()
        absent.start()
        absent.wait_until_it_answers()
        self.answered = time.monotonic() - self.began

    def wait(self, meanwhile=lambda: None):
        """Until it is equal; tells whether it is."""
        while True:
            sync = sync_of(self.absent)
            self.seconds = time.monotonic() - self.began
            self.most_behind = max(self.most_behind, sync["operations_behind"] if sync else 0)
            if is_equal(sync) or self.seconds > EQUAL_SECONDS_MAX:
                break
            meanwhile()
            time.sleep(LOOK_SECONDS)
        self.bytes = self.machines.net.received_bytes(self.absent.number) - self.bytes_before
        self.after = {node.name: sync_of(node) for node in self.machines.nodes}
        return is_equal(sync)

    def tell(self, missed_keys, missed_bytes):
        print(
            f"equal {self.seconds:.1f} s after its start, {self.seconds - self.answered:.1f} s after its first answer;"
            f" up to {self.most_behind} operations behind\n"
            f"it had missed {missed_bytes} bytes, the keys and values of {missed_keys} keys;"
            f" {self.bytes} bytes came from others, {self.bytes / missed_bytes:.2f} times as many",
            flush=True,
        )
        for name, after in self.after.items():
            before = self.before.get(name) or {}
            figures = {figure: after.get(figure, 0) - before.get(figure, 0) for figure in FIGURES}
            print(f"    {name}: {', '.join(f'{figure} {count}' for figure, count in figures.items())}", flush=True)


def outage(summary, minutes):
    """It misses everything for a while. Nothing is missing at quorum at any time, and nothing at level one once it is equal."""
    with Machines("outage", 3) as machines:
        absent = machines.nodes[2]
        here = [node.address for node in machines.nodes[:2]]
        load = Load(here, "outage", ANSWER_SECONDS_MAX, rate=OPERATIONS_PER_SECOND)
        load.start()
        time.sleep(LEAD_SECONDS)
        absent.kill()
        away = time.monotonic()
        summary.faults["outage"] += 1
        time.sleep(minutes * 60)
        load.stop()
        summary.count(load)
        missed = [operation for operation in load.operations if operation.begin > away]
        print(f"{len(missed)} operations while it was away, {len(missed) / minutes / 60:.0f} a second", flush=True)
        summary.judge(load.operations, here[:1], machines, "while it is away")
        back = Return(machines, absent)
        sample = [operation for operation in load.operations if hash(operation.key) % SAMPLE_ONE_OF == 0]
        is_back = back.wait(lambda: summary.judge(sample, machines.places, machines, "while it catches up"))
        values = {operation.key: operation.value for operation in missed if operation.kind in ("set", "delete", "add")}
        held = {key: value for key, value in values.items() if value is not None}
        back.tell(len(held), sum(len(key) + len(str(value)) for key, value in held.items()))
        if not is_back:
            summary.note_broken(machines, "outage", f"{absent.name} is not equal {back.seconds:.0f} s after its start")
        lacking = check(load.operations + read_back(load.operations, absent.address, level="one"))
        if lacking and is_back:
            summary.note_broken(machines, "outage", f"{len(lacking)} keys are missing at {absent.name}, which says it is equal")
        summary.judge(load.operations, machines.places, machines, "afterwards")


class Filling:
    """Many keys, by plain requests over bare sockets: a client for each key would take longer than the nodes."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.noise = random.Random(0).randbytes(1 << 20)

    def pair(self, number):
        # Values that no disk can make shorter, and that are known again by their number.
        at = number * 7919 % (len(self.noise) - VALUE_BYTES)
        return b"behind:%d" % number, self.noise[at : at + VALUE_BYTES]

    def write(self, first, last):
        """The keys with these numbers. What is not acknowledged is written again; what is refused too often ends the storm."""
        starts = iter(range(first, last, KEYS_AT_ONCE))
        lock, faults = threading.Lock(), []

        def work(node):
            try:
                with socket.create_connection((node.host, PORT), timeout=WRITE_SECONDS_MAX) as stream:
                    while not faults:
                        with lock:
                            start = next(starts, None)
                        if start is None:
                            return
                        pairs = [self.pair(number) for number in range(start, min(start + KEYS_AT_ONCE, last))]
                        words = b"".join(b"$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(k), k, len(v), v) for k, v in pairs)
                        for _ in range(WRITE_TRIES_MAX):
                            stream.sendall(b"*%d\r\n$4\r\nMSET\r\n%s" % (1 + 2 * len(pairs), words))
                            answer = stream.recv(4096)
                            if answer == b"+OK\r\n":
                                break
                        assert answer == b"+OK\r\n", answer
            except (OSError, AssertionError) as error:
                faults.append(error)

        threads = [threading.Thread(target=work, args=[node]) for node in self.nodes * WRITERS_PER_NODE]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not faults, faults

    def missing(self, node, numbers, level):
        """Those of them that a node does not give as they were written."""
        numbers, wrong = list(numbers), 0
        with connect(node.address, decode_responses=False) as client:
            client.execute_command("ARMILLA.LEVEL", level)
            for first in range(0, len(numbers), KEYS_AT_ONCE):
                pairs = [self.pair(number) for number in numbers[first : first + KEYS_AT_ONCE]]
                values = client.mget([key for key, _ in pairs])
                wrong += sum(value != wanted for value, (_, wanted) in zip(values, pairs, strict=True))
        return wrong


def behind(summary, keys, missed, partitions):
    """It misses so many of so many keys. What it takes then is to be of the order of what it has missed. The figures follow
    from the keys in a partition: a sixteenth of the keys in a sixteenth of the partitions gives a sixteenth of them."""
    settings = ("--fsync", "interval:1000", "--partitions", str(partitions))
    with Machines("behind", 3, disk_bytes=DISK_BYTES, settings=settings) as machines:
        absent, filling = machines.nodes[2], Filling(machines.nodes)
        began = time.monotonic()
        filling.write(0, keys - missed)
        print(f"{keys - missed} keys are written in {time.monotonic() - began:.0f} s", flush=True)
        until("all to be equal", lambda: all(is_equal(sync_of(node)) for node in machines.nodes), EQUAL_SECONDS_MAX)
        time.sleep(SETTLED_SECONDS)
        absent.kill()
        summary.faults["absence"] += 1
        filling.nodes = machines.nodes[:2]
        filling.write(keys - missed, keys)
        summary.operations += keys
        back = Return(machines, absent)
        is_back = back.wait()
        back.tell(missed, sum(len(key) + len(value) for key, value in map(filling.pair, range(keys - missed, keys))))
        if not is_back:
            summary.note_broken(machines, "behind", f"{absent.name} is not equal {back.seconds:.0f} s after its start")
        for node, level in ((absent, "one"), *((node, "quorum") for node in machines.nodes)):
            summary.wrong += filling.missing(node, range(keys - missed, keys), level)
            summary.reads += missed
