"""Gateways: nodes that hold nothing and take every request. Clients of one see nothing of it when the others die, a server that is
registered over HTTP takes its share, and nothing that was acknowledged through any of them is missing."""

import collections
import json
import time
import unittest
import urllib.error
import urllib.request

from cluster import BINARY, HTTP_PORT_OFFSET, WAIT_SECONDS_MAX, Cluster, Node, armilla, ask, free_ports, run, until
from history import OK, check
from load import Load, connect, read_back

GATEWAYS = 3
KEYS = 2_000
LOAD_SECONDS = 1.5
OPERATIONS_MIN = 200
# While owners change some must be asked again, and a node that ends breaks its connections.
NOT_DONE_PARTS = 200
SHOWN_MAX = 10
HTTP_SECONDS_MAX = 15


class Gateway(Node):
    def start(self, *more):
        super().start("--role", "gateway", *more)

    def http(self, path, body=None):
        """The status and the body of an answer; a request with a body is a POST."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        address = f"http://{self.host}:{self.port + HTTP_PORT_OFFSET}{path}"
        try:
            with urllib.request.urlopen(urllib.request.Request(address, data), timeout=HTTP_SECONDS_MAX) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


class Gateways(unittest.TestCase):
    def setUp(self):
        self.cluster = self.enterContext(Cluster("gateway"))
        first = free_ports(GATEWAYS)
        self.gateways = []
        for index in range(GATEWAYS):
            gateway = Gateway(f"gate{index + 1}", first + index, self.cluster.folder)
            gateway.start("--join", self.cluster.nodes[index].address)
            # Killed with the cluster.
            self.cluster.nodes.append(gateway)
            self.gateways.append(gateway)
        for gateway in self.gateways:
            gateway.wait_until_it_answers()
        self.cluster.wait_until_linked()

    def armilla(self, node, *words):
        code, out, err = armilla(node, *words)
        self.assertEqual(code, 0, out + err)
        return out

    def members(self, node):
        """What a node and each member that is up say of the members, by name."""
        _, out, err = armilla(node, "status", "--json")
        self.assertTrue(out, err)
        return {member["name"]: member for member in json.loads(out)["members"]}

    def hold_nothing(self, gateways):
        members = self.members(self.cluster.nodes[0])
        for gateway in gateways:
            said = members[gateway.name]
            self.assertEqual((said["keys"], said["share"], said["duty"]), (0, 0, "route"), said)
            self.assertEqual(said["handoff"]["targets"], [], said)

    def has_all(self, port):
        with connect(port) as client:
            values = client.mget([f"before:{number}" for number in range(KEYS)])
            self.assertEqual(values, [str(number) for number in range(KEYS)])

    def test_all_but_one_die_and_a_registered_server_takes_its_share(self):
        stores, (one, two, last) = list(self.cluster.nodes[:3]), self.gateways
        with connect(one.port) as client:
            for begin in range(0, KEYS, 500):
                self.assertTrue(client.mset({f"before:{number}": number for number in range(begin, begin + 500)}))
        load = Load([gateway.port for gateway in self.gateways], "gateway")
        load.start()
        time.sleep(LOAD_SECONDS)
        self.hold_nothing(self.gateways)
        one.kill()
        time.sleep(LOAD_SECONDS)
        two.kill()
        time.sleep(LOAD_SECONDS)
        registered_at = time.monotonic()

        fourth = Node("server4", free_ports(1), self.cluster.folder)
        said = {"id": fourth.name, "address": fourth.address, "weight": 2}
        status, answer = last.http("/register", said)
        self.assertEqual((status, answer["members"]), (201, 7), answer)
        self.assertEqual(last.http("/register", said)[0], 200)
        # It is looked after, and nobody waits for it.
        state = lambda: self.members(stores[0]).get(fourth.name, {}).get("state")  # noqa: E731
        until("it to be seen as not there", lambda: state() in ("suspect", "down"))
        fourth.start("--join", last.address, "--weight", "2")
        self.cluster.nodes.append(fourth)
        fourth.wait_until_it_answers()
        self.armilla(last, "watch", "--timeout", str(WAIT_SECONDS_MAX))
        load.stop()

        took = self.members(stores[0])["server4"]
        self.assertGreater(took["share"], 0.25)
        self.assertGreater(took["keys"], KEYS // 2)
        status, answer = last.http("/servers")
        servers = {server["id"]: server for server in answer["servers"]}
        self.assertEqual((status, len(servers)), (200, 7))
        self.assertEqual((servers["server4"]["state"], servers["server4"]["weight"]), ("up", 2))
        self.assertIn(servers["gate1"]["state"], ("suspect", "down"))

        operations = load.operations
        at_last = [operation for operation in operations if operation.node == last.port]
        self.assertGreater(len(at_last), OPERATIONS_MIN)
        refused = [operation for operation in at_last if operation.outcome != OK and operation.begin < registered_at]
        self.assertEqual(refused[:SHOWN_MAX], [], load.errors[:SHOWN_MAX])
        reads = [read for node in (last, fourth, stores[0]) for read in read_back(operations, node.port)]
        wrong = check(operations + reads)
        self.assertFalse(wrong, "\n".join(wrong[:SHOWN_MAX]))
        outcomes = collections.Counter(operation.outcome for operation in at_last)
        self.assertLess((len(at_last) - outcomes[OK]) * NOT_DONE_PARTS, len(at_last), f"{outcomes} {load.errors[:SHOWN_MAX]}")
        self.has_all(last.port)
        self.hold_nothing([last])
        print(f"    {len(operations)} operations, {len(at_last)} of them at the gateway that was left: {dict(outcomes)}")

        # Stores take requests themselves, and a gateway finds its cluster again.
        last.kill()
        self.has_all(stores[1].port)
        one.start()
        one.wait_until_it_answers()
        self.has_all(one.port)

    def test_what_is_refused_is_refused_with_a_reason(self):
        store, gateway = self.cluster.nodes[0], self.gateways[0]
        refused = [
            (b"nonsense", 400, "write it as"),
            ({"id": "x", "address": "here"}, 400, "HOST:PORT"),
            ({"id": "x", "address": "h:1", "weight": 0}, 400, "its weight 0 must be from 1"),
            ({"id": "x", "address": "h:1", "zone": "here"}, 400, "datacenter/rack"),
            ({"id": "gate1", "address": "h:1"}, 409, "belongs to the member at"),
            ({"id": "x", "address": store.address}, 409, "belongs to the member `server1`"),
            (b" " * 100_000, 413, "at most 65536 bytes"),
        ]
        for body, status, reason in refused:
            code, answer = gateway.http("/register", body)
            self.assertEqual(code, status, answer)
            self.assertIn(reason, answer["error"])
        self.assertEqual(gateway.http("/nowhere")[0], 404)
        self.assertEqual(gateway.http("/register")[0], 405)
        self.assertEqual(len(self.members(store)), 3 + GATEWAYS)
        # Who is registered after it was started is one already.
        said = {"id": store.name, "address": store.address, "weight": 1}
        self.assertEqual(gateway.http("/register", said)[0], 200)

        flags = ["server", "--id", "x", "--addr", f"127.0.0.1:{free_ports(1)}", "--dir", self.cluster.folder / "x"]
        code, _, err = run([BINARY, *flags, "--role", "gateway"])
        self.assertEqual(code, 2, err)
        self.assertIn("cannot be the first node of a cluster", err)
        third = self.cluster.nodes[2]
        third.kill()
        flags = ["server", "--id", third.name, "--addr", third.address, "--dir", third.folder]
        code, _, err = run([BINARY, *flags, "--role", "gateway"])
        self.assertEqual(code, 2, err)
        self.assertIn("server3 is a member that holds data", err)
        third.start()
        third.wait_until_it_answers()

    def test_a_gateway_is_drained(self):
        store, gateway = self.cluster.nodes[0], self.gateways[0]
        self.armilla(store, "drain", gateway.name)
        self.cluster.wait_until_gone(gateway)
        self.assertNotIn(gateway.name, self.members(store))
        self.assertEqual(ask(self.gateways[1].port, "SET", "k", "v"), b"+OK\r\n")
        # It may come back as something else: it is a new member, and now one that holds its share.
        Node.start(gateway, "--join", store.address)
        self.cluster.nodes.append(gateway)
        gateway.wait_until_it_answers()
        self.armilla(store, "watch", "--timeout", str(WAIT_SECONDS_MAX))
        said = self.members(store)[gateway.name]
        self.assertEqual(said["duty"], "store", said)
        self.assertGreater(said["share"], 0.2)
