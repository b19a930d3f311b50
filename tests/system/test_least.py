"""What moves when the ring changes is little more than what has to: the copies that somebody owns anew, once each."""

import json
import os
import unittest

from cluster import Cluster, armilla
from load import connect

KEYS, AT_ONCE = 20_000, 500
VALUE_BYTES = 4_000
SLOTS = 16_384
# What is moved against the least that can be, in cells and in bytes, of which a part is sums that are compared.
CELLS_MAX, BYTES_MAX = 1.02, 1.15
# Which keys lie in what moves is chance.
CELLS_MIN = 0.95


def name_of(number):
    return f"key:{number:08}"


class Least(unittest.TestCase):
    def setUp(self):
        self.cluster = self.enterContext(Cluster("least"))

    def owners(self):
        """Who holds each slot."""
        with connect(self.cluster.ports[0]) as client:
            slots = client.cluster("SLOTS")
        held = {}
        for first, last, *nodes in slots:
            held.update(dict.fromkeys(range(first, last + 1), {port for _, port, *_ in nodes}))
        self.assertEqual(len(held), SLOTS)
        return held

    def taken(self):
        """What each node has taken from others since it was started: cells and bytes."""
        taken = {}
        for node in self.cluster.nodes:
            code, out, err = armilla(node, "status", "--json")
            self.assertEqual(code, 0, err)
            sync = json.loads(out)["sync"]
            taken[node.name] = (sync["cells_taken"], sync["bytes_taken"])
        return taken

    def moved(self, what, change):
        """Has something changed, and looks at what was moved for it."""
        before, owned = self.taken(), self.owners()
        change()
        self.cluster.wait_until_settled()
        self.cluster.wait_until_whole()
        by_node = [(taken, before.get(name, (0, 0))) for name, taken in self.taken().items()]
        cells, size = (sum(now[at] - then[at] for now, then in by_node) for at in (0, 1))
        now = self.owners()
        anew = sum(len(now[slot] - owned[slot]) for slot in range(SLOTS)) / SLOTS
        least_cells = anew * KEYS
        least_size = least_cells * (VALUE_BYTES + len(name_of(0)))
        said = (
            f"{what}: {size / 1e6:.1f} MB moved, {size / least_size:.3f} of the least; "
            f"{cells} cells, {cells / least_cells:.3f} of it"
        )
        print(f"    {said}")
        self.assertGreater(anew, 0, "nothing has to move")
        self.assertLessEqual(cells, CELLS_MAX * least_cells, said)
        self.assertGreaterEqual(cells, CELLS_MIN * least_cells, said)
        self.assertLessEqual(size, BYTES_MAX * least_size, said)

    def drain(self, node):
        code, out, err = armilla(self.cluster.nodes[0], "drain", node.name)
        self.assertEqual(code, 0, out + err)
        self.cluster.wait_until_gone(node)

    def test_each_copy_moves_once(self):
        with connect(self.cluster.ports[0]) as client:
            for first in range(0, KEYS, AT_ONCE):
                some = {name_of(number): os.urandom(VALUE_BYTES) for number in range(first, first + AT_ONCE)}
                self.assertTrue(client.mset(some))
        self.cluster.wait_until_whole()
        self.moved("a fourth joins", lambda: self.cluster.join("server4"))
        self.moved("a fifth joins", lambda: self.cluster.join("server5"))
        fourth = next(node for node in self.cluster.nodes if node.name == "server4")
        self.moved("the fourth leaves", lambda: self.drain(fourth))
