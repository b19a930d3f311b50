"""kill -9 under load: of each node in turn, and of all at once. Nothing that was acknowledged is missing afterwards."""

import collections
import dataclasses
import time
import unittest

from cluster import Cluster, until
from history import OK, UNKNOWN, check
from load import Load, connect, read_back

LOAD_SECONDS = 2.0
AFTER_KILL_SECONDS = 3.0
# So few would mean that the load is none; a slow machine does a hundred times as many.
OPERATIONS_MIN = 100
KEYS_EVERYWHERE = 300
SHOWN_MAX = 10


class KillUnderLoad(unittest.TestCase):
    def setUp(self):
        self.cluster = self.enterContext(Cluster("kill"))

    def assert_nothing_lost(self, operations, ports):
        reads = [read for port in ports for read in read_back(operations, port)]
        self.assertGreater(len(reads), OPERATIONS_MIN)
        wrong = check(operations + reads)
        self.assertFalse(wrong, f"{len(wrong)} in {len(operations)} operations:\n" + "\n".join(wrong[:SHOWN_MAX]))
        self.assert_loss_would_be_seen(operations, reads)

    def assert_loss_would_be_seen(self, operations, reads):
        """The same history with one acknowledged write gone, at one node only, must not pass."""
        for index, read in enumerate(reads):
            # Where writers met, a delete may have been the last.
            is_settled = read.value is not None and not read.key.startswith("shared:") and not any(
                operation.key == read.key and operation.outcome == UNKNOWN for operation in operations
            )
            if is_settled and any(operation.key == read.key for operation in operations):
                lossy = reads[:index] + [dataclasses.replace(read, value=None)] + reads[index + 1 :]
                self.assertEqual([line[:5] for line in check(operations + lossy)], ["lost:"])
                return
        self.fail("no write of this history was acknowledged")

    def assert_only_unknown_or_reconnect(self, load, but=lambda *_: False):
        errors = collections.Counter(text for text, *where in load.errors if not but(text, *where))
        self.assertFalse(errors, "clients saw errors that are neither unknown nor a reconnect")

    def write_everywhere(self, label):
        """Keys that every node holds before anything is killed."""
        with connect(self.cluster.ports[0]) as client:
            client.execute_command("ARMILLA.LEVEL", "all")
            names = [f"everywhere:{label}:{number}" for number in range(KEYS_EVERYWHERE)]
            for name in names:
                self.assertTrue(client.set(name, name))
        return names

    def kill_one(self, index):
        cluster, victim = self.cluster, self.cluster.nodes[index]
        survivors = [port for port in cluster.ports if port != victim.port]
        everywhere = self.write_everywhere(victim.name)
        load = Load(cluster.ports, f"one{index}")
        load.start()
        time.sleep(LOAD_SECONDS)
        victim.kill()
        killed = time.monotonic()
        time.sleep(AFTER_KILL_SECONDS)
        load.stop()
        self.assert_only_unknown_or_reconnect(load)
        after = load.count_since(killed)
        self.assertTrue(all(after[port] >= OPERATIONS_MIN for port in survivors), f"done after the kill: {after}")
        self.assert_nothing_lost(load.operations, survivors)
        longest = max(operation.end - operation.begin for operation in load.operations)
        unknown = sum(operation.outcome == UNKNOWN for operation in load.operations)
        print(
            f"    {victim.name}: {len(load.operations)} operations, {sum(after.values())} done after the kill,"
            f" {unknown} unknown or cut off, the longest {longest:.2f} s",
            flush=True,
        )
        self.come_back(victim, load, everywhere)

    def come_back(self, victim, load, everywhere):
        """It starts again, finds its cluster by itself, serves under load and has what it had."""
        cluster = self.cluster
        again = Load(cluster.ports, f"back:{victim.name}")
        again.start()
        victim.start()
        victim.wait_until_it_answers()
        cluster.wait_until_linked()
        linked = time.monotonic()
        until("the node to do its part", lambda: again.count_since(linked)[victim.port] >= OPERATIONS_MIN)
        again.stop()
        # Until it has found the others it can only refuse, which is an answer: nothing was applied.
        refused = lambda text, port, begin: "NOQUORUM" in text and port == victim.port and begin < linked  # noqa: E731
        self.assert_only_unknown_or_reconnect(again, but=refused)
        # Together, for both loads use the same counters.
        operations = load.operations + again.operations
        self.assert_nothing_lost(operations, cluster.ports)
        self.assert_alone_it_has(victim, everywhere)

    def assert_alone_it_has(self, victim, names):
        """With all others dead nobody else can have answered."""
        others = [node for node in self.cluster.nodes if node is not victim]
        for node in others:
            node.kill()
        with connect(victim.port) as client:
            client.execute_command("ARMILLA.LEVEL", "one")
            self.assertEqual([name for name in names if client.get(name) != name], [])

    def test_the_first_node_is_killed(self):
        self.kill_one(0)

    def test_the_second_node_is_killed(self):
        self.kill_one(1)

    def test_the_third_node_is_killed(self):
        self.kill_one(2)

    def test_all_are_killed_at_once(self):
        """Twice, so that what a recovery writes is recovered too."""
        cluster, operations = self.cluster, []
        for life in range(2):
            load = Load(cluster.ports, f"all{life}")
            load.start()
            time.sleep(LOAD_SECONDS)
            for node in cluster.nodes:
                node.process.kill()
            for node in cluster.nodes:
                node.kill()
            load.stop()
            operations += load.operations
            done = sum(operation.outcome == OK for operation in load.operations)
            self.assertGreater(done, OPERATIONS_MIN)
            for node in cluster.nodes:
                node.start()
            for node in cluster.nodes:
                node.wait_until_it_answers()
            cluster.wait_until_linked()
            self.assert_nothing_lost(operations, cluster.ports)
            print(f"    all at once: {len(load.operations)} operations, {done} done before", flush=True)


