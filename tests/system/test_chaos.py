"""A node fails on purpose: the others go round it, and when it has ended all of it heals."""

import time
import unittest

from cluster import BINARY, Cluster, ask, run, until
from test_pause import members

NOTICED_SECONDS_MAX = 4.0
HEALED_SECONDS_MAX = 6.0
# Where nobody is waited for that does not answer.
ROUND_SECONDS_MAX = 0.5
# Where messages get lost or are late, and are said again: nine of ten are done by then, and all before their time is over.
REPEATED_SECONDS_MAX = 1.0
KEYS = [f"chaos:{number}" for number in range(30)]


def chaos(node, *words):
    return run([BINARY, "chaos", "-s", node.address, *words])


class Chaos(unittest.TestCase):
    def setUp(self):
        self.cluster = self.enterContext(Cluster("chaos", flags=["--enable-chaos"]))
        self.victim, *self.others = self.cluster.nodes
        self.written = 0

    def begin(self, *words):
        code, out, err = chaos(self.victim, *words)
        self.assertEqual((code, out), (0, "OK\n"), err)

    def states(self):
        return [members(other.port)[self.victim.name]["state"] for other in self.others]

    def until_noticed(self, *wanted):
        until(f"the others to see it {' or '.join(wanted)}", lambda: all(state in wanted for state in self.states()),
              seconds_max=NOTICED_SECONDS_MAX, log=self.victim.log)

    def until_healed(self):
        began = time.monotonic()
        self.cluster.wait_until_linked()
        took = time.monotonic() - began
        self.assertLess(took, HEALED_SECONDS_MAX)
        value = b"%d" % self.written
        for node in self.cluster.nodes:
            for key in KEYS:
                self.assertEqual(ask(node.port, "GET", key), b"$%d\r\n%s\r\n" % (len(value), value))
        return took

    def each_took(self, ports):
        """Writes and reads keys of many partitions; each is done. Gives how long they took, the shortest first."""
        self.written += 1
        took = []
        for port in ports:
            for key in KEYS:
                began = time.monotonic()
                self.assertEqual(ask(port, "SET", key, self.written), b"+OK\r\n")
                self.assertIn(b"%d" % self.written, ask(port, "GET", key))
                took.append(time.monotonic() - began)
        return sorted(took)

    def round(self, ports):
        """Writes and reads, and none takes long."""
        slowest = self.each_took(ports)[-1]
        self.assertLess(slowest, ROUND_SECONDS_MAX)
        return slowest

    def repeated(self):
        """Writes and reads at all nodes, and few take long."""
        took = self.each_took(self.ports(self.cluster.nodes))
        self.assertLess(took[len(took) * 9 // 10], REPEATED_SECONDS_MAX)
        return took[-1]

    def ports(self, nodes):
        return [node.port for node in nodes]

    def test_a_node_that_was_not_started_for_it_refuses(self):
        with Cluster("calm", count=1) as calm:
            for words in ([], ["off"], ["drop", "--rate", "30"]):
                code, out, err = chaos(calm.nodes[0], *words)
                self.assertEqual((code, out), (1, ""))
                self.assertIn("start it with --enable-chaos", err)

    def test_the_health_check_is_answered_with_error(self):
        self.assertEqual(chaos(self.victim)[1], "it does nothing wrong on purpose\n")
        self.begin("health", "--for-ms", "5000")
        self.assertTrue(ask(self.victim.port, "PING").startswith(b"-ERROR "))
        self.until_noticed("error")
        self.assertIn("the health check is answered with ERROR", chaos(self.victim)[1])
        code, out, _ = run([BINARY, "status", "-s", self.others[0].address])
        self.assertEqual(code, 1)
        self.assertIn(f"{self.victim.name} fails on purpose: the health check is answered with ERROR", out)
        # It takes requests all the same; it is asked last.
        self.round(self.ports(self.cluster.nodes))
        until("it to end by itself", lambda: ask(self.victim.port, "PING") == b"+PONG\r\n", seconds_max=6.0)
        self.until_healed()
        for line in ("failing on purpose from now on: the health check", "no longer failing on purpose: the health"):
            self.assertIn(line, self.victim.log.read_text())

    def test_all_messages_are_lost(self):
        self.begin("drop")
        self.until_noticed("suspect", "down")
        slowest = self.round(self.ports(self.others))
        self.assertIn(b"NOQUORUM", ask(self.victim.port, "GET", KEYS[0]))
        self.begin("off")
        took = self.until_healed()
        print(f"    all lost: the slowest request at the others {slowest * 1000:.0f} ms; healed after {took:.1f} s")

    def test_some_messages_are_lost_or_late(self):
        self.begin("drop", "--rate", "20")
        lossy = self.repeated()
        self.begin("off")
        self.begin("delay", "--by-ms", "150", "--rate", "50")
        late = self.repeated()
        self.begin("off")
        self.until_healed()
        print(f"    a fifth lost: the slowest request {lossy * 1000:.0f} ms; half 150 ms late: {late * 1000:.0f} ms")

    def test_connections_are_refused(self):
        peer, third = self.others
        self.begin("refuse", "--peer", peer.name)
        until("the link to be gone", lambda: members(peer.port)[self.victim.name]["state"] != "up",
              seconds_max=NOTICED_SECONDS_MAX, log=peer.log)
        self.assertEqual(members(third.port)[self.victim.name]["state"], "up", "the third has its links")
        self.round(self.ports(self.cluster.nodes))
        self.assertIn(b"no other member", ask(self.victim.port, "ARMILLA.CHAOS", "DROP", "PEER", "nobody"))
        self.begin("off")
        self.until_healed()
