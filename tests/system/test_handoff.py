"""Hinted handoff and the level sloppy: who stands in for a node that is down keeps its writes, shows them, and hands them
over; one node alone takes writes and reads for every key, and all of it is there once the others are back.
"""

import time
import unittest

import redis

from cluster import Cluster, until
from load import as_map, connect

KEYS = 400
VALUE_BYTES = 200
HANDED_OVER_SECONDS_MAX = 90
# So little that most of what is written finds no room.
SMALL_BUDGET_BYTES = 5_000


def pairs(label, count=KEYS):
    return {f"{label}:{number}": f"{number}".rjust(VALUE_BYTES, "v") for number in range(count)}


class Handoff(unittest.TestCase):
    def cluster(self, *flags):
        cluster = self.enterContext(Cluster("handoff", count=5, flags=flags))
        return cluster, cluster.nodes

    def handoff(self, node):
        with connect(node.port) as client:
            status = client.execute_command("ARMILLA.STATUS")
        return dict(zip(status[::2], status[1::2])) if isinstance(status, list) else status

    def kept(self, nodes):
        """Bytes that each node says it keeps, by whom they are for, and operations that found no room."""
        targets, refused, handed = {}, 0, 0
        for node in nodes:
            said = as_map(self.handoff(node)["handoff"])
            refused += said["operations_not_kept"]
            handed += said["partitions_handed_over"]
            for target in map(as_map, said["targets"]):
                targets[target["member"]] = targets.get(target["member"], 0) + target["bytes"]
        return targets, refused, handed

    def until_handed_over(self, nodes):
        began = time.monotonic()
        until("everything kept to be handed over", lambda: not self.kept(nodes)[0], HANDED_OVER_SECONDS_MAX)
        return time.monotonic() - began

    def until_level(self, nodes):
        def is_level():
            syncs = [as_map(self.handoff(node)["sync"]) for node in nodes]
            return all(sync["operations_behind"] + sync["partitions_unequal"] == 0 for sync in syncs)

        until("all owners to hold the same", is_level, HANDED_OVER_SECONDS_MAX)

    def write(self, node, values, level):
        with connect(node.port) as client:
            client.execute_command("ARMILLA.LEVEL", level)
            for key, value in values.items():
                self.assertTrue(client.set(key, value))

    def assert_there(self, node, values, level):
        with connect(node.port) as client:
            client.execute_command("ARMILLA.LEVEL", level)
            found = {key: client.get(key) for key in values}
        missing = [key for key, value in values.items() if found[key] != value]
        self.assertFalse(missing, f"{len(missing)} of {len(values)} at {node.name}, at {level}")

    def test_what_a_node_misses_is_kept_for_it_and_handed_over(self):
        cluster, nodes = self.cluster()
        away, rest = nodes[4], nodes[:4]
        away.kill()
        values = pairs("missed")
        self.write(rest[0], values, "quorum")
        targets, refused, _ = self.kept(rest)
        self.assertEqual(refused, 0)
        self.assertGreater(targets.get(away.name, 0), KEYS * VALUE_BYTES // 5, f"three of five own each key: {targets}")
        # Who stands in is stopped hard as well: what it keeps is on its disk.
        for node in rest[2:]:
            node.kill()
        for node in [*rest[2:], away]:
            node.start(*cluster.flags)
            node.wait_until_it_answers()
        took = self.until_handed_over(nodes)
        self.assertGreater(self.kept(nodes)[2], 0, "partitions handed over")
        self.assert_there(away, values, "all")
        print(f"    {targets[away.name]} bytes for one node were handed over {took:.1f} s after it was back", flush=True)

    def test_one_node_alone_takes_everything_at_sloppy(self):
        cluster, nodes = self.cluster()
        before = pairs("before", 50)
        self.write(nodes[0], before, "quorum")
        lone, gone = nodes[2], [node for node in nodes if node is not nodes[2]]
        for node in gone:
            node.kill()
        values = pairs("alone")
        self.write(lone, values, "sloppy")
        self.assert_there(lone, values, "sloppy")
        with connect(lone.port) as client:
            for level in ("quorum", "one"):
                client.execute_command("ARMILLA.LEVEL", level)
                refusals = [key for key in values if self.is_refused(client, key)]
                self.assertTrue(refusals, f"at {level} what stands in does not count")
            client.execute_command("ARMILLA.LEVEL", "sloppy")
            counted = [client.incr("counted") for _ in range(20)]
            self.assertEqual(counted, list(range(1, 21)))
        # The only node that has them stops hard, and comes back.
        lone.kill()
        lone.start(*cluster.flags)
        lone.wait_until_it_answers()
        self.assert_there(lone, values, "sloppy")
        for node in gone:
            node.start(*cluster.flags)
            node.wait_until_it_answers()
        took = self.until_handed_over(nodes)
        self.until_level(nodes)
        for node in nodes:
            self.assert_there(node, values | before | {"counted": "20"}, "quorum")
        print(f"    {KEYS} keys written to one node alone: what it kept for others was handed over in {took:.1f} s", flush=True)

    def is_refused(self, client, key):
        try:
            client.set(f"{key}:more", "x")
        except redis.RedisError as error:
            self.assertIn("NOQUORUM", str(error))
            return True
        return False

    def test_both_sides_of_a_sloppy_cluster_are_merged(self):
        """Two nodes write alone, one after the other, neither having seen what the other did."""
        cluster, nodes = self.cluster()
        sides = {nodes[0]: pairs("left", 100), nodes[4]: pairs("right", 100)}
        for node in nodes:
            node.kill()
        for node, values in sides.items():
            node.start(*cluster.flags)
            node.wait_until_it_answers()
            self.write(node, values, "sloppy")
            with connect(node.port) as client:
                client.execute_command("ARMILLA.LEVEL", "sloppy")
                for _ in range(10):
                    client.incr("both")
            node.kill()
        for node in nodes:
            node.start(*cluster.flags)
        for node in nodes:
            node.wait_until_it_answers()
        self.until_handed_over(nodes)
        self.until_level(nodes)
        for node in nodes:
            for values in sides.values():
                self.assert_there(node, values, "quorum")
            self.assert_there(node, {"both": "20"}, "quorum")

    def test_what_finds_no_room_comes_from_other_owners(self):
        cluster, nodes = self.cluster("--handoff-bytes-max", str(SMALL_BUDGET_BYTES))
        away, rest = nodes[4], nodes[:4]
        away.kill()
        values = pairs("tight")
        self.write(rest[0], values, "quorum")
        targets, refused, _ = self.kept(rest)
        self.assertGreater(refused, 0, "operations found no room")
        self.assertLessEqual(targets.get(away.name, 0), len(rest) * SMALL_BUDGET_BYTES)
        away.start(*cluster.flags)
        away.wait_until_it_answers()
        self.until_handed_over(nodes)
        self.until_level(nodes)
        self.assert_there(away, values, "all")
