"""ioredis and the `redis` crate: programs of their own, whose cases come here line by line."""

import os
import pathlib
import unittest

from cluster import Cluster, run

# Where the runner has put them.
MODULES = os.environ["ARMILLA_SYSTEM_IOREDIS"]
REDIS_CRATE = os.environ["ARMILLA_SYSTEM_REDIS_CRATE"]
PROGRAM_SECONDS_MAX = 120
CASES_MIN = 9


class OtherClients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.enterClassContext(Cluster("clients"))

    def judge(self, command):
        """Each line `ok NAME` or `FAILED NAME: why` is a case; the exit code must agree."""
        code, out, err = run([*command, *self.cluster.ports], seconds_max=PROGRAM_SECONDS_MAX)
        cases = [line for line in out.splitlines() if line.startswith(("ok ", "FAILED "))]
        for line in cases:
            with self.subTest(line.removeprefix("ok ").split(":")[0]):
                self.assertTrue(line.startswith("ok "), line)
        is_well = all(line.startswith("ok ") for line in cases)
        self.assertEqual(code == 0, is_well, f"exit code {code}; {err}")
        self.assertGreaterEqual(len(cases), CASES_MIN, out + err)

    def test_ioredis(self):
        self.judge(["node", pathlib.Path(__file__).with_name("ioredis.mjs"), MODULES])

    def test_the_redis_crate(self):
        self.judge([REDIS_CRATE])
