"""redis-py's cluster client: it finds the nodes from any of them, goes to owners, and is never sent elsewhere."""

import unittest

import redis
from redis.cluster import ClusterNode, LoadBalancingStrategy, RedisCluster

from cluster import HOST, Cluster

KEYS = 1_500
INCREMENTS = 5000


class ClusterClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.enterClassContext(Cluster("redis-py-cluster"))

    def connect(self, node=0, **more):
        settings = {"decode_responses": True, "socket_timeout": 20} | more
        client = RedisCluster(startup_nodes=[ClusterNode(HOST, self.cluster.ports[node])], **settings)
        self.addCleanup(client.close)
        return client

    def test_it_finds_all_nodes_from_any(self):
        for node in range(3):
            for protocol in (2, 3):
                with self.subTest(node=node, protocol=protocol):
                    client = self.connect(node, protocol=protocol)
                    self.assertEqual(sorted(found.port for found in client.get_nodes()), self.cluster.ports)
                    # Every node is the first owner of some slots and a further owner of others; this client keeps one role
                    # a node, whichever it read last.
                    self.assertTrue(client.get_primaries())
                    slots = client.nodes_manager.slots_cache
                    self.assertEqual(sorted(slots), list(range(16384)))
                    self.assertTrue(client.set(f"k{node}{protocol}", "v"))
                    self.assertEqual(client.get(f"k{node}{protocol}"), "v")

    def test_keys_of_all_slots_through_one_client_are_there_for_another(self):
        one, other = self.connect(0), self.connect(2)
        for number in range(KEYS):
            self.assertTrue(one.set(f"key:{number}", number))
        keys = [f"key:{number}" for number in range(KEYS)]
        self.assertEqual(other.mget_nonatomic(keys), [str(number) for number in range(KEYS)])
        self.assertTrue(other.mset_nonatomic({f"many:{number}": number for number in range(KEYS)}))
        self.assertEqual([one.get(f"many:{number}") for number in range(0, KEYS, 50)], [str(n) for n in range(0, KEYS, 50)])
        self.assertEqual(one.delete(*keys), KEYS)
        self.assertEqual(other.exists(*keys[:100]), 0)

    def test_a_pipeline_over_all_slots(self):
        client = self.connect(1)
        with client.pipeline() as pipe:
            for number in range(KEYS):
                pipe.set(f"pipe:{number}", number)
            self.assertEqual(pipe.execute(), [True] * KEYS)
        with self.connect(2).pipeline() as pipe:
            for number in range(KEYS):
                pipe.get(f"pipe:{number}")
            self.assertEqual(pipe.execute(), [str(number) for number in range(KEYS)])
        with client.pipeline() as pipe:
            for _ in range(INCREMENTS):
                pipe.incr("pipe:total")
            # Requests of one pipeline for one key go one way and are done in their order.
            self.assertEqual(pipe.execute(), list(range(1, INCREMENTS + 1)))

    def test_reads_go_to_all_owners_and_see_every_write(self):
        writer, reader = self.connect(0), self.connect(1, load_balancing_strategy=LoadBalancingStrategy.ROUND_ROBIN)
        for number in range(200):
            self.assertTrue(writer.set(f"replica:{number}", number))
            self.assertEqual(reader.get(f"replica:{number}"), str(number))

    def test_hash_tags_and_slots(self):
        client = self.connect()
        self.assertEqual(client.keyslot("{user}:1"), client.keyslot("{user}:2"))
        self.assertEqual(client.cluster_keyslot("{user}:1"), client.keyslot("{user}:1"))
        self.assertTrue(client.mset({"{user}:1": "a", "{user}:2": "b"}))
        self.assertEqual(client.mget("{user}:1", "{user}:2"), ["a", "b"])
        slot = client.keyslot("{user}:1")
        self.assertEqual(client.cluster_countkeysinslot(slot), 2)

    def test_what_the_cluster_tells(self):
        client = self.connect()
        info = client.cluster_info()
        self.assertEqual(info["cluster_state"], "ok")
        self.assertEqual(info["cluster_slots_assigned"], "16384")
        self.assertEqual(info["cluster_known_nodes"], "3")
        nodes = client.cluster_nodes()
        self.assertEqual(sorted(nodes), [f"{HOST}:{port}" for port in self.cluster.ports])
        shards = client.cluster_shards()
        ports = {node[key] for shard in shards for node in shard["nodes"] for key in node if key == "port"}
        self.assertEqual(sorted(ports), self.cluster.ports)

    def test_scan_over_the_cluster(self):
        client = self.connect(1)
        for number in range(300):
            self.assertTrue(client.set(f"walk:{number}", number))
        self.assertEqual(set(client.scan_iter(match="walk:*")), {f"walk:{number}" for number in range(300)})

    def test_an_error_is_an_answer(self):
        client = self.connect()
        self.assertTrue(client.set("text", "abc"))
        with self.assertRaisesRegex(redis.ResponseError, "not an integer"):
            client.incr("text")
        self.assertEqual(client.get("text"), "abc")
