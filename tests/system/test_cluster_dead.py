"""A node dies under cluster clients: they find the owners that are left, for all slots, and go on."""

import unittest

import redis
from redis.cluster import ClusterNode, RedisCluster

from cluster import HOST, Cluster, until

KEYS = [f"dying:{number}" for number in range(200)]
# Redis Cluster takes fifteen seconds, unless told otherwise, to put a replica in the place of a master.
GOES_ON_SECONDS_MAX = 10


def goes_on(client):
    try:
        return all(client.set(key, "meanwhile") for key in KEYS)
    except redis.ConnectionError:
        return False


class DeadNode(unittest.TestCase):
    def setUp(self):
        self.cluster = self.enterContext(Cluster("dead"))

    def connect(self, port):
        client = RedisCluster(
            startup_nodes=[ClusterNode(HOST, port)], decode_responses=True, socket_timeout=20
        )
        self.addCleanup(client.close)
        return client

    def test_redis_py_goes_on_whichever_node_dies(self):
        for victim in self.cluster.nodes:
            survivor = next(port for port in self.cluster.ports if port != victim.port)
            old = self.connect(survivor)
            self.assertTrue(old.mset_nonatomic({key: "before" for key in KEYS}))
            victim.kill()
            with self.subTest(victim.name):
                for client in (old, self.connect(survivor)):
                    # A client goes by what it was told until that fails, and is told anew then.
                    until("the client to go on", lambda: goes_on(client), seconds_max=GOES_ON_SECONDS_MAX)
                    for key in KEYS:
                        self.assertTrue(client.set(key, victim.name))
                        self.assertEqual(client.get(key), victim.name)
            victim.start()
            victim.wait_until_it_answers()
            self.cluster.wait_until_linked()
