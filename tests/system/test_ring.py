"""The ring changes under load: members join, leave, are removed and come back as new ones. Nothing that was acknowledged is missing
at any time, and next to nothing is refused."""

import collections
import json
import subprocess
import time
import unittest

from cluster import BINARY, WAIT_SECONDS_MAX, Cluster, armilla, ask, spawn, until
from history import OK, check
from load import Load, connect, read_back

KEYS = 3_000
LOAD_SECONDS = 1.0
OPERATIONS_MIN = 200
# While owners change some must be asked again, and a node that ends breaks its connections.
NOT_DONE_PARTS = 200
SHOWN_MAX = 10
# How often two ask for something at once, until they meet.
ROUNDS_MAX = 20


def told(operations):
    took = sorted(operation.end - operation.begin for operation in operations)
    not_done = sum(operation.outcome != OK for operation in operations)
    return f"{len(took)} operations, {not_done} not done, p99 {took[len(took) * 99 // 100] * 1000:.0f} ms"


class Ring(unittest.TestCase):
    def setUp(self):
        self.cluster = self.enterContext(Cluster("ring"))
        with connect(self.cluster.ports[0]) as client:
            for first in range(0, KEYS, 500):
                self.assertTrue(client.mset({f"before:{number}": number for number in range(first, first + 500)}))

    def done(self, node, *words):
        began = time.monotonic()
        code, out, err = armilla(node, *words)
        self.assertEqual(code, 0, out + err)
        return time.monotonic() - began

    def has_all(self, ports):
        for port in ports:
            with connect(port) as client:
                values = client.mget([f"before:{number}" for number in range(KEYS)])
                self.assertEqual(values, [str(number) for number in range(KEYS)])

    def judge(self, load, ports):
        """Nothing is lost, and few were not done."""
        load.stop()
        self.assertGreater(len(load.operations), OPERATIONS_MIN)
        reads = [read for port in ports for read in read_back(load.operations, port)]
        wrong = check(load.operations + reads)
        self.assertFalse(wrong, "\n".join(wrong[:SHOWN_MAX]))
        self.has_all(ports)
        outcomes = collections.Counter(operation.outcome for operation in load.operations)
        not_done = len(load.operations) - outcomes[OK]
        self.assertLess(not_done * NOT_DONE_PARTS, len(load.operations), f"{outcomes} {load.errors[:SHOWN_MAX]}")
        return told(load.operations)

    def test_three_to_five_to_four_to_three(self):
        first, second, _ = self.cluster.nodes
        load = Load(self.cluster.ports, "ring")
        load.start()
        # One more stock client, which ends at once when a request fails, and never by itself.
        flags = ["-q", "-l", "-t", "set,get", "-r", str(KEYS), "-n", "5000", "-c", "4", "-p", second.port]
        with open(self.cluster.folder / "benchmark", "w+b") as log:
            benchmark = spawn(["redis-benchmark", *flags], stdout=log, stderr=log)
            phases = {}
            phases["before"] = self.timed(lambda: time.sleep(LOAD_SECONDS))
            fourth, fifth = self.cluster.join("server4"), self.cluster.join("server5")
            phases["3 to 5"] = self.timed(lambda: self.done(first, "watch", "--timeout", str(2 * WAIT_SECONDS_MAX)))
            phases["5 to 4"] = self.timed(lambda: self.done(first, "drain", "server4"))
            phases["4 to 3"] = self.timed(lambda: self.done(first, "drain", "server5"))
            phases["after"] = self.timed(lambda: time.sleep(LOAD_SECONDS))
            self.assertIsNone(benchmark.poll(), "redis-benchmark has broken off")
            benchmark.kill()
            benchmark.wait()
            log.seek(0)
            self.assertIn(b"requests per second", log.read())
        for node in (fourth, fifth):
            self.cluster.wait_until_gone(node)
        print(f"    {self.judge(load, self.cluster.ports)}")
        for name, (begin, end) in phases.items():
            some = [operation for operation in load.operations if begin <= operation.begin < end]
            print(f"    {name}: {end - begin:.1f} s, {told(some)}")
        code, out, _ = armilla(first, "status")
        self.assertEqual(code, 0, out)
        self.assertIn("3 of 3 up", out)

    def timed(self, act):
        begin = time.monotonic()
        act()
        return begin, time.monotonic()

    def test_a_dead_member_is_removed_and_comes_back_as_a_new_one(self):
        first, second, third = self.cluster.nodes
        self.cluster.join("server4")
        self.done(first, "watch", "--timeout", str(2 * WAIT_SECONDS_MAX))
        ports = [node.port for node in self.cluster.nodes if node is not third]
        load = Load(ports, "dead")
        load.start()
        time.sleep(LOAD_SECONDS)
        third.kill()
        removed = self.done(second, "remove", third.name)
        time.sleep(LOAD_SECONDS)
        said = self.judge(load, ports)
        print(f"    removed, and its copies made anew, in {removed:.1f} s; {said}")
        third.start()
        self.cluster.wait_until_gone(third, is_removed=True)
        third.start("--join", first.address)
        self.cluster.nodes.append(third)
        third.wait_until_it_answers()
        self.done(first, "watch", "--timeout", str(2 * WAIT_SECONDS_MAX))
        self.assertTrue((third.folder / "left-1").is_dir(), "what it held is put aside")
        self.has_all([node.port for node in self.cluster.nodes])

    def test_what_is_refused_is_refused_with_a_reason(self):
        first, second, third = self.cluster.nodes
        refused = [
            (("drain", "server3"), "2 members are too few for 3 replicas"),
            (("drain", "nobody"), "`nobody` is no member"),
            (("zone", "server1", "here"), "datacenter/rack"),
            (("replicas", "2", "--of", "1"), "the layout has been changed meanwhile"),
        ]
        for words, reason in refused:
            code, out, err = armilla(first, *words)
            self.assertEqual((code, out), (1, ""), err)
            self.assertIn(reason, err)
        # What can be so nowhere is asked of nobody.
        nowhere = [
            (("replicas", "9"), "the number must be from 1 to 7"),
            (("weight", "server1", "-1"), "not in 1..=65535"),
            (("weight", "server1", "0"), "not in 1..=65535"),
        ]
        for words, reason in nowhere:
            code, out, err = armilla(first, *words)
            self.assertEqual((code, out), (2, ""), err)
            self.assertIn(reason, err)
        self.assertIn(b"its weight 0 must be from 1", ask(first.port, "ARMILLA.RING", "WEIGH", "server1", "0"))
        code, out, err = armilla(first, "plan", "replicas", "2")
        self.assertEqual(code, 0, err)
        self.assertIn("copies of partitions move", out)
        third.kill()
        self.cluster.nodes.remove(third)
        self.done(first, "remove", third.name)
        code, out, err = armilla(first, "remove", second.name)
        self.assertEqual(code, 0, err)
        self.assertIn("1 copies of each, 2 fewer than are wanted", out)
        self.cluster.wait_until_gone(second, is_removed=True)
        self.has_all([first.port])

    def weight_of_the_first(self, node):
        code, out, err = armilla(node, "plan", "replicas", "3", "--json")
        self.assertEqual(code, 0, err)
        return next(member["weight"] for member in json.loads(out)["members"] if member["name"] == "server1")

    def test_of_two_operators_at_once_one_is_told(self):
        first, second, third = self.cluster.nodes
        refused, weight = [], 1
        # They may miss each other, and both be done one after the other, but not always.
        while not refused and weight < 2 * ROUNDS_MAX:
            weight += 2
            asked = {str(weight): second, str(weight + 1): third}
            words = {number: ("weight", "server1", number, "--detach", "-s", node.address) for number, node in asked.items()}
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            operators = {number: spawn([BINARY, *words[number]], **pipes) for number in asked}
            told = {number: (*process.communicate(timeout=WAIT_SECONDS_MAX), process.returncode) for number, process in operators.items()}
            refused = [err for _, err, code in told.values() if code != 0]
            self.assertLess(len(refused), 2, refused)
            self.assertTrue(all("the layout has been changed meanwhile" in err for err in refused), refused)
            made = {int(number) for number, (_, _, code) in told.items() if code == 0}
            until("one of those that were made", lambda: self.weight_of_the_first(first) in made)
        self.assertTrue(refused, "nobody was told")
        # What a plan has shown is made of what it was shown of.
        self.done(first, "watch", "--timeout", str(2 * WAIT_SECONDS_MAX))
        code, out, err = armilla(first, "plan", "weight", "server1", "1", "--json")
        self.assertEqual(code, 0, err)
        self.done(first, "weight", "server1", "1", "--of", str(json.loads(out)["epoch"]))
        code, out, err = armilla(first, "plan", "weight", "server1", "1", "--json")
        self.assertEqual((code, json.loads(out)["places_moved"]), (0, 0), err)
        code, out, err = armilla(first, "plan", "join", "server4", "--weight", "2", "--json")
        self.assertEqual(code, 0, err)
        self.assertGreater(json.loads(out)["places_moved"], 0)
        self.assertEqual(len(self.cluster.nodes), 3)

    def test_who_is_down_is_named_where_it_is_waited_for(self):
        first, _, third = self.cluster.nodes
        self.cluster.join("server4")
        self.done(first, "watch", "--timeout", str(2 * WAIT_SECONDS_MAX))
        third.kill()
        code, _, err = armilla(first, "drain", third.name, "--detach")
        self.assertEqual(code, 0, err)
        until("it to be named", lambda: f"waits for {third.name} (down" in armilla(first, "watch", "--timeout", "1")[1])
        third.start()
        self.cluster.wait_until_gone(third)
        self.done(first, "watch", "--timeout", str(2 * WAIT_SECONDS_MAX))
        self.has_all(self.cluster.ports)


class Voters(unittest.TestCase):
    def test_of_two_members_the_other_goes_on_where_the_one_that_votes_is_gone(self):
        with Cluster("two", count=2, flags=("--replicas", "2")) as cluster:
            voter, other = cluster.nodes
            code, _, err = armilla(other, "recover", "--accept-data-loss")
            self.assertEqual(code, 1)
            self.assertIn("nothing is to be recovered", err)
            with connect(other.port) as client:
                self.assertTrue(client.mset({f"key:{number}": number for number in range(KEYS)}))
            voter.kill()
            code, _, err = armilla(other, "replicas", "1")
            self.assertEqual(code, 1)
            self.assertIn("too few of the nodes that vote on the layout", err)
            for words in (("recover", "--accept-data-loss", "--detach"), ("remove", voter.name, "--accept-data-loss")):
                code, out, err = armilla(other, *words)
                self.assertEqual(code, 0, out + err)
            with connect(other.port) as client:
                self.assertEqual(client.mget([f"key:{number}" for number in range(KEYS)]), [str(n) for n in range(KEYS)])
            # It comes back, is told, and joins as a new one.
            for code in (2, None):
                voter.start("--join", other.address)
                if code:
                    self.assertEqual(voter.process.wait(WAIT_SECONDS_MAX), code)
                    voter.process = None
            voter.wait_until_it_answers()
            cluster.wait_until_settled()

    def test_without_a_majority_of_voters_keys_are_served_and_the_ring_stands(self):
        with Cluster("voters", count=5) as cluster:
            *others, last = cluster.nodes
            with connect(cluster.ports[0]) as client:
                for number in range(100):
                    client.set(f"key:{number}", number)
            for node in others[:2]:
                node.kill()
            served = lambda: sum(ask(last.port, "SET", f"key:{number}", "x") == b"+OK\r\n" for number in range(20))  # noqa: E731
            # Of some partitions two of three owners are dead.
            until("most requests to go round the dead", lambda: served() >= 10)
            code, _, err = armilla(last, "weight", last.name, "2", "--detach")
            self.assertEqual(code, 0, err)
            others[2].kill()
            code, _, err = armilla(last, "weight", last.name, "3", "--detach")
            self.assertEqual(code, 1)
            self.assertIn("too few of the nodes that vote on the layout", err)
            # Who knows that they are gone for good has one go on without them, and only then.
            code, _, err = armilla(last, "recover", "--accept-data-loss", "--detach")
            self.assertEqual(code, 0, err)
            until("the others to vote with it", lambda: armilla(last, "weight", last.name, "3", "--detach")[0] == 0)
            # Partitions of which a majority of owners is there are served, others are not.
            answers = [ask(last.port, "GET", f"key:{number}") for number in range(1, 100)]
            self.assertTrue(any(answer.startswith(b"$") for answer in answers))
            self.assertTrue(all(answer.startswith((b"$", b"-NOQUORUM")) for answer in answers), answers)
