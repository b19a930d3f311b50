"""A member that stays down is replaced without a person: announced, cancellable, and not where it would do harm."""

import time
import unittest

from cluster import BINARY, WAIT_SECONDS_MAX, Cluster, run, until
from history import check
from load import Load, as_map, connect, read_back

REPLACE_AFTER_SECONDS = 8
# It is down once it has been suspected for so long.
FLAGS = ("--replace-after", f"{REPLACE_AFTER_SECONDS}s", "--suspicion-ms", "1000", "--probe-every-ms", "200")
REPLACED_SECONDS_MAX = 2 * REPLACE_AFTER_SECONDS + WAIT_SECONDS_MAX
KEYS = 2_000


def ring(node):
    with connect(node.port) as client:
        status = as_map(client.execute_command("ARMILLA.STATUS"))
    return as_map(status["ring"]), {as_map(member)["id"]: as_map(member) for member in status["members"]}


def down(node):
    return {member["name"]: member for member in map(as_map, ring(node)[0]["down"])}


class Replaced(unittest.TestCase):
    def test_who_stays_down_is_replaced_and_comes_back_as_a_new_member(self):
        with Cluster("replaced", count=4, flags=FLAGS) as cluster:
            first, *_, last = cluster.nodes
            with connect(first.port) as client:
                for number in range(0, KEYS, 500):
                    client.mset({f"before:{number + at}": at for at in range(500)})
            ports = cluster.ports[:-1]
            load = Load(ports, "replaced")
            load.start()
            last.kill()
            began = time.monotonic()
            announced = until("its replacement to be announced", lambda: down(first).get(last.name))
            self.assertGreater(announced["replaced_in_ms"], 0)
            self.assertEqual(announced["not_replaced_because"], "")
            self.assertIn("the others make its copies anew", first.log.read_text())
            until("it to be replaced", lambda: ring(first)[0]["settled"] and len(ring(first)[1]) == 3, REPLACED_SECONDS_MAX)
            took = time.monotonic() - began
            load.stop()
            self.assertGreaterEqual(took, REPLACE_AFTER_SECONDS)
            reads = [read for port in ports for read in read_back(load.operations, port)]
            wrong = check(load.operations + reads)
            self.assertFalse(wrong, "\n".join(wrong[:10]))
            print(f"    replaced, and its copies made anew, {took:.1f} s after it was killed; {len(load.operations)} operations")
            # It does not know yet. Whoever starts it again, a supervisor say, has a new member.
            last.start("--join", first.address, *FLAGS)
            self.assertEqual(last.process.wait(WAIT_SECONDS_MAX), 2)
            last.process = None
            last.start("--join", first.address, *FLAGS)
            last.wait_until_it_answers()
            self.assertTrue((last.folder / "left-1").is_dir(), "what it held is put aside")
            code, out, err = run([BINARY, "watch", "-s", first.address, "--timeout", str(WAIT_SECONDS_MAX)])
            self.assertEqual(code, 0, out + err)
            self.assertEqual(len(ring(first)[1]), 4)
            with connect(last.port) as client:
                self.assertEqual(client.get("before:7"), "7")

    def test_not_where_it_is_needed_or_is_to_be_waited_for(self):
        with Cluster("needed", count=3, flags=FLAGS) as cluster:
            first, _, last = cluster.nodes
            last.kill()
            until("it to be down", lambda: down(first).get(last.name))
            self.assertIn("too few members", down(first)[last.name]["not_replaced_because"])
        with Cluster("kept", count=4, flags=FLAGS) as cluster:
            first, *_, last = cluster.nodes
            last.kill()
            until("it to be down", lambda: down(first).get(last.name))
            code, out, err = run([BINARY, "cancel", last.name, "-s", first.address, "--detach"])
            self.assertEqual(code, 0, out + err)
            until("it to be waited for", lambda: "waited for" in down(first)[last.name]["not_replaced_because"])
            until("its time to be over", lambda: down(first)[last.name]["replaced_in_ms"] == 0)
            time.sleep(2)
            self.assertIn(last.name, [member for member in down(first)])
            last.start()
            last.wait_until_it_answers()
            until("it to be back", lambda: not down(first))
            cluster.wait_until_linked()
            self.assertEqual(len(ring(first)[1]), 4)
