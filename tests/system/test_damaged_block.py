"""A block of a table is damaged: what it held is learned again, and the rest of the shard stays."""

import os
import unittest

from cluster import Cluster, until
from load import connect, in_parts, sync_of

# More than a memtable, so that some of it is in tables.
KEYS = 24_000
VALUE_BYTES = 2_000
DAMAGED_BYTES = 64
# Of the 1024 partitions of a node, those that a block of a few rows may touch.
QUARANTINES_MAX = 32
FOUND_SECONDS_MAX = 60


class DamagedBlock(unittest.TestCase):
    def setUp(self):
        self.cluster = self.enterContext(Cluster("damaged-block"))
        # Of bytes that cannot be compressed away.
        self.values = {f"block:{number}": os.urandom(VALUE_BYTES) for number in range(KEYS)}

    def wrong(self, port):
        """Keys that show something else, at a quorum."""
        with connect(port, decode_responses=False) as client:
            return [
                key for keys in in_parts(list(self.values)) for key, shown in zip(keys, client.mget(keys)) if shown != self.values[key]
            ]

    def damage(self, node):
        tables = (file for file in node.folder.glob("shard-*/rows/keyspaces/*/tables/*") if file.is_file())
        table = max(tables, key=lambda file: file.stat().st_size)
        with table.open("r+b") as file:
            file.seek(table.stat().st_size // 2)
            taken = file.read(DAMAGED_BYTES)
            file.seek(-DAMAGED_BYTES, os.SEEK_CUR)
            file.write(bytes(byte ^ 0xFF for byte in taken))

    def test_only_what_it_held_is_learned_again(self):
        first, damaged, third = self.cluster.nodes
        with connect(first.port) as client:
            for keys in in_parts(list(self.values)):
                self.assertTrue(client.mset({key: self.values[key] for key in keys}))
        self.cluster.wait_until_whole()
        # Nothing of it is in memory then.
        damaged.end()
        self.damage(damaged)
        damaged.start()
        damaged.wait_until_it_answers()

        def is_found():
            self.assertEqual(self.wrong(damaged.port), [])
            return "what can be read of a damaged store is saved" in damaged.log.read_text()

        until("the damage to be found", is_found, FOUND_SECONDS_MAX)
        until("it to be whole", lambda: sync_of(damaged.port)["partitions_learning"] == 0, FOUND_SECONDS_MAX)
        quarantines = sync_of(damaged.port)["quarantines"]
        self.assertTrue(0 < quarantines <= QUARANTINES_MAX, quarantines)
        print(f"    {quarantines} partitions learned again", flush=True)
        first.kill()
        self.assertEqual([self.wrong(node.port) for node in (damaged, third)], [[], []])
