"""What is deleted while an owner is down stays deleted: when it is back, and when an old copy of its directory is back.

`ARMILLA_SYSTEM_DELETED` is how many keys; ten thousand where there is time.
"""

import os
import re
import shutil
import unittest

from cluster import BINARY, Cluster, run, until
from load import connect, in_parts

KEYS = int(os.environ.get("ARMILLA_SYSTEM_DELETED", "2000"))
# A key in so many is kept, to see that they are not all gone for another reason.
KEPT_EVERY = 10


class Deleted(unittest.TestCase):
    def setUp(self):
        self.cluster = self.enterContext(Cluster("deleted"))
        names = [f"deleted:{number}" for number in range(KEYS)]
        self.kept = names[::KEPT_EVERY]
        self.deleted = sorted(set(names) - set(self.kept))

    def write_everywhere(self, port):
        with connect(port) as client:
            client.execute_command("ARMILLA.LEVEL", "all")
            for keys in in_parts(self.kept + self.deleted):
                self.assertTrue(client.mset({key: f"value of {key}" for key in keys}))

    def delete(self, port):
        with connect(port) as client:
            for keys in in_parts(self.deleted):
                self.assertEqual(client.delete(*keys), len(keys))

    def assert_none_is_back(self, ports):
        for port in ports:
            with connect(port) as client:
                back = [key for keys in in_parts(self.deleted) for key, value in zip(keys, client.mget(keys)) if value]
                self.assertEqual(back, [], f"{len(back)} came back at {port}")
                for keys in in_parts(self.kept):
                    self.assertEqual(client.mget(keys), [f"value of {key}" for key in keys])

    def assert_rows_are_gone(self):
        """Every node holds what was kept and nothing beside it, no marks of deletes either, as all of them say."""

        def keys():
            out = run([BINARY, "status", "-s", self.cluster.nodes[0].address])[1]
            # Two spaces and more are between columns, one is within.
            head, *lines = [re.split(" {2,}", line) for line in out.splitlines()[:4]]
            return [line[head.index("keys")] for line in lines]

        until("the rows to be gone", lambda: keys() == [str(len(self.kept))] * 3)
        for node in self.cluster.nodes:
            size = sum(file.stat().st_size for file in node.folder.rglob("*") if file.is_file())
            print(f"    {node.name}: {len(self.kept)} keys, {size} bytes on disk", flush=True)

    def come_back(self, node):
        node.start()
        node.wait_until_it_answers()
        self.cluster.wait_until_linked()

    def test_by_an_owner_that_was_down_and_by_an_old_copy_of_it(self):
        cluster, absent = self.cluster, self.cluster.nodes[2]
        first, second = cluster.nodes[:2]
        self.write_everywhere(first.port)
        absent.end()
        copy = cluster.folder / "copy"
        shutil.copytree(absent.folder, copy)
        self.delete(first.port)
        self.come_back(absent)
        self.assert_none_is_back(cluster.ports)
        absent.end()
        shutil.rmtree(absent.folder)
        shutil.copytree(copy, absent.folder)
        self.come_back(absent)
        # By then the others have compared all with it, and it has been told what it has forgotten.
        self.assert_rows_are_gone()
        cluster.wait_until_whole()
        # With one of the others down, the old copy is asked about every key.
        first.kill()
        self.assert_none_is_back([absent.port, second.port])
        self.come_back(first)
        cluster.wait_until_whole()
        second.kill()
        self.assert_none_is_back([absent.port, first.port])
