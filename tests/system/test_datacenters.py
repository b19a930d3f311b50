"""Two datacenters of three racks each, cut off from each other: both go on at `local_quorum`, and what both have written is there
when they are linked again. No request of a local level waits for the other one."""

import collections
import time
import unittest

import redis
from cluster import WAIT_SECONDS_MAX, ask, until
from history import OK, check
from load import Load, as_map, connect, read_back
from machines import Machines

# Four and three; the racks of each are r1, r2 and r3.
ZONES = ["near/r1", "near/r2", "near/r3", "near/r1", "far/r1", "far/r2", "far/r3"]
NEAR = 4
SETTINGS = ("--level", "local_quorum", "--replicas", "near=3,far=2", "--partitions", "128")
BEFORE_SECONDS = 1.5
# Long enough that links are given up and members are taken for down.
CUT_SECONDS = 8.0
OPERATIONS_MIN = 300
KEYS = 300
# A request that was under way when links were cut may have waited for somebody there: at an update's home, say.
NOT_DONE_PARTS = 100
SECONDS_MAX = 5.0
EQUAL_SECONDS_MAX = 60
SHOWN_MAX = 10


class Datacenters(unittest.TestCase):
    def setUp(self):
        self.machines = Machines("datacenters", count=len(ZONES), disk_bytes=0, settings=SETTINGS)
        for node, zone in zip(self.machines.nodes, ZONES, strict=True):
            node.settings = [*node.settings, "--zone", zone]
        self.enterContext(self.machines)
        self.near, self.far = self.machines.nodes[:NEAR], self.machines.nodes[NEAR:]

    def cut(self):
        hosts = range(1, len(ZONES) + 1)
        self.machines.net.split(list(hosts)[:NEAR], list(hosts)[NEAR:])

    def status(self, node):
        with connect(node.address) as client:
            return as_map(client.execute_command("ARMILLA.STATUS"))

    def sync(self, node):
        return as_map(self.status(node)["sync"])

    def until_equal(self):
        def is_equal():
            syncs = [self.sync(node) for node in self.machines.nodes]
            return all(sync["operations_behind"] + sync["partitions_unequal"] == 0 for sync in syncs)

        began = time.monotonic()
        until("all owners to hold the same", is_equal, EQUAL_SECONDS_MAX)
        return time.monotonic() - began

    def judge(self, load):
        """What one side was told is true there; nothing waited long, and next to all was done."""
        self.assertGreater(len(load.operations), OPERATIONS_MIN)
        plain = [operation for operation in load.operations if operation.kind not in ("add", "count")]
        wrong = check(plain)
        self.assertFalse(wrong, "\n".join(wrong[:SHOWN_MAX]))
        outcomes = collections.Counter(operation.outcome for operation in load.operations)
        not_done = len(load.operations) - outcomes[OK]
        self.assertLess(not_done * NOT_DONE_PARTS, len(load.operations), f"{outcomes} {load.errors[:SHOWN_MAX]}")
        longest = max(operation.end - operation.begin for operation in load.operations)
        self.assertLess(longest, SECONDS_MAX)
        return f"{len(load.operations)} operations, {not_done} not done, longest {longest * 1000:.0f} ms"

    def test_both_sides_of_a_cut_go_on_and_all_of_it_is_there_afterwards(self):
        near = Load([node.address for node in self.near], "near")
        far = Load([node.address for node in self.far], "far")
        for load in (near, far):
            load.start()
        time.sleep(BEFORE_SECONDS)
        self.cut()
        time.sleep(CUT_SECONDS)
        # Neither a majority of all owners nor one of each datacenter can be reached by the fewer.
        for level in ("quorum", "each_quorum"):
            with connect(self.far[0].address) as client:
                client.execute_command("ARMILLA.LEVEL", level)
                with self.assertRaisesRegex(Exception, "NOQUORUM"):
                    client.set("refused", level)
        self.machines.mend_net()
        time.sleep(BEFORE_SECONDS)
        for load in (near, far):
            load.stop()
        said = {load.label: self.judge(load) for load in (near, far)}
        equal = self.until_equal()
        both = near.operations + far.operations
        for node in (self.near[0], self.far[-1]):
            # At a level of one datacenter, and so without asking the other.
            reads = read_back(both, node.address)
            wrong = check([operation for operation in both if operation.kind not in ("get", "count")] + reads)
            self.assertFalse(wrong, f"{node.name}: " + "\n".join(wrong[:SHOWN_MAX]))
        print(f"    {said}; equal {equal:.1f} s after")

    def test_a_lost_datacenter_is_not_missed_at_a_local_level(self):
        for node in self.far:
            node.kill()
        with connect(self.near[0].address) as client:
            for number in range(200):
                self.assertTrue(client.set(f"key:{number}", number))
            self.assertEqual(client.incr("counter"), 1)
        for node in self.near:
            answers = [ask(node.port, "GET", f"key:{number}", host=node.host) for number in range(200)]
            self.assertEqual(answers, [f"${len(str(number))}\r\n{number}\r\n".encode() for number in range(200)])
        # Whoever is down is an outage, not so many losses: nobody is replaced.
        until("them to be down", lambda: self.status(self.near[0])["ring"] and self.down(), WAIT_SECONDS_MAX)
        reasons = {member["not_replaced_because"] for member in self.down()}
        self.assertTrue(all(reasons), reasons)
        for node in self.far:
            node.start()
            node.wait_until_it_answers()
        self.until_equal()
        with connect(self.far[0].address) as client:
            self.assertEqual(client.mget([f"key:{number}" for number in range(200)]), [str(n) for n in range(200)])

    def test_who_has_lost_its_disk_learns_from_its_own_datacenter(self):
        keys = [f"key:{number}" for number in range(KEYS)]
        with connect(self.near[0].address) as client:
            self.assertTrue(client.mset({key: key for key in keys}))
        for node in self.far:
            node.kill()
        lost, second, third, _ = self.near
        lost.wipe()
        lost.start("--join", second.address)
        lost.wait_until_it_answers()

        def refused(node):
            with connect(node.address) as client:
                return sum(self.is_refused(client, key) for key in keys)

        def has_learned_there():
            sync = self.sync(lost)
            return sync["partitions_learning"] == sync["partitions_counting_locally"] > 0

        began = time.monotonic()
        until("it to have learned there", has_learned_there)
        took = time.monotonic() - began
        second.kill()
        # Two of three owners are left of most keys, and of many it is one of those two.
        until("the others to see that it counts, and that the other is down", lambda: refused(third) == 0)
        self.assertEqual(refused(lost), 0)
        print(f"    it counted at local_quorum {took:.1f} s after it answered, and learned nothing from elsewhere")

    def is_refused(self, client, key):
        try:
            return client.get(key) != key
        except redis.RedisError:
            return True

    def down(self):
        return [as_map(member) for member in as_map(self.status(self.near[0])["ring"])["down"]]
