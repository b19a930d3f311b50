"""Real nodes as processes on loopback: started, killed and started again.

Not a load and not a check of answers. Standard library only.

1. Nothing outlives the tests: the system kills every process when the one that started it ends, however it ends.
2. Every wait is bounded, and one that ends in vain shows the end of the log.
"""

import ctypes
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

HOST = "127.0.0.1"
# The binary under test, and where everything that a run makes lies; the runner sets them.
BINARY = pathlib.Path(os.environ["ARMILLA_SYSTEM_BINARY"])
SCRATCH = pathlib.Path(os.environ["ARMILLA_SYSTEM_SCRATCH"])
# Ports below those that the system gives to outgoing connections, with room for the ports for HTTP and for peers.
PORTS = range(12_000, 28_000)
HTTP_PORT_OFFSET = 1_000
PEER_PORT_OFFSET = 3_000
# A machine that compiles at the same time is slow.
WAIT_SECONDS_MAX = 40
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def spawn(command, environment=None, **more):
    """Starts a process that dies with this one, with none of the settings that the surroundings have for Armilla.

    `environment` is what it has besides."""
    # The system counts the end of the starting thread as the end of the parent.
    assert threading.current_thread() is threading.main_thread()
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("ARMILLA_")}
    more.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen(
        [str(word) for word in command], env=surroundings | (environment or {}), preexec_fn=_die_with_parent, **more
    )


def run(command, seconds_max=WAIT_SECONDS_MAX, **more):
    """Runs a process to its end. Gives its exit code, standard output and standard error."""
    process = spawn(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    try:
        out, err = process.communicate(timeout=seconds_max)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"{command} did not end within {seconds_max} s; it wrote:\n{out}{err}") from None
    return process.returncode, out, err


def until(what, holds, seconds_max=WAIT_SECONDS_MAX, log=None):
    """Waits until `holds()` gives something true, and gives it on."""
    deadline = time.monotonic() + seconds_max
    while True:
        held = holds()
        if held:
            return held
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds_max} s in vain for {what}{tail(log)}")
        time.sleep(0.02)


def tail(log):
    if log is None or not log.exists():
        return ""
    return f"; {log.name} ends with:\n" + "".join(log.open(errors="replace").readlines()[-12:])


def free_ports(count):
    """The first of `count` free ports in a row whose ports for HTTP and for peers are free too."""

    def is_free(port):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                return False
        return True

    for _ in range(1000):
        first = random.randrange(PORTS.start, PORTS.stop - count)
        ports = range(first, first + count)
        if all(is_free(port + offset) for port in ports for offset in (0, HTTP_PORT_OFFSET, PEER_PORT_OFFSET)):
            return first
    raise AssertionError(f"no {count} free ports in a row")


def directory(name):
    """A new directory; the runner removes all of them at the end."""
    return pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=SCRATCH))


def ask(port, *words, seconds_max=5.0, host=HOST):
    """One request over a bare socket. Gives the bytes of the answer, or None if there is no connection."""
    end = b"the end of the answer"
    lines = b"".join(b"*%d\r\n" % len(request) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in request)
                     for request in ([str(word).encode() for word in words], [b"ECHO", end]))
    mark = b"$%d\r\n%s\r\n" % (len(end), end)
    got = b""
    try:
        with socket.create_connection((host, port), timeout=seconds_max) as stream:
            stream.sendall(lines)
            while not got.endswith(mark):
                some = stream.recv(65536)
                if not some:
                    return None
                got += some
    except OSError:
        return None
    return got[: -len(mark)]


class Node:
    """One `armilla server`, which keeps its name, address and directory over its lives."""

    # What stands before its command, and what it finds in its environment.
    prefix, environment = (), None

    def __init__(self, name, port, folder, host=HOST):
        self.name, self.port, self.host = name, port, host
        self.folder, self.log = folder / name, folder / f"{name}.log"
        self.process = None

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def start(self, *more):
        assert self.process is None, f"{self.name} runs already"
        with self.log.open("ab") as log:
            command = [BINARY, "server", "--id", self.name, "--addr", self.address, "--dir", self.folder, *more]
            self.process = spawn([*self.prefix, *command], self.environment, stdout=log, stderr=log)

    def wait_until_it_answers(self):
        def answers():
            code = self.process.poll()
            assert code is None, f"{self.name} ended with {code}{tail(self.log)}"
            return ask(self.port, "PING", seconds_max=1.0, host=self.host) == b"+PONG\r\n"

        until(f"{self.name} to answer", answers, log=self.log)

    def kill(self):
        self.end(signal.SIGKILL)

    def end(self, how=signal.SIGTERM):
        process, self.process = self.process, None
        process.send_signal(how)
        try:
            return process.wait(WAIT_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{self.name} did not end by signal {how}{tail(self.log)}") from None


def armilla(node, *words):
    """What a command of the CLI comes to that asks this node."""
    return run([BINARY, *words, "-s", node.address], seconds_max=3 * WAIT_SECONDS_MAX)


class Cluster:
    """Three nodes that know each other."""

    def __init__(self, name="cluster", count=3, flags=()):
        self.flags = flags
        self.folder = directory(name)
        first = free_ports(count)
        self.nodes = [Node(f"server{index + 1}", first + index, self.folder) for index in range(count)]

    def __enter__(self):
        try:
            for index, node in enumerate(self.nodes):
                node.start(*self.flags, *(["--join", self.nodes[0].address] if index else []))
                node.wait_until_it_answers()
            self.wait_until_linked()
            self.wait_until_settled()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            if node.process is not None:
                node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def ports(self):
        return [node.port for node in self.nodes]

    def join(self, name):
        """One more node, that asks the first for its share."""
        node = Node(name, free_ports(1), self.folder)
        node.start("--join", self.nodes[0].address)
        self.nodes.append(node)
        node.wait_until_it_answers()
        return node

    def wait_until_gone(self, node, is_removed=False):
        """Waits until one that has left says so and ends well, or one that was removed says so and ends."""
        code, node.process = node.process.wait(WAIT_SECONDS_MAX), None
        ending = (2, "was removed from its cluster") if is_removed else (0, "this node has left the cluster")
        assert code == ending[0] and ending[1] in node.log.read_text(), f"{code}{tail(node.log)}"
        self.nodes.remove(node)

    def wait_until_settled(self):
        """Waits until each partition is where it is wanted, as every node sees it."""
        for node in self.nodes:
            code, out, err = run([BINARY, "watch", "-s", node.address, "--timeout", str(WAIT_SECONDS_MAX - 5)])
            assert code == 0, f"{node.name} is not settled: {out}{err}{tail(node.log)}"

    def wait_until_linked(self):
        """Waits until every node sees every other."""
        for node in self.nodes:
            until(
                f"{node.name} to see all others",
                lambda: run([BINARY, "status", "-s", node.address])[0] == 0,
                log=node.log,
            )

    @property
    def is_whole(self):
        """Whether nobody that can be asked is learning, and all can."""
        said = [run([BINARY, "status", "-s", node.address]) for node in self.nodes]
        return all(code == 0 and "learning" not in out for code, out, _ in said)

    def wait_until_whole(self):
        """Waits until nobody is learning, for as long as ever fewer partitions are."""
        fewest = None
        while fewest != 0:
            fewest = until("fewer to be learning", lambda: self._learning_below(fewest))[0]

    def _learning_below(self, fewest):
        """How many partitions learn where those are fewer than that, as the nodes say of themselves; 0 if all are whole."""
        if self.is_whole:
            return [0]
        said = (run([BINARY, "status", "-s", node.address])[1] for node in self.nodes)
        count = sum(map(int, re.findall(r"has lost: (\d+) of", next(filter(None, said), ""))))
        return [count] if count and (fewest is None or count < fewest) else None
