"""Machines of their own: each node in a network namespace, with a cable (a veth pair) to a bridge; cables and pairs can be cut.

Not a proxy: what is cut here is dropped by the kernel, packet by packet, and TCP makes of it what it makes of any network.
Slow and broken connections are `fault_proxy`'s.

1. Nothing is left behind, however the tests end: `enter` moves this process into namespaces (network and mounts) of its own,
   before anything is made. They go with the last process in them, and with them every bridge, cable, rule, mount and loop
   device. It dies with the one that started it, and so does every process that it starts.
2. Nothing outside is seen or changed: addresses and names need not be free on the machine.
3. Clients stay reachable for cuts between nodes (`cut`): those are between nodes alone. A cable that is out (`unplug`) cuts
   clients off too.
"""

import ctypes
import json
import os
import pathlib
import signal
import subprocess

CLONE_NEWNS = 0x0002_0000
CLONE_NEWNET = 0x4000_0000
MS_REC, MS_PRIVATE = 0x4000, 1 << 18
PR_SET_PDEATHSIG = 1
NAMES = pathlib.Path("/run/netns")
SUBNET_BITS = 16
# Where clients are, and the tests themselves.
GATE = "10.0.0.254"
BRIDGE = "bridge"
RULES = "table bridge cuts"
TRAFFIC = "table bridge traffic"
# Added first, for what is not there cannot be deleted.
NO_RULES = f"add {RULES}\ndelete {RULES}\n"

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result):
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def tool(*words, **more):
    """Runs a program of the system to its end; what it cannot do fails the test."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60, **more)
    assert done.returncode == 0, f"{' '.join(map(str, words))}: {done.stderr.strip()}"
    return done.stdout


def enter():
    """Moves this process into its own namespaces, for good. Before any thread is started."""
    _checked(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
    _checked(_libc.unshare(CLONE_NEWNS | CLONE_NEWNET))
    _checked(_libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
    NAMES.mkdir(parents=True, exist_ok=True)
    _checked(_libc.mount(b"tmpfs", str(NAMES).encode(), b"tmpfs", 0, None))
    tool("ip", "link", "set", "lo", "up")


class Net:
    """Hosts 1 to `count` on one bridge, all whole. One at a time."""

    def __init__(self, count):
        self.count = count
        self._cuts = set()
        tool("ip", "link", "add", BRIDGE, "type", "bridge")
        tool("ip", "link", "set", BRIDGE, "up")
        tool("ip", "address", "add", f"{GATE}/{SUBNET_BITS}", "dev", BRIDGE)
        for host in self.hosts:
            name = self.name(host)
            tool("ip", "netns", "add", name)
            tool("ip", "link", "add", f"cable{host}", "type", "veth", "peer", "name", "eth0", "netns", name)
            tool("ip", "link", "set", f"cable{host}", "master", BRIDGE, "up")
            tool("ip", "-n", name, "address", "add", f"{self.address(host)}/{SUBNET_BITS}", "dev", "eth0")
            tool("ip", "-n", name, "link", "set", "eth0", "up")
            tool("ip", "-n", name, "link", "set", "lo", "up")
            tool("ip", "address", "add", f"{self.front(host)}/{SUBNET_BITS}", "dev", BRIDGE)

        counters = "".join(f"counter {self.name(host)} {{ }}\n" for host in self.hosts)
        counted = "".join(f"ip daddr {self.address(host)} counter name {self.name(host)}\n" for host in self.hosts)
        chain = f"chain traffic {{\ntype filter hook forward priority 10\n{counted}}}\n"
        tool("nft", "-f", "-", input=f"{TRAFFIC} {{\n{counters}{chain}}}\n")

    def close(self):
        self.heal()
        tool("nft", "delete", *TRAFFIC.split())
        for host in self.hosts:
            # The cable goes when the last process of the namespace has ended, which may take a moment; so by hand.
            tool("ip", "link", "delete", f"cable{host}")
            tool("ip", "netns", "delete", self.name(host))
        tool("ip", "link", "delete", BRIDGE)

    @property
    def hosts(self):
        return range(1, self.count + 1)

    @staticmethod
    def name(host):
        return f"host{host}"

    @staticmethod
    def address(host):
        return f"10.0.0.{host}"

    @staticmethod
    def front(host):
        """An address at the gate, where a proxy may stand for that host."""
        return f"10.0.1.{host}"

    def command(self, host):
        """What stands before a command that is to run on that host. It keeps the mounts of this process, all of them
        together: a copy in another namespace would keep a disk in use."""
        return ["nsenter", f"--net={NAMES / self.name(host)}"]

    def unplug(self, host):
        tool("ip", "link", "set", f"cable{host}", "down")

    def plug(self, host):
        tool("ip", "link", "set", f"cable{host}", "up")

    def received_bytes(self, host):
        """What has come to that host from other hosts, headers included; what came from clients is not counted."""
        rules = json.loads(tool("nft", "-j", "list", "counter", "bridge", "traffic", self.name(host)))
        return next(entry["counter"]["bytes"] for entry in rules["nftables"] if "counter" in entry)

    def cut(self, pairs):
        """From now on nothing goes from the first to the second of each pair, besides what is cut already."""
        self._cuts |= set(pairs)
        drops = "".join(
            f"ip saddr {self.address(source)} ip daddr {self.address(target)} drop\n"
            for source, target in sorted(self._cuts)
        )
        chain = f"{RULES} {{\nchain cuts {{\ntype filter hook forward priority 0\n{drops}}}\n}}\n"
        tool("nft", "-f", "-", input=f"{NO_RULES}{chain}")

    def split(self, *sides):
        """Nothing goes from one side to another, either way. A host on no side reaches all: it is the bridge between them."""
        self.cut((a, b) for one in sides for other in sides if one is not other for a in one for b in other)

    def heal(self):
        """All cables are in, and nothing is dropped."""
        for host in self.hosts:
            self.plug(host)
        self._cuts = set()
        tool("nft", "-f", "-", input=NO_RULES)
