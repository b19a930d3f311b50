"""Storms over real processes: faults at random, one at a time and several, under load, as long as asked.

    storm [--minutes N] [--seed S]     bouts of half a minute or so, each with a new cluster; then what they came to
    storm power-cuts [N] [--seed S]    all nodes of one cluster lose power together N times under full load
    storm outage [--minutes N]         one of three is down so long under 2,000 operations a second, and comes back (`absence`)
    storm behind [--keys N] [--missed M] [--partitions P]   one of three misses M of N keys, and comes back

Started by `tests/system/storm`. A seed decides which faults come when; it does not decide what the system makes of it.

1. After each bout everything that a client was ever told is held against what every node says (`history`).
2. What was found is kept: the history, one operation a line, and the logs of the nodes, in a folder that is named.
3. It ends with 3 (the runner's 1) if anything was lost or came back, if a node ended by itself for no reason, or did not
   come back.
"""

import argparse
import collections
import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import random
import shutil
import sys
import time

import redis

import absence
import netns
from cluster import SCRATCH
from faults import Site, possible
from history import OK, REFUSED, UNKNOWN, check
from load import Load, read_back
from machines import Machines

BOUT_SECONDS = 30
FAULTS_AT_ONCE = (1, 1, 1, 2, 2, 3)
HOLD_SECONDS = (0.3, 6.0)
CALM_SECONDS = (0.0, 2.0)
# In a long storm, now and then.
LONG_HOLD_SECONDS = (20.0, 60.0)
LONG_HOLD_CHANCE = 0.02
LONG_STORM_MINUTES = 10
# Clients give up a little after nodes do.
ANSWER_SECONDS_MAX = 3
# So that tables are written and merged, and a cut meets that too.
FILLER_BYTES_MAX = 4096
# Room for all that a hundred cuts leave.
DISK_BYTES = 4 << 30
CYCLE_LOAD_SECONDS = (1.0, 3.0)
UNTIL_KILL_SECONDS = (0.0, 0.5)
SHOWN_MAX = 10
EXIT_FAILED = 3
KEPT = pathlib.Path(os.environ.get("ARMILLA_SYSTEM_KEPT", SCRATCH.parent / "storms"))


class Summary:
    """What storms have come to."""

    def __init__(self, seed):
        self.seed = seed
        self.operations, self.outcomes, self.faults = 0, collections.Counter(), collections.Counter()
        self.errors, self.wrong, self.broken = collections.Counter(), 0, 0
        self.reads = 0
        self.began = time.monotonic()

    def line(self):
        kinds = ", ".join(f"{name} {count}" for name, count in sorted(self.faults.items())) or "none"
        return (
            f"seed {self.seed}: {time.monotonic() - self.began:.0f} s, {self.operations} operations"
            f" ({self.outcomes[OK]} done, {self.outcomes[REFUSED]} refused, {self.outcomes[UNKNOWN]} unknown),"
            f" {self.reads} reads afterwards, faults: {kinds}; {self.broken} nodes broken,"
            f" {self.wrong} acknowledged writes missing or come back"
        )

    def count(self, load):
        self.operations += len(load.operations)
        self.outcomes.update(operation.outcome for operation in load.operations)
        self.errors.update(text.split(":")[0] + ":" + text.partition(":")[2][:60] for text, *_ in load.errors)

    def judge(self, operations, places, machines, what, before=()):
        """Holds what was told against what is read now; `before` is what else was told of the same keys."""
        try:
            reads = [read for place in places for read in read_back(operations, place)]
        except redis.RedisError as error:
            self.note_broken(machines, what, f"it cannot be read: {error}")
            return
        self.reads += len(reads)
        operations = [*before, *operations]
        wrong = check(operations + reads)
        if wrong:
            self.wrong += len(wrong)
            folder = keep(machines, operations + reads, wrong, f"{self.seed}-{what}")
            print(f"{what}: {len(wrong)} WRONG, kept in {folder}:", *wrong[:SHOWN_MAX], sep="\n    ", flush=True)

    def note_broken(self, machines, what, why):
        self.broken += 1
        folder = keep(machines, [], [str(why)], f"{self.seed}-{what}-broken")
        print(f"{what}: BROKEN, kept in {folder}: {why}", flush=True)


def keep(machines, operations, wrong, name):
    folder = KEPT / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "history.jsonl").open("w") as out:
        out.writelines(json.dumps(dataclasses.asdict(operation)) + "\n" for operation in operations)
    (folder / "wrong").write_text("\n".join(wrong) + "\n")
    for log in machines.folder.glob("*.log"):
        shutil.copy(log, folder)
    return folder


class Bout:
    """One cluster, one load, faults for a while; then everything is read at every node."""

    def __init__(self, seed, is_long=False, faults=None):
        self.seed, self.is_long, self.faults = seed, is_long, faults
        self.random = random.Random(f"bout {seed}")
        self.happened = collections.Counter()
        # Seconds since the beginning, and what began or ended.
        self.events = []

    def run(self, summary, seconds=BOUT_SECONDS):
        count, is_proxied = self.random.choice((3, 5, 5)), self.random.random() < 0.35
        with Machines("storm", count, proxied=is_proxied) as machines:
            load = Load(machines.places, f"storm{self.seed}", ANSWER_SECONDS_MAX, filler_bytes_max=FILLER_BYTES_MAX)
            self.began = time.monotonic()
            load.start()
            site = Site(machines, self.seed)
            try:
                while time.monotonic() < self.began + seconds:
                    self.round(site)
                ended = site.ended + machines.mend()
                for node in ended:
                    summary.note_broken(machines, f"bout {self.seed}", f"{node.name} ended by itself")
            except AssertionError as error:
                summary.note_broken(machines, f"bout {self.seed}", error)
                return
            finally:
                load.stop()
                summary.count(load)
                summary.faults += self.happened
                self.tell(machines)
            summary.judge(load.operations, machines.places, machines, f"bout {self.seed}")

    def tell(self, machines):
        (machines.folder / "events.log").write_text("".join(f"{at:.3f} {what}\n" for at, what in self.events))

    def note(self, what):
        self.events.append((time.monotonic(), what))

    def round(self, site):
        """Some faults, which begin and end in any order, and then a rest."""
        begun = []
        try:
            for _ in range(self.random.choice(FAULTS_AT_ONCE)):
                choice = {name: fault for name, fault in possible(site).items() if not self.faults or name in self.faults}
                if not choice:
                    break
                name = self.random.choice(sorted(choice))
                stack = contextlib.ExitStack()
                self.note(f"{name} begins; free before: {[node.name for node in site.free]}")
                stack.enter_context(choice[name](site))
                begun.append((name, stack))
                self.happened[name] += 1
                time.sleep(self.random.uniform(0, 0.5))
            is_longer = self.is_long and self.random.random() < LONG_HOLD_CHANCE
            time.sleep(self.random.uniform(*(LONG_HOLD_SECONDS if is_longer else HOLD_SECONDS)))
        finally:
            self.random.shuffle(begun)
            for name, stack in begun:
                self.note(f"{name} ends")
                stack.close()
        time.sleep(self.random.uniform(*CALM_SECONDS))


def blow(seed, minutes, faults):
    summary = Summary(seed)
    until = time.monotonic() + minutes * 60
    for number in itertools.count():
        if number and time.monotonic() > until:
            break
        bout = Bout(seed + number, minutes >= LONG_STORM_MINUTES, faults)
        bout.run(summary)
        print(f"bout {seed + number}: {dict(bout.happened)}", flush=True)
    return summary


def cut_power_together(seed, times, count=3, settings=("--fsync", "always", "--level", "quorum")):
    """All nodes lose power at the same moment, again and again. What was read is checked after each cut; at the end all is
    read at every node."""
    summary, choice = Summary(seed), random.Random(f"power {seed}")
    with Machines("power", count, disk_bytes=DISK_BYTES, settings=settings) as machines:
        operations, adds = [], []
        for number in range(times):
            load = Load(machines.places, f"power{number}", ANSWER_SECONDS_MAX, filler_bytes_max=FILLER_BYTES_MAX)
            load.start()
            time.sleep(choice.uniform(*CYCLE_LOAD_SECONDS))
            for node in choice.sample(machines.nodes, count):
                node.cut_power()
            time.sleep(choice.uniform(*UNTIL_KILL_SECONDS))
            for node in machines.nodes:
                node.kill()
            load.stop()
            summary.faults["power of all"] += 1
            summary.count(load)
            try:
                machines.mend()
            except AssertionError as error:
                summary.note_broken(machines, f"cut {number}", error)
                return summary
            place = machines.places[number % count]
            summary.judge(load.operations, [place], machines, f"cut {number}", before=adds)
            operations += load.operations
            adds += [operation for operation in load.operations if operation.kind == "add"]
            if number % 10 == 9:
                print(summary.line(), flush=True)
        for place in machines.places:
            summary.judge(operations, [place], machines, f"in the end at {place}")
    return summary


def main():
    parser = argparse.ArgumentParser(prog="storm")
    parser.add_argument("what", nargs="*", default=[], metavar="power-cuts [N] | outage | behind")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--faults", type=lambda text: text.split(","), help="only these, as in kill,one_way")
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--missed", type=int, default=10_000)
    parser.add_argument("--partitions", type=int, default=1024)
    given = parser.parse_args()
    netns.enter()
    if given.what[:1] == ["power-cuts"]:
        summary = cut_power_together(given.seed, int((given.what + ["100"])[1]))
    elif given.what == ["outage"]:
        summary = Summary(0)
        absence.outage(summary, given.minutes)
    elif given.what == ["behind"]:
        summary = Summary(0)
        absence.behind(summary, given.keys, given.missed, given.partitions)
    elif given.what:
        parser.error(f"there is no storm called {given.what[0]}")
    else:
        summary = blow(given.seed, given.minutes, given.faults)
    for text, count in summary.errors.most_common(SHOWN_MAX):
        print(f"    {count} times clients saw {text}")
    print(summary.line(), flush=True)
    sys.exit(EXIT_FAILED if summary.wrong or summary.broken else 0)


if __name__ == "__main__":
    main()
