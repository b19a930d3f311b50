"""Each fault by itself, several at once, and power cuts of all: nothing acknowledged is missing, and all work again at once.

For minutes and hours of the same there is `tests/system/storm`.
"""

import random
import time
import unittest

import faults
from cluster import until
from history import OK, check
from load import Load, read_back
from machines import Machines
from storm import Bout, Summary, cut_power_together

FAULT_SECONDS = 1.0
STORM_SECONDS = 12
POWER_CUTS = 3
ANSWER_SECONDS_MAX = 3
# So few would mean that the load is none; a slow machine does a hundred times as many.
OPERATIONS_MIN = 10
# Of each other node while one is hurt. A request that waits for a node that hangs takes two seconds.
OTHERS_MIN = 3
SHOWN_MAX = 10


class EachFault(unittest.TestCase):
    def one_after_another(self, machines, names):
        """One machine at a time, or one cut of the network."""
        load = Load(machines.places, "each", ANSWER_SECONDS_MAX)
        load.start()
        self.addCleanup(load.stop)
        for name, fault in names.items():
            site = faults.Site(machines, f"each {name}", most=1)
            with self.subTest(name):
                began = time.monotonic()
                with fault(site):
                    time.sleep(FAULT_SECONDS)
                    if name in faults.OF_MACHINES:
                        others = [node.address for node in site.free]
                        until("the others to go on", lambda: self.go_on(load, others, began, OTHERS_MIN))
                self.assertEqual(machines.mend() + site.ended, [])
                healed = time.monotonic()
                until("all to go on", lambda: self.go_on(load, machines.places, healed, OPERATIONS_MIN))
        load.stop()
        reads = [read for place in machines.places for read in read_back(load.operations, place)]
        wrong = check(load.operations + reads)
        self.assertFalse(wrong, f"{len(wrong)} in {len(load.operations)} operations:\n" + "\n".join(wrong[:SHOWN_MAX]))
        done = sum(operation.outcome == OK for operation in load.operations)
        print(f"    {len(load.operations)} operations, {done} done, {len(reads)} reads afterwards", flush=True)

    def go_on(self, load, places, since, least):
        done = load.count_since(since)
        return all(done[place] >= least for place in places)

    def test_machines_and_cables(self):
        with Machines("each", 5) as machines:
            self.one_after_another(machines, faults.OF_MACHINES | faults.OF_CABLES)

    def test_connections(self):
        with Machines("proxied", 3, proxied=True) as machines:
            self.one_after_another(machines, faults.OF_CONNECTIONS)


class Storms(unittest.TestCase):
    def assert_fine(self, summary):
        print("    " + summary.line(), flush=True)
        self.assertEqual((summary.wrong, summary.broken), (0, 0))
        self.assertGreater(summary.outcomes[OK], OPERATIONS_MIN)

    def test_several_at_once(self):
        summary = Summary(random.SystemRandom().randrange(10**9))
        Bout(summary.seed).run(summary, STORM_SECONDS)
        self.assert_fine(summary)

    def test_all_lose_power_together(self):
        self.assert_fine(cut_power_together(random.SystemRandom().randrange(10**9), POWER_CUTS))
