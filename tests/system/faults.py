"""What can be done to machines while they work: one function a fault, which begins it, yields, and ends it.

None of these may cost an acknowledged write, alone or together, on as many machines at once as there are: what an owner has
acknowledged is on a disk that was synced. A disk that is lost for good (`wipe`) is one at a time, until all are whole.

1. A fault takes machines that no other fault has (`Site.take`), so that each is mended by the one that hurt it. Cuts of the
   network are one at a time, and meet all other faults.
2. A machine is mended, not waited for: it comes back into whatever else goes on.
"""

import contextlib
import math
import random

# Of the machines that are left, what share a fault takes: mostly one, sometimes all.
ALL_OF_THEM = 0.15
PAIR_OF_THEM = 0.2
CLOCK_JUMPS_SECONDS = (-86_400, -3_600, -60, -2, 2, 60, 3_600, 86_400)
SYNCS_BEFORE_ERROR_MAX = 200
# Too little for a table of rows to be written, and sometimes for a journal to grow.
DISK_SPARE_BYTES_MAX = 4 << 20
DELAY_MS_MAX = 200
CUTS_PER_SECOND_MAX = 3.0


class Site:
    """Machines with those that no fault has, and a choice that a seed decides. A fault takes at most `most` of them."""

    def __init__(self, machines, seed, most=math.inf):
        self.machines, self.random, self.most = machines, random.Random(seed), most
        self.free = list(machines.nodes)
        self.has_whole_net = True
        self.may_wipe = True
        # What ended by itself for no reason.
        self.ended = []

    @contextlib.contextmanager
    def take(self, most=math.inf):
        """Some machines, at least one if there is one; mended at the end."""
        chance = self.random.random()
        wanted = len(self.free) if chance < ALL_OF_THEM else 2 if chance < ALL_OF_THEM + PAIR_OF_THEM else 1
        taken = self.random.sample(self.free, min(wanted, most, self.most, len(self.free)))
        self.free = [node for node in self.free if node not in taken]
        try:
            yield taken
        finally:
            self.ended += [node for node in taken if node.mend(self._somebody_else(node))]
            self.free += taken

    def _somebody_else(self, blank):
        others = [node for node in self.machines.nodes if node is not blank and not node.is_blank]
        return self.random.choice(others).address

    def can_wipe(self):
        """Whether no disk is lost. It asks all nodes, but only after one was."""
        self.may_wipe = self.may_wipe or self.machines.is_whole
        return self.may_wipe

    @contextlib.contextmanager
    def take_net(self):
        self.has_whole_net = False
        try:
            yield self.machines.proxy or self.machines.net
        finally:
            self.machines.mend_net()
            self.has_whole_net = True

    def sides(self):
        """All hosts, in two parts in random order, neither empty."""
        hosts = self.random.sample(self.machines.net.hosts, self.machines.net.count)
        at = self.random.randrange(1, len(hosts))
        return hosts[:at], hosts[at:]


@contextlib.contextmanager
def kill(site):
    """kill -9."""
    with site.take() as nodes:
        for node in nodes:
            node.kill()
        yield


@contextlib.contextmanager
def pause(site):
    """SIGSTOP, and SIGCONT at the end."""
    with site.take() as nodes:
        for node in nodes:
            node.pause()
        yield


@contextlib.contextmanager
def power(site):
    """The disk loses its power, and the node a moment later; what was not synced is gone."""
    with site.take() as nodes:
        for node in nodes:
            node.cut_power()
        yield


@contextlib.contextmanager
def fsync(site):
    """Each sync fails with EIO, from some sync on; at the end the power may go too, so that what such a sync was for is gone."""
    with site.take(most=2) as nodes:
        for node in nodes:
            node.fail_fsync(site.random.randint(1, SYNCS_BEFORE_ERROR_MAX))
        yield
        for node in site.random.sample(nodes, site.random.randint(0, len(nodes))):
            node.cut_power()


@contextlib.contextmanager
def full(site):
    """No room on the disk, or next to none."""
    with site.take() as nodes:
        for node in nodes:
            node.fill_disk(site.random.choice((0, site.random.randrange(DISK_SPARE_BYTES_MAX))))
        yield


@contextlib.contextmanager
def wipe(site):
    """A disk is lost for good; the node begins with an empty one."""
    site.may_wipe = False
    with site.take(most=1) as nodes:
        for node in nodes:
            node.wipe()
        yield


@contextlib.contextmanager
def clock(site):
    """The wall clock jumps, and back at the end."""
    with site.take() as nodes:
        for node in nodes:
            node.set_clock(site.random.choice(CLOCK_JUMPS_SECONDS))
        yield


@contextlib.contextmanager
def unplug(site):
    """Hosts lose the network altogether, clients included."""
    with site.take_net() as net:
        for host in site.sides()[0]:
            net.unplug(host)
        yield


@contextlib.contextmanager
def split(site):
    """Nothing between two sides; clients reach all."""
    with site.take_net() as net:
        net.split(*site.sides())
        yield


@contextlib.contextmanager
def one_way(site):
    """Nothing from one side to the other, but back."""
    with site.take_net() as net:
        sources, targets = site.sides()
        net.cut((source, target) for source in sources for target in targets)
        yield


@contextlib.contextmanager
def bridge(site):
    """Two sides that reach each other only by way of one host that reaches both."""
    with site.take_net() as net:
        middle, *hosts = site.random.sample(net.hosts, net.count)
        half = len(hosts) // 2
        assert middle not in hosts
        net.split(hosts[:half], hosts[half:])
        yield


@contextlib.contextmanager
def slow(site):
    """Everything between peers is late, by a different while each time."""
    with site.take_net() as proxy:
        proxy.set(delay_ms=site.random.randrange(DELAY_MS_MAX), jitter_ms=site.random.randrange(DELAY_MS_MAX))
        yield


@contextlib.contextmanager
def broken(site):
    """Connections between peers are cut at random."""
    with site.take_net() as proxy:
        proxy.set(cuts_per_second=site.random.uniform(0.1, CUTS_PER_SECOND_MAX), jitter_ms=site.random.randrange(20))
        yield


@contextlib.contextmanager
def stalled(site):
    """From some hosts to some others nothing moves, and arrives at the end."""
    with site.take_net() as proxy:
        net = site.machines.net
        pairs = [[net.address(a), net.address(b)] for a in net.hosts for b in net.hosts if a != b]
        proxy.set(stalled=site.random.sample(pairs, site.random.randint(1, len(pairs))))
        yield


OF_MACHINES = {fault.__name__: fault for fault in (kill, pause, power, fsync, full, clock, wipe)}
OF_CABLES = {fault.__name__: fault for fault in (unplug, split, one_way, bridge)}
OF_CONNECTIONS = {fault.__name__: fault for fault in (slow, broken, stalled)}


def possible(site):
    """The faults that can begin now, by name."""
    machines = dict(OF_MACHINES) if site.free else {}
    if machines and not site.can_wipe():
        del machines["wipe"]
    net = OF_CONNECTIONS if site.machines.proxy else OF_CABLES
    return machines | (net if site.has_whole_net else {})
