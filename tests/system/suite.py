"""Runs all system tests and counts them; the last line is the count. `suite.py WORD ...` runs those with a word in their name.

1. What is skipped has failed.
2. It ends: after SUITE_SECONDS_MAX it shows where it stood and stops with a failure.
3. It lives in a network of its own, with its own loopback, and sees nobody else's ports (`netns`).
"""

import faulthandler
import pathlib
import sys
import time
import unittest

import netns

SUITE_SECONDS_MAX = 900
# Tests have failed. Any other code means that they were not run to the end.
EXIT_FAILED = 3
HERE = pathlib.Path(__file__).resolve().parent


class Tally(unittest.TextTestResult):
    """Counts cases; each line of another program is one."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.passed = 0
        self.began = 0.0

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        self.stream.write(f"    {time.monotonic() - self.began:.1f} s\n")
        self.stream.flush()

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is None:
            self.passed += 1

    def addSkip(self, test, reason):
        self.addFailure(test, (AssertionError, AssertionError(f"skipped: {reason}"), None))

    @property
    def failed(self):
        return len(self.failures) + len(self.errors) + len(self.unexpectedSuccesses)


def main():
    netns.enter()
    suite = unittest.defaultTestLoader.discover(str(HERE), pattern="test_*.py")
    wanted = sys.argv[1:]

    def cases(tests):
        for test in tests:
            if isinstance(test, unittest.TestSuite):
                yield from cases(test)
            elif not wanted or any(word in test.id() for word in wanted) or "_FailedTest" in test.id():
                yield test

    chosen = unittest.TestSuite(cases(suite))
    faulthandler.dump_traceback_later(SUITE_SECONDS_MAX, exit=True)
    result = unittest.TextTestRunner(sys.stdout, verbosity=2, resultclass=Tally).run(chosen)
    faulthandler.cancel_dump_traceback_later()
    nothing = chosen.countTestCases() == 0
    if nothing:
        print(f"no test is called like {wanted}")
    failed = result.failed + nothing
    print(f"{result.passed} passed, {failed} failed", flush=True)
    sys.exit(EXIT_FAILED if failed else 0)


if __name__ == "__main__":
    main()
