"""redis-py alone: the commands of the table through its own methods, in RESP2 and RESP3, at any node."""

import threading
import unittest

import redis

from cluster import HOST, Cluster

KEYS = 2_000
PIPELINED = 1_000
# Increments of one key are done one after the other, each with a sync to the disk, and the last must not wait too long.
INCREMENTS = 5000
THREADS = 12


def setUpModule():
    global CLUSTER
    CLUSTER = Cluster("redis-py")
    CLUSTER.__enter__()
    unittest.addModuleCleanup(CLUSTER.__exit__)


class Standalone:
    """The cases of both protocols."""

    protocol = None

    def setUp(self):
        self.first, self.second, self.third = (self.connect(node) for node in range(3))
        self.assertTrue(self.first.flushall())

    def connect(self, node, **more):
        settings = {"protocol": self.protocol, "decode_responses": True, "socket_timeout": 20} | more
        return self.enterContext(redis.Redis(port=CLUSTER.ports[node], **settings))

    def test_strings(self):
        first, second, third = self.first, self.second, self.third
        self.assertIs(first.set("k", "v"), True)
        self.assertEqual(third.get("k"), "v")
        self.assertIsNone(second.get("none"))
        self.assertIs(second.set("k", "w", nx=True), None)
        self.assertIs(second.set("none", "w", xx=True), None)
        self.assertEqual(second.set("k", "w", get=True), "v")
        self.assertEqual(first.getset("k", "x"), "w")
        self.assertIs(first.setnx("k", "y"), False)
        self.assertIs(first.setnx("fresh", "y"), True)
        self.assertEqual(third.getdel("fresh"), "y")
        self.assertIsNone(second.get("fresh"))
        self.assertIs(first.mset({"a": 1, "b": 2, "c": ""}), True)
        self.assertEqual(second.mget("a", "none", "b", "c"), ["1", None, "2", ""])
        self.assertIs(first.msetnx({"d": 1, "a": 9}), False)
        self.assertIsNone(first.get("d"))
        self.assertIs(first.msetnx({"d": 1, "e": 2}), True)
        self.assertEqual(third.append("s", "Hello "), 6)
        self.assertEqual(second.append("s", "World"), 11)
        self.assertEqual(first.strlen("s"), 11)
        self.assertEqual(first.getrange("s", -5, -1), "World")
        self.assertEqual(first.setrange("s", 6, "Redis"), 11)
        self.assertEqual(third.get("s"), "Hello Redis")
        self.assertEqual(first.setrange("gap", 3, "x"), 4)
        self.assertEqual(first.get("gap"), "\0\0\0x")

    def test_counters(self):
        first, second, third = self.first, self.second, self.third
        self.assertEqual(first.incr("n"), 1)
        self.assertEqual(second.incrby("n", 10), 11)
        self.assertEqual(third.decr("n"), 10)
        self.assertEqual(first.decrby("n", 4), 6)
        self.assertEqual(second.get("n"), "6")
        self.assertIs(third.set("n", "40"), True)
        self.assertEqual(first.incr("n", 2), 42)
        self.assertEqual(second.incrbyfloat("f", 1.5), 1.5)
        self.assertEqual(third.incrbyfloat("f", "0.25"), 1.75)
        self.assertEqual(first.get("f"), "1.75")
        self.assertTrue(first.set("text", "abc"))
        with self.assertRaisesRegex(redis.ResponseError, "^value is not an integer or out of range$"):
            first.incr("text")
        with self.assertRaisesRegex(redis.ResponseError, "^value is not a valid float$"):
            first.incrbyfloat("text", 1)

    def test_keys(self):
        first, second, third = self.first, self.second, self.third
        self.assertTrue(first.mset({"one": 1, "two": 2, "three": 3}))
        self.assertEqual(second.exists("one", "two", "none", "one"), 3)
        self.assertEqual(third.type("one"), "string")
        self.assertEqual(third.type("none"), "none")
        self.assertEqual(first.touch("one", "none"), 1)
        self.assertEqual(sorted(second.keys("t*")), ["three", "two"])
        self.assertIn(third.randomkey(), ("one", "two", "three"))
        self.assertEqual(first.dbsize(), 3)
        self.assertEqual(second.delete("one", "none"), 1)
        self.assertEqual(third.unlink("two", "three"), 2)
        self.assertIsNone(first.randomkey())
        self.assertEqual(third.dbsize(), 0)

    def test_databases_are_apart(self):
        other = self.connect(1, db=5)
        self.assertTrue(self.first.set("k", "zero"))
        self.assertIsNone(other.get("k"))
        self.assertTrue(other.set("k", "five"))
        self.assertEqual(self.third.get("k"), "zero")
        self.assertTrue(other.flushdb())
        self.assertIsNone(other.get("k"))
        self.assertEqual(self.third.get("k"), "zero")
        with self.assertRaisesRegex(redis.ResponseError, "^DB index is out of range$"):
            self.connect(0, db=16).ping()

    def test_the_connection_and_the_server(self):
        client = self.connect(0, single_connection_client=True)
        self.assertIs(client.ping(), True)
        self.assertEqual(client.echo("there"), "there")
        self.assertTrue(client.client_setname("tester"))
        self.assertEqual(client.client_getname(), "tester")
        mine = [entry for entry in client.client_list() if entry["id"] == str(client.client_id())]
        self.assertEqual([entry["name"] for entry in mine], ["tester"])
        info = client.info()
        self.assertTrue(info["redis_version"].startswith("7."))
        self.assertEqual(info["tcp_port"], CLUSTER.ports[0])
        self.assertEqual(client.config_get("maxclients"), {"maxclients": "10000"})
        seconds, _ = client.time()
        self.assertGreater(seconds, 1_600_000_000)
        table = client.command()
        self.assertEqual(client.command_count(), len(table))
        self.assertEqual((table["get"]["arity"], table["mset"]["step_count"]), (2, 2))
        self.assertEqual(client.execute_command("RESET"), "RESET")

    def test_bytes_of_any_kind(self):
        client = self.connect(0, decode_responses=False)
        every = bytes(range(256))
        self.assertTrue(client.set(every, every * 5))
        self.assertEqual(self.connect(2, decode_responses=False).get(every), every * 5)
        large = b"x" * (4 << 20)
        self.assertTrue(client.set("large", large))
        self.assertEqual(self.connect(1, decode_responses=False).get("large"), large)

    def test_pipelines_answer_in_order(self):
        with self.first.pipeline(transaction=False) as pipe:
            for number in range(PIPELINED):
                pipe.set(f"p:{number}", number).get(f"p:{number}")
            answers = pipe.execute()
        self.assertEqual(answers, [answer for number in range(PIPELINED) for answer in (True, str(number))])
        with self.third.pipeline(transaction=False) as pipe:
            for _ in range(INCREMENTS):
                pipe.incr("total")
            self.assertEqual(pipe.execute(), list(range(1, INCREMENTS + 1)))
        self.assertEqual(self.first.get("total"), str(INCREMENTS))

    def test_an_error_in_a_pipeline_leaves_the_others(self):
        with self.second.pipeline(transaction=False) as pipe:
            answers = pipe.set("k", "abc").incr("k").get("k").execute(raise_on_error=False)
        self.assertIsInstance(answers[1], redis.ResponseError)
        self.assertEqual((answers[0], answers[2]), (True, "abc"))

    def test_scan_gives_every_key_once_or_more(self):
        with self.first.pipeline(transaction=False) as pipe:
            for number in range(KEYS):
                pipe.set(f"scan:{number}", number)
            pipe.set("other", 1).execute()
        expected = {f"scan:{number}" for number in range(KEYS)}
        for client in (self.first, self.second, self.third):
            self.assertEqual(set(client.scan_iter(match="scan:*", count=100)), expected)
        self.assertEqual(set(self.second.scan_iter()), expected | {"other"})
        self.assertEqual(set(self.third.scan_iter(match="scan:1?", _type="string")), {f"scan:1{n}" for n in range(10)})
        self.assertEqual(self.second.dbsize(), KEYS + 1)

    def test_an_unknown_command_leaves_the_connection(self):
        client = self.connect(0, single_connection_client=True)
        before = client.client_id()
        expected = "^unknown command 'NOSUCH', with args beginning with: 'a' 'b' "
        with self.assertRaisesRegex(redis.ResponseError, expected):
            client.execute_command("NOSUCH", "a", "b")
        with self.assertRaisesRegex(redis.ResponseError, "^wrong number of arguments for 'get' command$"):
            client.execute_command("GET")
        with self.assertRaisesRegex(redis.ResponseError, "unknown subcommand 'NOSUCH'"):
            client.execute_command("CLIENT", "NOSUCH")
        self.assertEqual(client.client_id(), before)
        with self.assertRaisesRegex(redis.ResponseError, "expiry comes in a later release"):
            client.set("k", "v", ex=10)
        self.assertIsNone(client.get("k"))

    def test_a_pool_shared_by_threads(self):
        pool = redis.ConnectionPool(
            host=HOST, port=CLUSTER.ports[1], protocol=self.protocol, max_connections=THREADS, socket_timeout=20
        )
        self.addCleanup(pool.disconnect)
        wrong = []

        def work(number):
            client = redis.Redis(connection_pool=pool)
            for step in range(50):
                client.set(f"pool:{number}", step)
                if client.get(f"pool:{number}") != str(step).encode():
                    wrong.append((number, step))
                client.incr("pool")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(wrong, [])
        self.assertEqual(self.first.get("pool"), str(50 * THREADS))

    def test_levels_of_a_connection(self):
        client = self.connect(0, single_connection_client=True)
        for level in (["one"], ["quorum"], ["all"], ["1", "3"]):
            self.assertIn(client.execute_command("ARMILLA.LEVEL", *level), ("OK", True, b"OK"))
            self.assertTrue(client.set("k", level[0]))
            self.assertEqual(client.get("k"), level[0])
        with self.assertRaisesRegex(redis.ResponseError, "the level is one, quorum, local_quorum"):
            client.execute_command("ARMILLA.LEVEL", "most")


class Resp2(Standalone, unittest.TestCase):
    protocol = 2


class Resp3(Standalone, unittest.TestCase):
    protocol = 3
