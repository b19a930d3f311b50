"""A node that stands still or is cut off is suspected within seconds, and trusted again as fast; others are not.

The seconds are printed. Three are meant, each way; a machine with other work may take longer.
"""

import re
import time
import unittest

from cluster import until
from machines import Machines

SECONDS_MAX = 15


class Suspicion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.machines = cls.enterClassContext(Machines("suspicion", 5, disk_bytes=0))

    def suspects(self, node):
        """Whom this node does not take for well."""
        # Two spaces and more are between columns, one is within.
        rows = [re.split(" {2,}", line) for line in node.status().partition("\n\n")[0].splitlines()[1:]]
        return {row[0] for row in rows if row[1] not in ("up", "this node")}

    def until_suspected(self, what, who, by):
        """Seconds until each of these suspects the one and nobody else."""
        began = time.monotonic()
        for node in by:
            until(f"{node.name} to suspect {who or 'nobody'}", lambda: self.suspects(node) == who, SECONDS_MAX, node.log)
        print(f"    {what}: {time.monotonic() - began:.1f} s", flush=True)

    def check(self, begin, end):
        victim = self.machines.nodes[2]
        others = [node for node in self.machines.nodes if node is not victim]
        begin(victim)
        self.until_suspected("suspected by all", {victim.name}, others)
        end(victim)
        self.until_suspected("trusted by all", set(), others)
        self.until_suspected("trusts all", set(), [victim])

    def test_a_node_that_stands_still(self):
        self.check(lambda node: node.pause(), lambda node: node.resume())

    def test_a_node_that_lost_its_network(self):
        net = self.machines.net
        self.check(lambda node: net.unplug(node.number), lambda node: net.plug(node.number))

    def test_a_node_that_no_other_reaches(self):
        """What it sends arrives; what others send does not."""
        net = self.machines.net
        self.check(
            lambda node: net.cut((other, node.number) for other in net.hosts if other != node.number),
            lambda _: net.heal(),
        )
