"""What is refused, and in which words: a directory in use, a port in use, another node's name, another cluster."""

import shutil
import unittest

from cluster import BINARY, HOST, PEER_PORT_OFFSET, Cluster, ask, directory, free_ports, run, until

# The code of a start that cannot be.
EXIT_REFUSED = 2
# For so long nobody may repeat what is told once a minute.


class Refusals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.enterClassContext(Cluster("refusals"))

    def assert_refused(self, arguments, *words):
        code, out, err = run([BINARY, *arguments])
        self.assertEqual((code, out), (EXIT_REFUSED, ""), err)
        last = err.rstrip("\n").splitlines()[-1]
        self.assertTrue(last.startswith("armilla: "), err)
        for word in words:
            self.assertIn(str(word), last)
        self.assertNotIn("panicked", err)

    def test_a_join_to_nobody(self):
        port, nobody, folder = free_ports(1), f"{HOST}:{free_ports(1)}", directory("nobody")
        arguments = ["server", "--id", "a", "--addr", f"{HOST}:{port}", "--dir", folder / "a", "--join", nobody]
        self.assert_refused(arguments, f"cannot join the cluster at {nobody}: ")

    def test_a_directory_in_use(self):
        first = self.cluster.nodes[0]
        arguments = ["server", "--id", first.name, "--addr", f"{HOST}:{free_ports(1)}", "--dir", first.folder]
        self.assert_refused(arguments, first.folder, "is in use by another server")
        self.assertEqual(ask(first.port, "PING"), b"+PONG\r\n")

    def test_a_client_port_in_use(self):
        first, folder = self.cluster.nodes[0], directory("taken")
        arguments = ["server", "--id", "a", "--addr", first.address, "--dir", folder / "a"]
        self.assert_refused(arguments, f"cannot listen on {first.address} for clients: ")

    def test_a_peer_port_in_use(self):
        taken, folder = f"{HOST}:{self.cluster.ports[1] + PEER_PORT_OFFSET}", directory("taken")
        address = f"{HOST}:{free_ports(1)}"
        arguments = ["server", "--id", "a", "--addr", address, "--peer-addr", taken, "--dir", folder / "a"]
        self.assert_refused(arguments, f"cannot listen on {taken} for peers: ")

    def test_dev_beside_nodes_that_run(self):
        first, folder = self.cluster.nodes[0], directory("dev")
        self.assert_refused(
            ["dev", "--port", first.port, "--dir", folder / "dev"], f"cannot listen on {first.address}", "--port"
        )
        self.assertFalse((folder / "dev" / "server1").exists(), "nothing was begun")

    def test_a_member_that_was_emptied_and_does_not_join(self):
        """It founds a cluster of its own, and ends when the others call. With --join it is itself again."""
        first, second, third = self.cluster.nodes
        # Logs are appended to: what counts is what comes now.
        before = {node: len(node.log.read_text()) for node in self.cluster.nodes}
        third.kill()
        shutil.rmtree(third.folder)


        def told(node, words):
            return node.log.read_text()[before[node] :].count(words)

        third.start()
        until("it to end", lambda: third.process.poll() is not None, log=third.log)
        self.assertIn("other nodes take server3 for a member of their cluster", third.log.read_text()[before[third] :])
        callers = sum(told(node, "is not that member of this cluster") for node in (first, second))
        self.assertGreaterEqual(callers, 1)
        # What it has begun is not gone on with, whoever calls.
        arguments = ["server", "--id", third.name, "--addr", third.address, "--dir", third.folder]
        self.assert_refused(arguments, "other nodes take server3 for a member of their cluster", "--join")
        third.kill()
        shutil.rmtree(third.folder)
        third.start("--join", first.address)
        third.wait_until_it_answers()
        self.cluster.wait_until_linked()
        self.cluster.wait_until_whole()

    def test_a_directory_of_another_node(self):
        node = self.cluster.nodes[2]
        node.end()
        try:
            arguments = ["server", "--id", "somebody", "--addr", node.address, "--dir", node.folder]
            self.assert_refused(arguments, node.name, "somebody")
        finally:
            node.start()
            node.wait_until_it_answers()
        self.cluster.wait_until_linked()
