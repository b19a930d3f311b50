"""The checker of histories fails on histories that are wrong: each way to lose, invent or bring back is one case."""

import unittest

from history import OK, REFUSED, UNKNOWN, Operation, check


def history(*lines):
    """One operation a line, one after the other: kind, key, value, outcome."""
    operations = []
    for at, (kind, key, value, outcome) in enumerate(lines):
        operations.append(Operation(kind, key, value, outcome, at, at + 0.5))
    return operations


class Checker(unittest.TestCase):
    def assert_found(self, word, *lines):
        found = check(history(*lines))
        self.assertEqual([line.split(":")[0] for line in found], [word] if word else [], found)

    def test_a_history_without_fault_passes(self):
        self.assert_found(
            None,
            ("get", "k", None, OK),
            ("set", "k", "1", OK),
            ("get", "k", "1", OK),
            ("set", "k", "2", OK),
            ("delete", "gone", None, OK),
            ("get", "gone", None, OK),
            ("add", "n", 2, OK),
            ("count", "n", "2", OK),
            ("get", "k", "2", OK),
        )

    def test_a_lost_write_is_found(self):
        self.assert_found("lost", ("set", "k", "1", OK), ("get", "k", None, OK))

    def test_a_write_that_fell_back_is_found(self):
        self.assert_found("stale", ("set", "k", "1", OK), ("set", "k", "2", OK), ("get", "k", "1", OK))

    def test_a_deleted_value_that_came_back_is_found(self):
        self.assert_found("stale", ("set", "k", "1", OK), ("delete", "k", None, OK), ("get", "k", "1", OK))

    def test_a_value_that_nobody_wrote_is_found(self):
        self.assert_found("invented", ("set", "k", "1", OK), ("get", "k", "7", OK))

    def test_a_refused_write_that_shows_up_is_found(self):
        self.assert_found("invented", ("set", "k", "1", REFUSED), ("get", "k", "1", OK))
        self.assert_found("invented", ("add", "n", 1, REFUSED), ("count", "n", "1", OK))

    def test_a_write_of_unknown_outcome_may_be_there_or_not(self):
        for value in ("1", "2"):
            self.assert_found(None, ("set", "k", "1", OK), ("set", "k", "2", UNKNOWN), ("get", "k", value, OK))
        self.assert_found("lost", ("set", "k", "1", OK), ("set", "k", "2", UNKNOWN), ("get", "k", None, OK))
        self.assert_found(None, ("set", "k", "1", OK), ("delete", "k", None, UNKNOWN), ("get", "k", None, OK))

    def test_counters_are_between_acknowledged_and_attempted(self):
        adds = [("add", "n", 3, OK), ("add", "n", 4, UNKNOWN)]
        for count, word in (("2", "lost"), (None, "lost"), ("3", None), ("7", None), ("8", "invented")):
            self.assert_found(word, *adds, ("count", "n", count, OK))

    def test_a_write_under_way_may_be_read_and_a_later_one_not(self):
        write = Operation("set", "k", "1", OK, 1.0, 3.0)
        for value in (None, "1"):
            self.assertEqual(check([write, Operation("get", "k", value, OK, 2.0, 2.5)]), [])
        self.assertEqual(len(check([write, Operation("get", "k", "1", OK, 0.0, 0.5)])), 1)
        self.assertEqual(len(check([write, Operation("get", "k", None, OK, 3.5, 4.0)])), 1)

    def test_reads_do_not_go_back_in_time(self):
        writes = [("set", "k", "1", OK), ("set", "k", "2", UNKNOWN)]
        self.assert_found(None, *writes, ("get", "k", "1", OK), ("get", "k", "2", OK), ("get", "k", "2", OK))
        self.assert_found("stale", *writes, ("get", "k", "2", OK), ("get", "k", "1", OK))
        self.assert_found("lost", ("set", "k", "1", UNKNOWN), ("get", "k", "1", OK), ("get", "k", None, OK))

    def test_a_write_of_unknown_outcome_that_was_read_and_replaced_is_gone(self):
        writes = [("set", "k", "1", UNKNOWN), ("set", "k", "2", OK)]
        self.assert_found(None, *writes, ("get", "k", "1", OK))
        self.assert_found("stale", writes[0], ("get", "k", "1", OK), writes[1], ("get", "k", "1", OK))
        deleted = ("delete", "k", None, OK)
        self.assert_found("stale", writes[0], ("get", "k", "1", OK), deleted, ("get", "k", "1", OK))

    def test_of_writes_that_met_either_may_stay(self):
        first, second = Operation("set", "k", "1", OK, 1.0, 3.0), Operation("set", "k", "2", OK, 2.0, 2.5)
        before = Operation("set", "k", "0", OK, 0.0, 0.5)
        for value, words in (("1", []), ("2", []), ("0", ["stale"]), (None, ["lost"])):
            found = check([first, second, before, Operation("get", "k", value, OK, 4.0, 4.5)])
            self.assertEqual([line.split(":")[0] for line in found], words, found)

    def test_a_delete_that_met_a_write_may_win(self):
        write, delete = Operation("set", "k", "1", OK, 1.0, 3.0), Operation("delete", "k", None, OK, 2.0, 2.5)
        for value in ("1", None):
            self.assertEqual(check([write, delete, Operation("get", "k", value, OK, 4.0, 4.5)]), [])

    def test_a_read_that_was_not_answered_says_nothing(self):
        self.assert_found(None, ("set", "k", "1", OK), ("get", "k", None, UNKNOWN))
