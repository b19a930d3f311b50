"""The same requests to Redis itself and to Armilla, the same bytes back, in RESP2 and RESP3.

The Redis is that of the distribution. Left out is what says something else by its nature (INFO, CLIENT LIST, times), what
Armilla does not have yet, and what came with Redis 7.2 (CLIENT SETINFO, CLIENT NO-TOUCH), for distributions have 7.0.
"""

import re
import shutil
import socket
import subprocess
import unittest

from cluster import HOST, Cluster, ask, directory, free_ports, spawn, until

REDIS_VERSION_MIN = 7
# One request a line; words are split at blanks, and `_` stands for an empty one. Lines build on those before them.
REQUESTS = """
PING
PING there
ECHO there
SET k v
GET k
GET none
SET k w NX
SET none w XX
SET k w GET
SET fresh w NX GET
SET k x XX GET
SET k v NX XX
SET k
SET k v FOO
GETSET k y
GETSET brand new
SETNX k z
SETNX other z
GETDEL other
GETDEL other
MSET a 1 b 2
MSET a 1 b
MGET a none b
MSETNX c 3 a 9
MSETNX c 3 d 4
MGET c d
APPEND s Hello
APPEND s World
STRLEN s
STRLEN none
GETRANGE s 0 3
GETRANGE s -3 -1
GETRANGE s 3 1
GETRANGE s 5 100
GETRANGE s x 1
GETRANGE none 0 -1
SETRANGE s 5 There
GET s
SETRANGE s 0 _
SETRANGE none 0 _
SETRANGE pad 3 x
GET pad
SETRANGE s -1 x
SETRANGE s 600000000 x
INCR n
INCRBY n 41
DECR n
DECRBY n 10
GET n
INCRBY n 9223372036854775807
INCRBY n 9223372036854775808
INCRBY n 1.5
DECRBY n -9223372036854775808
INCR s
SET max 9223372036854775807
INCR max
DECR max
INCRBYFLOAT f 1.5
INCRBYFLOAT f -0.25
INCRBYFLOAT f 5.0e3
INCRBYFLOAT f x
INCRBYFLOAT s 1
GET f
SET spaced 010
INCR spaced
SET empty _
GET empty
STRLEN empty
INCR empty
EXISTS a b none a
EXISTS
TYPE a
TYPE none
TOUCH a b none
DEL a none
UNLINK b none
DBSIZE
FLUSHDB
DBSIZE
RANDOMKEY
KEYS *
SCAN 0
SCAN x
SCAN 0 COUNT 0
SCAN 0 COUNT x
SCAN 0 MATCH
SET only 1
RANDOMKEY
KEYS o*
KEYS p*
KEYS [n-p]nl?
SELECT 3
GET only
SET only 3
GET only
SELECT 0
GET only
SELECT 16
SELECT -1
SELECT x
FLUSHALL
FLUSHALL SYNC
FLUSHALL LATER
CLIENT GETNAME
CLIENT SETNAME me
CLIENT GETNAME
CLIENT NO-EVICT on
CLIENT NOSUCH
CLIENT
COMMAND GETKEYS MSET a 1 b 2
CONFIG GET nosuch
CONFIG SET nosuch 1
CONFIG NOSUCH
HELLO 4
HELLO x
HELLO 2 SETNAME
AUTH password
AUTH user password
AUTH
NOSUCH
NOSUCH a b
nosuch with_some_arguments_that_are_longer_than_the_limit_of_a_hundred_and_twenty_eight_bytes and_so_on and_on and_on and_on and_on
GET
GET a b
GETRANGE a 1
PING a b
ECHO
READONLY a
WAIT a 1
WAIT 0
TIME now
RESET
"""


class Stream:
    """A bare connection that gives the bytes of each answer."""

    END = b"$3\r\nend\r\n"

    def __init__(self, port, protocol):
        self.socket = socket.create_connection((HOST, port), timeout=20)
        self.protocol = protocol
        self.ask(["HELLO", str(protocol)])

    def close(self):
        self.socket.close()

    def ask(self, words):
        """The end of an answer is known by the answer to an ECHO behind it."""
        request = b""
        for some in (words, ["ECHO", "end"]):
            request += b"*%d\r\n" % len(some) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in some)
        self.socket.sendall(request)
        got = b""
        while not got.endswith(self.END):
            some = self.socket.recv(65536)
            assert some, f"the connection was closed after {words}, having answered {got!r}"
            got += some
        return got[: -len(self.END)]


class Answers(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        # One program of several names: which one it is called by tells it what to do. The package of its tools has it too,
        # and installs no service that would start by itself.
        program = shutil.which("redis-server") or shutil.which("redis-check-rdb")
        assert program, "there is no redis-server"
        cls.redis_port, folder = free_ports(1), directory("redis")
        command = ["redis-server", "--port", cls.redis_port, "--bind", HOST, "--save", "", "--dir", folder]
        redis = spawn(command, executable=program, stdout=subprocess.DEVNULL)
        cls.addClassCleanup(lambda: (redis.kill(), redis.wait()))
        until("Redis to answer", lambda: ask(cls.redis_port, "PING") == b"+PONG\r\n")
        version = re.search(rb"redis_version:(\d+)", ask(cls.redis_port, "INFO", "server"))
        assert version and int(version.group(1)) >= REDIS_VERSION_MIN, "Redis is too old to be compared with"
        cls.cluster = cls.enterClassContext(Cluster("answers"))

    def compare(self, protocol):
        streams = [Stream(port, protocol) for port in (self.redis_port, self.cluster.ports[1])]
        for stream in streams:
            self.addCleanup(stream.close)
            self.assertEqual(stream.ask(["FLUSHALL"]), b"+OK\r\n")
        for line in REQUESTS.strip().splitlines():
            words = ["" if word == "_" else word for word in line.split()]
            with self.subTest(line):
                expected, got = (stream.ask(words) for stream in streams)
                self.assertEqual(got, expected)

    def test_resp2(self):
        self.compare(2)

    def test_resp3(self):
        self.compare(3)

    def test_the_same_by_inline_commands(self):
        for line in (b"SET inline 'a b'\r\n", b'GET "inline"\r\n', b"\r\nPING\r\n", b'SET "unbalanced\r\n', b"NOSUCH x\r\n"):
            answers = []
            for port in (self.redis_port, self.cluster.ports[0]):
                with socket.create_connection((HOST, port), timeout=20) as stream:
                    stream.sendall(line)
                    answers.append(stream.recv(4096))
            self.assertEqual(*answers, line)
