"""A cluster whose nodes have machines of their own: a network, a disk that loses power, a clock that jumps.

Not the faults themselves in their order and number: that is `storm`. Here is what can be done to one machine.

1. One set of machines at a time; everything made is gone with this process (`netns`).
2. A machine that was hurt works again after `mend`, whatever was done to it.
"""

import pathlib
import shutil
import signal

from cluster import BINARY, WAIT_SECONDS_MAX, Cluster, Node, directory, run, spawn, until
from disk import DISK_BYTES, Disk
from fault_proxy import Proxy
from netns import Net

PORT = 7001
PEER_PORT = 10_001
LIBFAKETIME = "usr/lib/*/faketime/libfaketime.so.1"
# The library looks at its file once a second.
CLOCK_SECONDS_MAX = 1.1
ATTACH_SECONDS_MAX = 10


class Machine(Node):
    """A node with its host on a network, a clock, and a disk of so many bytes if not none. `settings` are its flags."""

    def __init__(self, net, host, folder, disk_bytes, settings):
        super().__init__(f"server{host}", PORT, folder, net.address(host))
        self.prefix, self.settings = net.command(host), settings
        self.number, self.disk, self.tracer = host, None, None
        if disk_bytes:
            self.disk = Disk(folder / f"disk{host}", disk_bytes)
            self.folder = self.disk.folder / "data"
        self._has_power, self._is_doomed, self._was_wiped = True, False, False
        self._clock = folder / f"clock{host}"
        self.set_clock(0)
        (library,) = pathlib.Path("/").glob(LIBFAKETIME)
        # The monotonic clock and the times of files stay as they are.
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._clock),
            "FAKETIME_CACHE_DURATION": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    @property
    def is_blank(self):
        """Whether its directory knows of no cluster, or may know of none, for its disk does not answer."""
        try:
            return self._was_wiped and not (self.folder / "layout").exists()
        except OSError:
            return True

    def start(self, *more):
        super().start(*self.settings, *more)

    def end(self, how=signal.SIGTERM):
        self.heal_fsync()
        return super().end(how)

    @property
    def has_ended(self):
        """Whether its process has ended by itself."""
        return self.process is not None and self.process.poll() is not None

    def set_clock(self, seconds):
        """Its wall clock is so far ahead of ours, or behind, within `CLOCK_SECONDS_MAX`."""
        self._clock.write_text(f"{seconds:+d}\n")

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def fail_fsync(self, first=1):
        """From now on each sync but the `first - 1` before it fails with EIO. All that the node asks of the system takes
        longer meanwhile: the tracer sees it."""
        self._is_doomed = True
        calls = "fsync,fdatasync"
        command = ["strace", "-f", "-qq", "-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO:when={first}+"]
        with self.log.open("ab") as log:
            self.tracer = spawn([*command, "-o", "/dev/null", "-p", self.process.pid], stderr=log)
        status = pathlib.Path(f"/proc/{self.process.pid}/status")
        until("strace to attach", lambda: "TracerPid:\t0\n" not in status.read_text(), ATTACH_SECONDS_MAX, self.log)

    def heal_fsync(self):
        tracer, self.tracer = self.tracer, None
        if tracer is not None:
            tracer.terminate()
            tracer.wait(WAIT_SECONDS_MAX)

    def cut_power(self):
        """Its disk forgets what was not synced and answers no more; the process is to be killed."""
        self.disk.cut_power()
        self._has_power, self._is_doomed = False, True

    def fill_disk(self, spare=0):
        """Leaves so many bytes of room."""
        self._is_doomed = True
        self.disk.fill(spare)

    def wipe(self):
        """Its directory is gone. It asks others who it is when it is started again."""
        self.kill()
        shutil.rmtree(self.folder)
        self._is_doomed = self._was_wiped = True

    def mend(self, join=None):
        """Whatever was done to it is over; a node that does not run is started. Gives whether it had ended by itself for no
        reason: one whose disk was hurt may have, and is killed if it has not. One that is blank asks at `join`."""
        self.set_clock(0)
        self.heal_fsync()
        has_ended, is_doomed, self._is_doomed = self.has_ended, self._is_doomed, False
        if self.process and (has_ended or is_doomed):
            self.kill()
        if self.process:
            self.resume()
            return False
        if self.disk:
            self.disk.make_room()
            if not self._has_power:
                self.disk.unplug()
                self.disk.plug()
                self._has_power = True
        if self.is_blank:
            assert join, f"{self.name} has nobody to ask who it is"
            # Until it has found them it may well end again.
            self._is_doomed = True
            self.start("--join", join)
        else:
            self.start()
        return has_ended and not is_doomed

    def status(self):
        """What `armilla status` says when this node is asked."""
        return run([BINARY, "status", "-s", self.address])[1]


class Machines(Cluster):
    """`count` machines on one network, and `spares` that are no members. With `proxied`, nodes reach each other through `proxy`:
    cuts of pairs then cut nothing, for the proxy stands between all."""

    def __init__(self, name="machines", count=3, *, spares=0, disk_bytes=DISK_BYTES, proxied=False, settings=()):
        self.folder, self.flags = directory(name), ()
        self.proxy, self.nodes, self.spares = None, [], []
        self.net = Net(count + spares)
        try:
            if proxied:
                self.proxy = Proxy(self._ways())
            for host in self.net.hosts:
                announced = ["--announce", f"{self.net.front(host)}:{PORT}"] if proxied else []
                flags = ["--log", "warn", *settings, *announced]
                kind = self.nodes if host <= count else self.spares
                kind.append(Machine(self.net, host, self.folder, disk_bytes, flags))
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        machines = self.nodes + self.spares
        for node in machines:
            if node.process is not None:
                node.kill()
        for node in machines:
            if node.disk:
                node.disk.close()
        if self.proxy:
            self.proxy.close()
        self.net.close()
        super().__exit__()

    def _ways(self):
        return [
            [self.net.front(host), self.net.address(host), port, port == PEER_PORT]
            for host in self.net.hosts
            for port in (PORT, PEER_PORT)
        ]

    @property
    def places(self):
        return [node.address for node in self.nodes]

    def mend_net(self):
        self.net.heal()
        if self.proxy:
            self.proxy.set()

    def mend(self):
        """All is whole again, all nodes see each other, and none is learning. Gives those that had ended by themselves."""
        self.mend_net()
        blank = [node for node in self.nodes if node.is_blank]
        known = [node for node in self.nodes if node not in blank]
        ended = [node for node in known if node.mend()]
        for node in known:
            node.wait_until_it_answers()
        for node in blank:
            node.mend(known[0].address)
            node.wait_until_it_answers()
        self.wait_until_linked()
        self.wait_until_whole()
        return ended
