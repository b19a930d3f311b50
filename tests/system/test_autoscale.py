"""Nodes come when the load rises and go when it falls: as children of `armilla dev`, and by commands of the user's. Nothing that was
acknowledged is missing afterwards, and what was decided can be read."""

import json
import os
import pathlib
import re
import signal
import time
import unittest

from cluster import BINARY, HOST, WAIT_SECONDS_MAX, Cluster, directory, free_ports, run, until
from history import check
from load import Load, read_back
from test_dev import Dev, is_alive

# Any load is more, and none is less.
MARKS = ("--autoscale-operations", "20..100")
TIMES = ("--autoscale-hold-ms", "1000", "--autoscale-cool-down-ms", "1000")
OPERATIONS_MIN = 200
# Operations a second of all clients: well above the marks, and little enough that shares move fast.
RATE = 1_500
SHOWN_MAX = 10
ASK_EVERY_SECONDS = 0.5
# Shares are moved while a load goes on, one node after another.
SCALED_SECONDS_MAX = 2 * WAIT_SECONDS_MAX

# What all nodes are told, those too that come; and how a user might start one: in the background, with what it writes in a file.
SETTINGS = """\
autoscale = "on"
autoscale-max = 4
autoscale-operations = "20..100"
autoscale-hold-ms = 1000
autoscale-cool-down-ms = 5000
scale-out = '''
cd %(folder)s
port=$((%(port)d + ${ARMILLA_NODE#auto}))
setsid %(binary)s server --config settings --id {node} --addr %(host)s:$port --dir {node} >{node}.log 2>&1 &
echo $! >{node}.pid
echo {node} is to serve on port $port
'''
scale-in = '''
cd %(folder)s
while test -e /proc/$(cat {node}.pid)/exe; do sleep 0.1; done
rm -r {node} && echo the disk of {node} is gone
'''
"""


def status(port):
    code, out, err = run([BINARY, "status", "--json", "-s", f"{HOST}:{port}"])
    assert code in (0, 1), err
    return json.loads(out)


def history(port):
    """What all members have decided."""
    told = [member["autoscale"] or {} for member in status(port)["members"]]
    return [record for own in told for record in own.get("history", [])]


def member_names(port):
    return sorted(member["name"] for member in status(port)["members"])


class Scaled(unittest.TestCase):
    def judge(self, load, ports):
        self.assertGreater(len(load.operations), OPERATIONS_MIN)
        reads = [read for port in ports for read in read_back(load.operations, port)]
        wrong = check(load.operations + reads)
        self.assertFalse(wrong, "\n".join(wrong[:SHOWN_MAX]))

    def test_children_of_dev_come_and_go(self):
        folder, port = directory("autoscale"), free_ports(5)
        dev = Dev(folder, port, "--autoscale", "3..5", *MARKS, *TIMES)
        self.addCleanup(lambda: (dev.process.kill(), dev.process.wait()))
        ports = [port + index for index in range(3)]
        dev.line("^ready ")
        load = Load(ports, "autoscale", rate=RATE)
        load.start()
        for name in ("server4", "server5"):
            dev.line(rf"^autoscaler: start {name}: \d+ operations/s a node, above 100, for ", seconds_max=SCALED_SECONDS_MAX)
            dev.line(rf"^autoscaler: start {name}: done: ", seconds_max=SCALED_SECONDS_MAX)
        pids = [int(pid) for pid in re.findall(r"^server[45]  pid (\d+)", dev.out.read_text(), re.MULTILINE)]
        self.assertEqual(member_names(port), [f"server{number}" for number in range(1, 6)])
        load.stop()
        for name in ("server5", "server4"):
            dev.line(rf"^autoscaler: drain {name}: \d+ operations/s a node, below 20", seconds_max=SCALED_SECONDS_MAX)
            dev.line(rf"^autoscaler: drain {name}: done: it has left", seconds_max=SCALED_SECONDS_MAX)
        self.assertEqual(member_names(port), ["server1", "server2", "server3"])
        self.assertFalse([pid for pid in pids if is_alive(pid)], "who has left is reaped")
        kept = sorted(path.name for path in (folder / "armilla-dev").iterdir())
        logs = ["autoscale.log", "lock", "server1", "server2", "server3", "server4.log", "server5.log"]
        self.assertEqual(kept, logs)
        told = re.findall(r"^autoscaler: (.*)$", dev.out.read_text(), re.MULTILINE)
        written = (folder / "armilla-dev" / "autoscale.log").read_text().splitlines()
        self.assertEqual([line.split(" ", 1)[1] for line in written], told)
        self.assertEqual(len(told), 8, told)
        # That is a load too, but too short a one to wait for what it calls for.
        self.judge(load, ports)
        self.assertEqual((dev.err.read_text(), dev.stop()), ("", 0))

    def test_commands_start_nodes_and_clean_up(self):
        cluster = Cluster("scaled")
        names = {"binary": BINARY, "host": HOST, "folder": cluster.folder, "port": free_ports(2)}
        settings = cluster.folder / "settings"
        settings.write_text(SETTINGS % names)
        cluster.flags = ("--config", settings)
        self.enterContext(cluster)
        # Before the folder is removed in which it looks.
        self.addCleanup(self.end_all, cluster.folder)
        first, log = cluster.ports[0], cluster.nodes[0].log
        load = Load(cluster.ports, "scaled", rate=RATE)
        load.start()

        def done(what):
            # Who asks all the time is a load too.
            time.sleep(ASK_EVERY_SECONDS)
            return next((seen for seen in history(first) if seen["what"] == what and "done: " in seen["outcome"]), None)

        started = until("auto1 to serve", lambda: done("start auto1"), SCALED_SECONDS_MAX, log)
        self.assertRegex(started["why"], r"^\d+ operations/s a node, above 100, for ")
        said = r"^done: scale-out ended with exit code 0 and said: auto1 is to serve on port \d+; it has its share"
        self.assertRegex(started["outcome"], said)
        self.assertEqual(member_names(first), ["auto1", "server1", "server2", "server3"])
        shown = lambda: run([BINARY, "status", "-s", f"{HOST}:{first}"])[1]  # noqa: E731
        most = r"(?m)^autoscale on, 1\.\.4 members: .*above 100; 4 members are the most$"
        until("the status to tell how it stands", lambda: re.search(most, shown()))
        self.assertRegex(shown(), r"(?m)^  \d+ s ago: start auto1: ")
        load.stop()
        gone = until("auto1 to be gone", lambda: done("drain auto1"), SCALED_SECONDS_MAX, log)
        self.assertIn("scale-in ended with exit code 0 and said: the disk of auto1 is gone", gone["outcome"])
        self.assertEqual(member_names(first), ["server1", "server2", "server3"])
        self.assertFalse((cluster.folder / "auto1").exists())
        self.judge(load, cluster.ports)

    def end_all(self, folder):
        """Ends what the commands may have left."""
        for path in pathlib.Path(folder).glob("auto*.pid"):
            pid = int(path.read_text())
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)

    def test_a_dry_run_only_says_what_it_would_do(self):
        cluster = Cluster("dry")
        cluster.flags = ("--autoscale-max", "4", *MARKS, *TIMES)
        with cluster:
            load = Load(cluster.ports, "dry", rate=RATE)
            load.start()
            first = cluster.ports[0]
            (record,) = until("a decision", lambda: history(first))
            load.stop()
            self.assertEqual((record["what"], record["outcome"]), ("would start auto1", "a dry run: nothing was done"))
            self.assertEqual(member_names(first), ["server1", "server2", "server3"])
            self.assertEqual(len(history(first)), 1)
