"""An old copy of a directory is put back: the others have seen more of it, so it is not believed, and learns."""

import shutil
import time
import unittest

import redis

from cluster import Cluster, until
from load import connect, in_parts, sync_of

KEYS = 2000
LEARNED_SECONDS_MAX = 60


class OldCopy(unittest.TestCase):
    def setUp(self):
        self.cluster = self.enterContext(Cluster("old-copy"))
        self.names = [f"copied:{number}" for number in range(KEYS)]

    def write(self, port, value):
        with connect(port) as client:
            for keys in in_parts(self.names):
                self.assertTrue(client.mset(dict.fromkeys(keys, value)))

    def others_than(self, port, value):
        """How many keys show something else, at a quorum."""
        with connect(port) as client:
            return sum(shown != value for keys in in_parts(self.names) for shown in client.mget(keys))

    def shows(self, node, value):
        """Whether a node that may be about to learn shows one value for all keys; what it was asked when it begins to is refused."""
        try:
            return self.others_than(node.port, value) == 0
        except redis.ResponseError as error:
            assert str(error).startswith("STORAGE"), error
            return False

    def test_what_it_had_acknowledged_since_is_read_at_a_quorum(self):
        cluster = self.cluster
        first, copied, absent = cluster.nodes
        self.write(first.port, "old")
        copied.end()
        copy = cluster.folder / "copy"
        shutil.copytree(copied.folder, copy)
        copied.start()
        copied.wait_until_it_answers()
        cluster.wait_until_linked()
        cluster.wait_until_whole()
        absent.kill()
        # By the first and the one that was copied, which have not been compared since.
        self.write(first.port, "new")
        copied.kill()
        shutil.rmtree(copied.folder)
        shutil.copytree(copy, copied.folder)
        copied.start()
        absent.start()
        began = time.monotonic()
        for node in (copied, absent):
            node.wait_until_it_answers()
        until("it to be told that it has forgotten", lambda: sync_of(copied.port)["quarantines"] > 0)
        told = time.monotonic() - began
        until("both to show what is new", lambda: all(self.shows(node, "new") for node in (copied, absent)))
        print(f"    told after {told:.1f} s, nothing old was read after {time.monotonic() - began:.1f} s", flush=True)
        for _ in range(3):
            self.assertEqual([self.others_than(node.port, "new") for node in cluster.nodes], [0, 0, 0])
        until("it to be whole", lambda: sync_of(copied.port)["partitions_learning"] == 0, LEARNED_SECONDS_MAX)
        learned = time.monotonic() - began
        until("nothing to lag behind", lambda: not sync_of(copied.port)["lagging"], LEARNED_SECONDS_MAX)
        print(f"    whole after {learned:.1f} s, equal after {time.monotonic() - began:.1f} s", flush=True)
        first.kill()
        self.assertEqual([self.others_than(node.port, "new") for node in (copied, absent)], [0, 0])
        for line in ("partitions have lost something", "no partition is learning any more"):
            until(f"a line in the log: {line}", lambda: line in copied.log.read_text())
