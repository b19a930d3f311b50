"""What clients did and what they were told, and whether a store that loses nothing can have told them so.

Knows nothing of Armilla: an operation is what a client saw. A client waits for each answer before it goes on; a key may have
many clients. No two writes of one key have the same value, deletes aside. Reads are operations like any other, those after
a fault too.

A write has settled once it was acknowledged, or once a read that gave its value was answered: from then on nobody may see
what was there before. What is checked, for each read that was answered:

1. A plain key has the value of a write that began before the read ended, and that no other has replaced: no write that had
   settled before the read began may have begun after this one had settled. One whose outcome nobody knows and whose value
   nobody has read may surface at any time. A delete is a write of nothing, and so is the beginning.
2. So an acknowledged write is not missing, an acknowledged delete does not come back, a refused write does not show up,
   nobody reads what nobody wrote, and reads do not go back in time.
3. A counter is at least what was acknowledged before the read began, at most what was attempted before it ended, less what
   was refused.
"""

import bisect
import collections
import dataclasses
import itertools
import math

OK, UNKNOWN, REFUSED = "ok", "unknown", "refused"


@dataclasses.dataclass(slots=True)
class Operation:
    """One request and its outcome. `kind` is set, delete, add (to a counter), get or count (a read of a counter)."""

    kind: str
    key: str
    # What was written, added or read; None is no value.
    value: object
    outcome: str
    # Seconds of one clock.
    begin: float
    end: float
    # The node that was asked.
    node: object = 0


def check(operations):
    """All that is wrong with a history, one sentence each."""
    by_key = collections.defaultdict(list)
    for operation in operations:
        by_key[operation.key].append(operation)
    wrong = []
    for key, history in by_key.items():
        plain = [operation for operation in history if operation.kind in ("set", "delete")]
        adds = [operation for operation in history if operation.kind == "add"]
        assert not (plain and adds), f"{key} is a plain key and a counter"
        reads = [operation for operation in history if operation.outcome == OK]
        register = _Register(key, plain, [read for read in reads if read.kind == "get"])
        wrong += [line for line in map(register.wrong, register.reads) if line]
        wrong += [line for read in reads if read.kind == "count" for line in _wrong_count(key, adds, read)]
    return wrong


def _written(write):
    return None if write.kind == "delete" else write.value


class _Register:
    """The writes of one plain key, and when each had settled."""

    def __init__(self, key, writes, reads):
        self.key, self.reads = key, reads
        self.writes = [write for write in writes if write.outcome != REFUSED]
        read_at = {}
        for read in reads:
            read_at[read.value] = min(read.end, read_at.get(read.value, math.inf))
        self.by_value = collections.defaultdict(list)
        settled = []
        for write in self.writes:
            acknowledged = write.end if write.outcome == OK else math.inf
            # Which of several deletes a read has seen is not known.
            was_read = math.inf if write.kind == "delete" else read_at.get(write.value, math.inf)
            at = min(acknowledged, was_read)
            self.by_value[_written(write)].append((write, at))
            settled.append((at, write.begin, write))
        settled.sort(key=lambda entry: entry[:2])
        self.settled_at = [at for at, _, _ in settled]
        # For each, the one that began last of it and all before it.
        self.newest = list(itertools.accumulate((write for *_, write in settled), lambda a, b: max(a, b, key=_begin)))

    def wrong(self, read):
        """What is wrong with this read, if anything."""
        count = bisect.bisect_right(self.settled_at, read.begin)
        last = self.newest[count - 1] if count else None
        if read.value is None and last is None:
            return None
        allowed = [
            write
            for write, settled_at in self.by_value[read.value]
            if write.begin <= read.end and (last is None or settled_at > last.begin)
        ]
        if allowed:
            return None
        key, node = self.key, read.node
        if read.value is None:
            return f"lost: {key} is missing at {node}, the write of {_written(last)!r} had settled"
        if any(write.begin <= read.end for write, _ in self.by_value[read.value]):
            what = "came back after its delete" if _written(last) is None else f"is older than {_written(last)!r}"
            return f"stale: {key} is {read.value!r} at {node}, which {what}"
        return f"invented: {key} is {read.value!r} at {node}, which no write can have given"


def _begin(write):
    return write.begin


def _wrong_count(key, adds, read):
    least = sum(add.value for add in adds if add.outcome == OK and add.end <= read.begin)
    most = sum(add.value for add in adds if add.outcome != REFUSED and add.begin <= read.end)
    count = int(read.value or 0)
    if count < least:
        return [f"lost: {key} is {count} at {read.node}, {least} were acknowledged"]
    if count > most:
        return [f"invented: {key} is {count} at {read.node}, only {most} were attempted"]
    return []
