"""A node is stopped and goes on: the others suspect it, go round it, and trust it again. Nobody else is suspected meanwhile."""

import json
import signal
import time
import unittest

from cluster import BINARY, Cluster, ask, run, until

SUSPECT_SECONDS_MAX = 3.0
TRUSTED_SECONDS_MAX = 1.0
# How long a request may take where a node that was asked for its part does not answer: it is not waited for.
ROUND_SECONDS_MAX = 0.5
PAUSES_SECONDS = (4.0, 12.0)
KEYS = [f"pause:{number}" for number in range(60)]


def members(port):
    """How a node sees each member: its word for it, by name."""
    code, out, err = run([BINARY, "status", "-s", f"127.0.0.1:{port}", "--json"])
    assert code != 2, err
    return {member["name"]: member for member in json.loads(out)["members"]}


def flags(port, victim):
    """What `CLUSTER NODES` calls the node at a port."""
    lines = ask(port, "CLUSTER", "NODES").decode().splitlines()
    return next(line.split(" ")[2] for line in lines if f":{victim}@" in line)


class Pause(unittest.TestCase):
    def setUp(self):
        self.cluster = self.enterContext(Cluster("pause"))
        for node in self.cluster.nodes:
            self.addCleanup(lambda node=node: node.process and node.process.send_signal(signal.SIGCONT))

    def state(self, port, victim):
        return members(port)[victim.name]["state"]

    def test_a_node_that_is_stopped_is_suspected_and_trusted_again(self):
        victim, *others = self.cluster.nodes
        for pause in PAUSES_SECONDS:
            with self.subTest(f"{pause} s"):
                self.pause(victim, others, pause)

    def pause(self, victim, others, pause):
        before = members(others[0].port)[victim.name]["incarnation"]
        victim.process.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        for other in others:
            until("the stopped node to be suspect", lambda: flags(other.port, victim.port) == "master,fail?",
                  seconds_max=SUSPECT_SECONDS_MAX, log=other.log)
        suspected = time.monotonic() - stopped
        self.assertEqual(self.state(others[0].port, victim), "suspect")
        slowest = max(self.round(other.port) for other in others)
        self.assertLess(slowest, ROUND_SECONDS_MAX)
        down = self.time_until_down(victim, others, stopped, pause)
        time.sleep(max(0.0, stopped + pause - time.monotonic()))
        victim.process.send_signal(signal.SIGCONT)
        goes_on = time.monotonic()
        for other in others:
            until("it to be trusted again", lambda: flags(other.port, victim.port) == "master",
                  seconds_max=TRUSTED_SECONDS_MAX + 1.0, log=other.log)
        trusted = time.monotonic() - goes_on
        self.assertLess(trusted, TRUSTED_SECONDS_MAX)
        after = members(others[0].port)[victim.name]["incarnation"]
        self.assertGreater(after, before, "it has denied it itself")
        self.assertNotIn("suspect", victim.log.read_text(), "it has held its own sleep against nobody")
        print(f"    stopped for {pause} s: suspect after {suspected:.2f} s, down {down}, trusted {trusted:.2f} s after it"
              f" went on; the slowest request meanwhile {slowest * 1000:.0f} ms", flush=True)

    def time_until_down(self, victim, others, stopped, pause):
        """It is shown as down once it has not denied for long, which a short pause does not reach."""
        while time.monotonic() < stopped + pause - 2.0:
            if flags(others[0].port, victim.port) == "master,fail":
                after = time.monotonic() - stopped
                self.assertEqual(self.state(others[0].port, victim), "down")
                return f"after {after:.2f} s"
            time.sleep(0.1)
        self.assertLess(pause, 8.0, "nobody took it for down")
        return "not at all"

    def round(self, port):
        """Writes and reads keys of many partitions; gives how long the slowest took."""
        slowest = 0.0
        for key in KEYS:
            began = time.monotonic()
            self.assertEqual(ask(port, "INCR", key)[:1], b":")
            self.assertNotEqual(ask(port, "GET", key), b"$-1\r\n")
            slowest = max(slowest, time.monotonic() - began)
        return slowest
