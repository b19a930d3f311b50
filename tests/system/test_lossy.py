"""The same load and the same checker on stores that do lose what they have acknowledged: it must be found.

Otherwise a storm in which nothing is missing would say nothing.
"""

import shutil
import signal
import subprocess
import time
import unittest

from cluster import HOST, ask, directory, free_ports, spawn, until
from history import OK, check
from load import Load, read_back
from machines import Machines

LOAD_SECONDS = 1.5
# So few acknowledged writes would be lost by a load that is none.
LOST_MIN = 20


class Lossy(unittest.TestCase):
    def assert_loss_is_found(self, operations, place):
        reads = read_back(operations, place)
        wrong = check(operations + reads)
        lost = {line.split()[1] for line in wrong if line.startswith("lost: ")}
        self.assertGreater(len(lost), LOST_MIN, wrong[:10])
        # What the checker may know: keys of one writer with an acknowledged write and never a delete that are not there.
        deleted = {operation.key for operation in operations if operation.kind == "delete"}
        written = {op.key for op in operations if op.kind == "set" and op.outcome == OK and op.key.startswith("mark:")}
        gone = {read.key for read in reads if read.value is None} & written - deleted
        self.assertEqual(gone - lost, set())
        kinds = {key.split(":")[0] for key in lost}
        self.assertTrue(kinds >= {"mark", "counter"}, kinds)
        print(f"    {len(operations)} operations, {len(lost)} keys found lost", flush=True)

    def start_redis(self, port, *more):
        program = shutil.which("redis-server") or shutil.which("redis-check-rdb")
        self.assertTrue(program, "there is no redis-server")
        command = ["redis-server", "--port", port, "--bind", HOST, "--save", "", "--dir", directory("lossy"), *more]
        process = spawn(command, executable=program, stdout=subprocess.DEVNULL)
        self.addCleanup(lambda: (process.kill(), process.wait()))
        until("redis to answer", lambda: ask(port, "PING") == b"+PONG\r\n")
        return process

    def test_a_failover_to_a_replica_that_was_behind(self):
        """Redis acknowledges before its replica has anything; here the replica hangs for the second half of the load."""
        first = free_ports(2)
        master = self.start_redis(first)
        replica = self.start_redis(first + 1, "--replicaof", HOST, first)
        until("the replica", lambda: b"master_link_status:up" in (ask(first + 1, "INFO", "replication") or b""))
        load = Load([first], "failover")
        load.start()
        self.addCleanup(load.stop)
        time.sleep(LOAD_SECONDS)
        replica.send_signal(signal.SIGSTOP)
        time.sleep(LOAD_SECONDS)
        load.stop()
        master.kill()
        replica.send_signal(signal.SIGCONT)
        self.assertEqual(ask(first + 1, "REPLICAOF", "NO", "ONE"), b"+OK\r\n")
        self.assert_loss_is_found(load.operations, first + 1)

    def test_a_power_cut_of_all_nodes_that_do_not_sync(self):
        """Armilla told to acknowledge without a sync. It proves too that a power cut here takes away what was not synced."""
        with Machines("unsynced", settings=["--fsync", "never"]) as machines:
            load = Load(machines.places, "unsynced")
            load.start()
            self.addCleanup(load.stop)
            time.sleep(LOAD_SECONDS)
            for node in machines.nodes:
                node.cut_power()
            for node in machines.nodes:
                node.kill()
            load.stop()
            machines.mend()
            self.assert_loss_is_found(load.operations, machines.places[0])
