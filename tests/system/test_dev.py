"""The first five minutes: `armilla dev` in an empty directory, redis-cli, a JSON line, the prompt, a node that dies."""

import json
import os
import pty
import re
import select
import shlex
import signal
import socket
import subprocess
import unittest

from cluster import BINARY, HOST, PEER_PORT_OFFSET, WAIT_SECONDS_MAX, ask, directory, free_ports, run, spawn, until


def redis_cli(port, *words):
    code, out, err = run(["redis-cli", "-p", port, *words])
    assert code == 0 and not err, f"redis-cli {words} ended with {code}: {out}{err}"
    return out.rstrip("\n")


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Dev:
    """A running `armilla dev` in a folder of its own, with what it has written."""

    def __init__(self, folder, port, *flags):
        self.out, self.err = folder / "out", folder / "err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = spawn([BINARY, "dev", "--port", port, *flags], cwd=folder, stdout=out, stderr=err)

    def line(self, pattern, of=None, seconds_max=WAIT_SECONDS_MAX):
        of = of or self.out
        found = lambda: re.search(pattern, of.read_text(), re.MULTILINE)  # noqa: E731
        return until(f"a line like {pattern}", found, seconds_max, log=self.err)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(WAIT_SECONDS_MAX)


class FirstMinutes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder, cls.port = directory("dev"), free_ports(3)
        cls.dev = Dev(cls.folder, cls.port)
        cls.addClassCleanup(lambda: (cls.dev.process.kill(), cls.dev.process.wait()))
        cls.dev.line("^ready ")

    def test_1_it_tells_what_runs_and_says_ready(self):
        ports = [self.port + index for index in range(3)]
        lines = self.dev.out.read_text().splitlines()
        ready = [line for line in lines if line.startswith("ready")]
        self.assertEqual(ready, ["ready " + " ".join(f"{HOST}:{port}" for port in ports)])
        for index, port in enumerate(ports):
            told = f"clients {HOST}:{port}  peers {HOST}:{port + PEER_PORT_OFFSET}"
            self.assertRegex(lines[index], rf"^server{index + 1}  pid \d+  {re.escape(told)}$")
        self.assertEqual(self.dev.err.read_text(), "")
        self.assertTrue((self.folder / "armilla-dev" / "server1").is_dir(), "the data is in ./armilla-dev")

    def test_2_redis_cli_at_every_node(self):
        self.assertEqual(redis_cli(self.port, "set", "k", "v"), "OK")
        self.assertEqual(redis_cli(self.port + 2, "get", "k"), "v")
        self.assertEqual(redis_cli(self.port + 1, "incrby", "visits", "2"), "2")
        self.assertEqual(redis_cli(self.port, "incr", "visits"), "3")
        told = redis_cli(self.port + 1, "-3", "hello", "3").splitlines()
        for line in ("server redis", "proto 3", "role master"):
            self.assertIn(line, told)
        told = redis_cli(self.port + 1, "--no-raw", "-3", "hello", "3")
        self.assertRegex(told, r'1# "server" => "redis"')

    def test_3_a_json_line_and_resp_see_each_other(self):
        def line(port, **request):
            with socket.create_connection((HOST, port), timeout=5) as stream:
                stream.sendall(json.dumps(request).encode() + b"\n")
                return json.loads(stream.makefile().readline())

        answer = line(self.port, type="SET", key="a", value="1")
        self.assertEqual((answer["type"], answer["status"], answer["key"]), ("RESPONSE", "SUCCESS", "a"))
        self.assertRegex(answer["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
        self.assertEqual(ask(self.port + 1, "GET", "a"), b"$1\r\n1\r\n")
        self.assertEqual(redis_cli(self.port + 1, "set", "b", "two"), "OK")
        self.assertEqual(line(self.port + 2, type="GET", key="b")["value"], "two")
        self.assertEqual(line(self.port + 2, type="DELETE", key="b")["status"], "SUCCESS")
        self.assertEqual(ask(self.port, "GET", "b"), b"$-1\r\n")

    def test_4_the_prompt(self):
        told = self.at_the_prompt("SET greeting hello", "GET greeting", "DELETE greeting", "GET greeting", "EXIT")
        for answer in ("OK", '"hello"', "(integer) 1", "(nil)"):
            self.assertIn(answer, told)

    def at_the_prompt(self, *lines):
        """Types lines at the prompt, at a terminal, each after the answer to the one before. Gives all that was shown."""
        terminal, other_end = pty.openpty()
        environment = {"TERM": "dumb", "HOME": str(self.folder), "PATH": os.environ["PATH"]}
        prompt = subprocess.Popen(
            [BINARY, "cli", "-s", f"{HOST}:{self.port}"],
            stdin=other_end, stdout=other_end, stderr=other_end, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(other_end)
        shown = b""

        def has_rested():
            nonlocal shown
            readable, _, _ = select.select([terminal], [], [], 0.4)
            if not readable:
                return True
            try:
                some = os.read(terminal, 65536)
            except OSError:
                return True
            shown += some
            return not some

        try:
            for line in lines:
                before = len(shown)
                until("the prompt", lambda: has_rested() and len(shown) > before)
                os.write(terminal, line.encode() + b"\r")
            self.assertEqual(prompt.wait(WAIT_SECONDS_MAX), 0, shown)
            has_rested()
        finally:
            prompt.kill()
            prompt.wait()
            os.close(terminal)
        return shown.decode(errors="replace")

    def test_5_a_dead_node_is_told_and_starts_again_by_the_line_shown(self):
        pid = int(self.dev.line(r"^server2  pid (\d+)").group(1))
        os.kill(pid, signal.SIGKILL)
        self.dev.line(r"server2 .*was killed by signal 9", of=self.dev.err)
        line = self.dev.line(r"^  (.* server --id server2 .*)$", of=self.dev.err).group(1)
        self.assertEqual(redis_cli(self.port, "set", "k", "v2"), "OK")
        self.assertEqual(redis_cli(self.port + 2, "get", "k"), "v2")
        with (self.folder / "again").open("wb") as log:
            again = spawn(shlex.split(line), cwd=self.folder, stdout=log, stderr=log)
        try:
            until("server2 to answer", lambda: ask(self.port + 1, "PING") == b"+PONG\r\n", log=self.folder / "again")
            until("all to be up", lambda: run([BINARY, "status", "-s", f"{HOST}:{self.port}"])[0] == 0)
            self.assertEqual(redis_cli(self.port + 1, "get", "k"), "v2")
        finally:
            again.terminate()
            again.wait(WAIT_SECONDS_MAX)

    def test_6_ctrl_c_stops_all_and_the_data_stays(self):
        pids = [int(pid) for pid in re.findall(r"  pid (\d+)  ", self.dev.out.read_text())]
        self.assertEqual(len(pids), 3)
        self.assertEqual(self.dev.stop(), 0)
        self.assertFalse([pid for pid in pids if is_alive(pid)])
        again = Dev(self.folder, self.port)
        try:
            again.line("^ready ")
            self.assertEqual(redis_cli(self.port + 1, "get", "k"), "v2")
            self.assertEqual(redis_cli(self.port + 2, "incr", "visits"), "4")
            self.assertEqual(again.stop(), 0)
        finally:
            again.process.kill()
            again.process.wait()
