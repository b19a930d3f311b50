"""Disks that forget, are damaged or full: a node that may have lost something does not vote until it is whole again.

A minority of disks may be lost for good, one at a time; nothing acknowledged is missing at quorum.
"""

import shutil
import time
import unittest

import redis

from cluster import WAIT_SECONDS_MAX, ask, until
from history import OK, check
from load import Load, connect, read_back
from machines import Machines

KEYS = [f"disk:{number}" for number in range(300)]
ANSWER_SECONDS_MAX = 3
LOAD_SECONDS = 1.0
FULL_SECONDS = 2.0
OPERATIONS_MIN = 10
SHOWN_MAX = 10
# Bytes that are turned over in each file.
DAMAGED_BYTES = 64
# The code of a start that cannot be.
EXIT_REFUSED = 2


def answer(client, *words):
    """What a node says, a refusal included; a node that does not answer is a refusal too."""
    try:
        return client.execute_command(*words)
    except redis.RedisError as error:
        return error


class Disks(unittest.TestCase):
    def machines(self, count=3, **more):
        machines = self.enterContext(Machines("disks", count, **more))
        return machines, machines.nodes

    def start_anew(self, node, join):
        """With an empty directory; it asks the other who it is."""
        node.wipe()
        node.mend(join.address)
        node.wait_until_it_answers()

    def write(self, node):
        with connect(node.address) as client:
            self.assertTrue(client.mset({key: f"value of {key}" for key in KEYS}))

    def assert_all_there(self, nodes):
        for node in nodes:
            with connect(node.address) as client:
                self.assertEqual(client.mget(KEYS), [f"value of {key}" for key in KEYS], node.name)

    def assert_nothing_lost(self, machines, operations):
        reads = [read for place in machines.places for read in read_back(operations, place)]
        wrong = check(operations + reads)
        self.assertFalse(wrong, f"{len(wrong)} in {len(operations)} operations:\n" + "\n".join(wrong[:SHOWN_MAX]))

    def missed_by_the_third(self):
        """Three nodes, and keys that only the first two have; all run."""
        machines, (first, second, third) = self.machines()
        third.kill()
        self.write(first)
        return machines, first, second, third

    def test_a_wiped_node_does_not_vote_before_it_is_whole(self):
        """The one node that still has everything stands still: the two others can refuse, but not say that there is nothing."""
        machines, first, second, third = self.missed_by_the_third()
        third.start()
        third.wait_until_it_answers()
        second.pause()
        first.wipe()
        first.mend(third.address)
        until("the first to answer, or to end", lambda: first.has_ended or ask(first.port, "PING", host=first.host))
        for node in (third,) if first.has_ended else (first, third):
            with connect(node.address, socket_timeout=ANSWER_SECONDS_MAX) as client:
                for key in KEYS[:SHOWN_MAX]:
                    said = answer(client, "GET", key)
                    self.assertTrue(isinstance(said, redis.RedisError) or said == f"value of {key}", (node.name, said))
        second.resume()
        if first.has_ended:
            # It may insist on asking everybody.
            self.start_anew(first, join=third)
        machines.wait_until_whole()
        self.assert_all_there(machines.nodes)
        second.kill()
        self.assert_all_there((first, third))

    def test_each_disk_in_turn_is_lost_under_load(self):
        machines, nodes = self.machines(5)
        load = Load(machines.places, "wiped", ANSWER_SECONDS_MAX)
        load.start()
        self.addCleanup(load.stop)
        for index, node in enumerate(nodes):
            time.sleep(LOAD_SECONDS)
            self.start_anew(node, join=nodes[index - 1])
            machines.wait_until_whole()
        load.stop()
        self.assertGreater(sum(operation.outcome == OK for operation in load.operations), OPERATIONS_MIN)
        self.assert_nothing_lost(machines, load.operations)

    def damage(self, node):
        """Turns over some bytes in the middle of every file of its storage."""
        files = [file for file in node.folder.glob("shard-*/**/*") if file.is_file() and file.stat().st_size > 2 * DAMAGED_BYTES]
        self.assertTrue(files)
        for file in files:
            with file.open("r+b") as handle:
                # A journal is longer than what is written of it.
                written = file.read_bytes().rstrip(b"\0")
                middle = max(0, len(written) // 2 - DAMAGED_BYTES)
                handle.seek(middle)
                handle.write(bytes(byte ^ 0xFF for byte in written[middle : middle + DAMAGED_BYTES]))

    def test_a_damaged_directory(self):
        """What is damaged is noticed and fetched again. The node that could vote it away was down."""
        machines, first, second, third = self.missed_by_the_third()
        first.kill()
        self.damage(first)
        third.start()
        third.wait_until_it_answers()
        first.start()
        first.wait_until_it_answers()
        machines.wait_until_whole()
        self.assert_all_there(machines.nodes)
        second.kill()
        self.assert_all_there((first, third))

    def test_full_disks(self):
        """Writes are refused in words, reads go on; with room again writes go on too, by themselves."""
        machines, nodes = self.machines()
        self.write(nodes[0])
        load = Load(machines.places, "full", ANSWER_SECONDS_MAX)
        load.start()
        self.addCleanup(load.stop)
        time.sleep(LOAD_SECONDS)
        processes = [node.process.pid for node in nodes]
        for node in nodes:
            node.disk.fill()
        with connect(nodes[0].address) as client:
            refused = until("a refusal", lambda: self.refusal(answer(client, "SET", "one more", "v")), log=nodes[0].log)
        self.assertTrue(refused.startswith("DISKFULL"), refused)
        for node in nodes:
            with connect(node.address) as client:
                until("reads to go on", lambda: not isinstance(answer(client, "MGET", *KEYS), redis.RedisError), log=node.log)
        self.assert_all_there(nodes)
        time.sleep(FULL_SECONDS)
        for node in nodes:
            node.disk.make_room()
        room = time.monotonic()
        until("all to write again", lambda: all(load.count_since(room)[place] > OPERATIONS_MIN for place in machines.places))
        for node in nodes:
            with connect(node.address) as client:
                until("a write", lambda: answer(client, "SET", "one more", "v") is True, log=node.log)
        load.stop()
        self.assertEqual([node.process.pid for node in nodes], processes)
        self.assertFalse([node.name for node in nodes if node.has_ended])
        self.assert_nothing_lost(machines, load.operations)

    def refusal(self, said):
        # What was on its way when the first write found no room may be there, and others may find none first.
        passing = ("UNKNOWN", "NOQUORUM")
        is_refusal = isinstance(said, redis.ResponseError) and not str(said).startswith(passing)
        return str(said) if is_refusal else None

    def test_a_copy_of_a_directory_beside_the_one_that_runs(self):
        """Two live processes with one identity: the second ends, the first goes on."""
        machines, nodes = self.machines(3, spares=1)
        original, (stage,) = nodes[1], machines.spares
        self.write(nodes[0])
        original.end()
        shutil.copytree(original.folder, stage.folder)
        original.start()
        original.wait_until_it_answers()
        # Others would find the first at that address; the second finds them.
        stage.name, stage.host = original.name, "0.0.0.0"
        stage.start("--announce", original.address, "--join", nodes[0].address)
        until("the second to end", lambda: stage.has_ended, WAIT_SECONDS_MAX, stage.log)
        self.assertEqual(stage.process.returncode, EXIT_REFUSED)
        self.assertIn(original.name, stage.log.read_text().splitlines()[-1])
        self.assert_all_there(nodes)
