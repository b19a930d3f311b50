"""What clients did and what they were told, and whether a store that loses nothing can have told them so.

Knows nothing of Armilla: an operation is what a client saw. Every plain key has one writer, which waits for each answer
before it goes on; counters have many. Reads are operations like any other, those after a fault too.

What is checked, for each read that was answered:

1. A plain key has the value of the last write that was acknowledged before the read began, or of a write that was under way
   meanwhile, or of one whose outcome nobody knows (it may surface at any time). A delete is a write of nothing.
2. So an acknowledged write is not missing, an acknowledged delete does not come back, a refused write does not show up, and
   nobody reads what nobody wrote.
3. A counter is at least what was acknowledged before the read began, at most what was attempted before it ended, less what
   was refused.
"""

import collections
import dataclasses

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
    # The port of the node that was asked.
    node: int = 0


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
        plain.sort(key=lambda write: write.begin)
        for read in history:
            if read.outcome != OK:
                continue
            if read.kind == "get":
                wrong += _wrong_value(key, plain, read)
            elif read.kind == "count":
                wrong += _wrong_count(key, adds, read)
    return wrong


def _wrong_value(key, writes, read):
    written = lambda write: None if write.kind == "delete" else write.value  # noqa: E731
    settled = None
    allowed = set()
    for write in writes:
        if write.outcome == REFUSED or write.begin > read.end:
            continue
        if write.outcome == OK and write.end <= read.begin:
            settled = write
        else:
            allowed.add(written(write))
    last = written(settled) if settled else None
    if read.value == last or read.value in allowed:
        return []
    if read.value is None:
        return [f"lost: {key} is missing at {read.node}, the write of {last!r} was acknowledged"]
    if any(written(write) == read.value and write.outcome == OK for write in writes):
        what = "came back after its delete" if last is None else f"is older than {last!r}"
        return [f"stale: {key} is {read.value!r} at {read.node}, which {what}"]
    return [f"invented: {key} is {read.value!r} at {read.node}, which no write can have given"]


def _wrong_count(key, adds, read):
    least = sum(add.value for add in adds if add.outcome == OK and add.end <= read.begin)
    most = sum(add.value for add in adds if add.outcome != REFUSED and add.begin <= read.end)
    count = int(read.value or 0)
    if count < least:
        return [f"lost: {key} is {count} at {read.node}, {least} were acknowledged"]
    if count > most:
        return [f"invented: {key} is {count} at {read.node}, only {most} were attempted"]
    return []
