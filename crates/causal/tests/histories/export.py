#!/usr/bin/env python3
"""Records histories of the executable specification of the causal map as text.

    export.py PATH_OF_causal_map.py [SEEDS [STEPS]] > specification.txt

The specification runs with one amendment (`amended`), which its own checks are run on: its Replica is watched from
outside, and every call that the generator makes is one line. `tests/histories.rs` replays the lines and compares every
replica with what is recorded here.

    export.py PATH_OF_causal_map.py --check [SEEDS]

plays so many histories and lets the specification say whether anything is wrong.
"""
import re
import sys

FORMAT = """\
# Histories of the executable specification of the causal map (spec/causal_map.py of the design).
# Made by export.py beside this file, which says what it amends: {seeds} seeds of {steps} steps, three replicas, four cells.
#
#   seed N               a new history: three empty replicas
#   op NODE DOT STAMP CELLS REMOVES   NODE makes and applies DOT, which adds to CELLS and removes REMOVES
#   ap NODE DOT          NODE is given DOT
#   be NODE PEER         NODE opens an exchange with PEER's state of this moment
#   ta NODE CELLS        NODE takes CELLS of it
#   fi NODE              NODE ends it
#   re NODE              NODE dies and starts again as a new actor; an exchange of its dies with it
#
# A dot is node.incarnation.n, an entry is cell:dot, a list is joined by commas, and "-" is an empty list.
# After "|" comes what the line changed at NODE: entries come (+) and gone (-), "~N" where early now holds N
# removals, "@N" where the context now holds N dots.
"""


def amended(plain):
    """The specification's replica, but that it takes over a peer's early removals with what has removed them: those of
    a cell when it takes the cell, the others when the exchange ends. At once, as the page has it, a reader would be
    shown a cell without what was put there in the place of what they remove."""

    class Amended(plain):
        def __init__(self, name, rules):
            super().__init__(name, rules)
            self.noted = set()

        def begin(self, snapshot):
            rows, context, _ = snapshot
            super().begin((rows, context, set()))

        def take(self, cells, snapshot):
            cells = list(cells)
            super().take(cells, snapshot)
            self.noted |= {(c, d) for c, d in snapshot[2] if c in cells and d not in self.context}

        def apply(self, delta):
            is_new = delta.dot not in self.context and not (self.session and delta.dot in self.session)
            if is_new:
                self.early |= {(c, delta.dot) for c in delta.adds if (c, delta.dot) in self.noted}
            super().apply(delta)

        def finish(self, snapshot):
            for cell, d in snapshot[2]:
                self.drop(cell, d)
            super().finish(snapshot)

    return Amended


class Recorder:
    def __init__(self, spec):
        self.depth, self.lines, self.peer, self.known = 0, [], None, {}
        recorder, plain = self, amended(spec["Replica"])

        class Watched(plain):
            def __setattr__(self, name, value):
                if name == "incarnation" and value:
                    recorder.lines.append(f"re {self.name}")
                super().__setattr__(name, value)

            def operate(self, kind, cells, skew):
                delta = recorder.inside(lambda: plain.operate(self, kind, cells, skew))
                recorder.note(self, f"op {self.name} {dot(delta.dot)} {delta.stamp[0]} "
                                    f"{joined(map(str, delta.adds))} {joined(map(entry, delta.removes))}")
                return delta

            def apply(self, delta):
                recorder.inside(lambda: plain.apply(self, delta))
                recorder.note(self, f"ap {self.name} {dot(delta.dot)}")

            def snapshot(self):
                recorder.peer = self.name
                return plain.snapshot(self)

            def begin(self, snapshot):
                recorder.inside(lambda: plain.begin(self, snapshot))
                recorder.note(self, f"be {self.name} {recorder.peer}")

            def take(self, cells, snapshot):
                cells = list(cells)
                recorder.inside(lambda: plain.take(self, cells, snapshot))
                recorder.note(self, f"ta {self.name} {joined(map(str, cells))}")

            def finish(self, snapshot):
                recorder.inside(lambda: plain.finish(self, snapshot))
                recorder.note(self, f"fi {self.name}")

        spec["Replica"] = Watched

    def inside(self, call):
        self.depth += 1
        try:
            return call()
        finally:
            self.depth -= 1

    def note(self, node, line):
        if self.depth:
            return
        rows, early, context = self.known.get(node.name, (set(), 0, 0))
        now = (node.entries(), len(node.early), len(node.context))
        changes = [f"-{entry(e)}" for e in sorted(rows - now[0])] + [f"+{entry(e)}" for e in sorted(now[0] - rows)]
        changes += [f"~{now[1]}"] * (now[1] != early) + [f"@{now[2]}"] * (now[2] != context)
        self.known[node.name] = now
        self.lines.append(" ".join([line, "|"] + changes) if changes else line)


def dot(d):
    (name, incarnation), n = d
    return f"{name}.{incarnation}.{n}"


def entry(e):
    return f"{e[0]}:{dot(e[1])}"


def joined(items):
    return ",".join(items) or "-"


def check(source, seeds):
    spec = {"__name__": "causal_map"}
    exec(compile(source, "causal_map.py", "exec"), spec)
    spec["Replica"] = amended(spec["Replica"])
    wrongs = [wrong for wrong in map(spec["play"], range(seeds)) if wrong]
    print(*wrongs, f"{seeds} histories, {len(wrongs)} wrong", sep="\n")
    sys.exit(bool(wrongs))


def main():
    source = open(sys.argv[1], encoding="utf-8").read()
    source, calls = re.subn(r"^main\(\)\n?\Z", "", source, flags=re.MULTILINE)
    assert calls == 1, "the specification no longer ends by calling main()"
    if "--check" in sys.argv:
        return check(source, int(sys.argv[3]) if len(sys.argv) > 3 else 1000)
    seeds = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    steps = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    sys.stdout.write(FORMAT.format(seeds=seeds, steps=steps))
    for seed in range(seeds):
        spec = {"__name__": "causal_map"}
        exec(compile(source, "causal_map.py", "exec"), spec)
        recorder = Recorder(spec)
        wrong = spec["play"](seed, steps=steps)
        assert wrong is None, wrong
        print(f"seed {seed}", *recorder.lines, sep="\n")


main()
