"""A load from redis-py, as stock as it comes but for one thing: it repeats nothing by itself, so that each attempt is known.

Each thread has plain keys of its own, with one writer each; counters belong to all, and so do some plain keys, where writers
meet. A thread that loses its connection goes on with the next node, and leaves alone for a while one that does not answer.
A node is known by its place: its port on loopback, or `HOST:PORT`. Every request is recorded (`history`), and every error that a
client may not see is kept.
"""

import collections
import random
import threading
import time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cluster import HOST
from history import OK, REFUSED, UNKNOWN, Operation

THREADS = 6
# Well above the time after which a node says that it does not know.
ANSWER_SECONDS_MAX = 15
REST_AFTER_LOSS_SECONDS = 0.02
SHUN_SECONDS = 1.0
# A load that was held up makes up for so much of it.
CATCH_UP_SECONDS = 1.0
COUNTERS = [f"counter:{number}" for number in range(8)]
REGISTERS_PER_THREAD = 5
REGISTERS_OF_ALL = 12
# Keys of one pipeline or of one MSET.
BURST = 40
KEYS_AT_ONCE = 200
# What a client may do next, of 100.
MIX = {"mark": 35, "burst": 10, "add": 20, "register": 10, "shared": 5, "delete": 5, "read": 15}
# Provably applied nowhere.
REFUSALS = ("NOQUORUM", "CLUSTERDOWN", "BUSY", "TRYAGAIN", "CLOCKAHEAD", "STORAGE", "LOADING")


def connect(place, **more):
    """A client that repeats nothing."""
    settings = {"socket_timeout": ANSWER_SECONDS_MAX, "decode_responses": True, "retry": Retry(NoBackoff(), 0)}
    host, _, port = str(place).rpartition(":")
    return redis.Redis(host=host or HOST, port=int(port), **(settings | more))


def outcome_of(error):
    """What an error says of a request, and whether a node may be killed without a client seeing more than this."""
    # Subclasses of ConnectionError are other things: a wrong password, a server that loads.
    if type(error) is redis.ConnectionError:
        return UNKNOWN, True
    text = str(error)
    if isinstance(error, redis.ResponseError) and text.startswith("UNKNOWN "):
        return UNKNOWN, True
    refused = text.startswith(REFUSALS) or isinstance(error, redis.exceptions.ClusterDownError)
    return (REFUSED if refused else UNKNOWN), False


def padded(value, filler_bytes_max):
    """A value as it is written: with so much behind it, mostly little, that it takes room on a disk."""
    count = int(filler_bytes_max * random.random() ** 3)
    return f"{value}|{count}|{'.' * count}" if count else value


def bare(value):
    """What `padded` was given; a value whose filler is not whole stays as it is, for nobody wrote it."""
    front, _, filler = (value or "").rpartition("|")
    front, _, count = front.rpartition("|")
    is_whole = front and count.isdigit() and filler == "." * int(count)
    return front if is_whole else value


class Load:
    """Threads that work on a cluster until they are told to stop, all together at `rate` operations a second at most.
    Values have up to so many bytes of filler."""

    def __init__(self, places, label, answer_seconds_max=ANSWER_SECONDS_MAX, rate=None, filler_bytes_max=0):
        self.label, self.answer_seconds_max, self.filler_bytes_max = label, answer_seconds_max, filler_bytes_max
        self.seconds_each = THREADS / rate if rate else 0.0
        self.operations = []
        # The errors that a killed node does not explain: text, place, when the request began.
        self.errors = []
        self._stop = threading.Event()
        self._workers = [_Worker(self, number, places) for number in range(THREADS)]
        self._threads = [threading.Thread(target=worker.work, daemon=True) for worker in self._workers]

    def start(self):
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * ANSWER_SECONDS_MAX)
            assert not thread.is_alive(), "a client did not come back from its request"
        self.operations = [operation for worker in self._workers for operation in worker.operations]

    def goes_on(self):
        return not self._stop.is_set()

    def count_since(self, moment):
        """How many requests begun since then were done, by the place that was asked."""
        operations = [operation for worker in self._workers for operation in list(worker.operations)]
        done = (operation for operation in operations if operation.outcome == OK and operation.begin >= moment)
        return collections.Counter(operation.node for operation in done)


class _Worker:
    def __init__(self, load, number, places):
        self.load, self.name = load, f"{load.label}:{number}"
        self.random = random.Random(self.name)
        self.clients = [connect(place, socket_timeout=load.answer_seconds_max) for place in places]
        self.places = places
        # Until when each is left alone.
        self.shunned = [0.0] * len(places)
        self.at = number % len(places)
        self.operations = []
        self.marks = []
        self.serial = 0

    def work(self):
        words, weights = list(MIX), list(MIX.values())
        due = time.monotonic()
        while self.load.goes_on():
            done = len(self.operations)
            getattr(self, f"_{self.random.choices(words, weights)[0]}")()
            self._go_on()
            due = max(due, time.monotonic() - CATCH_UP_SECONDS) + (len(self.operations) - done) * self.load.seconds_each
            time.sleep(max(0.0, due - time.monotonic()))
        for client in self.clients:
            client.close()

    def _go_on(self):
        """To the next node; past one that is shunned, unless all are."""
        now = time.monotonic()
        for _ in self.places:
            self.at = (self.at + 1) % len(self.places)
            if self.shunned[self.at] <= now:
                return

    def _mark(self):
        self.serial += 1
        key = f"mark:{self.name}:{self.serial}"
        if self._do("set", key, f"v{self.serial}") == OK:
            self.marks.append(key)

    def _burst(self):
        """Many new keys at once: a pipeline, whose answers are one a key, or one MSET, whose answer is for all of them."""
        pairs = {}
        for _ in range(BURST):
            self.serial += 1
            pairs[f"mark:{self.name}:{self.serial}"] = f"v{self.serial}"
        sent = {key: padded(value, self.load.filler_bytes_max) for key, value in pairs.items()}
        begin = time.monotonic()
        try:
            if self.random.random() < 0.5:
                with self.clients[self.at].pipeline(transaction=False) as pipe:
                    for key, value in sent.items():
                        pipe.set(key, value)
                    answers = pipe.execute(raise_on_error=False)
            else:
                answers = [self.clients[self.at].mset(sent)] * BURST
        except Exception as error:  # noqa: BLE001: any error at all is judged
            answers = [error] * BURST
        end = time.monotonic()
        for (key, value), answer in zip(pairs.items(), answers, strict=True):
            outcome = self._judged(answer, begin)
            self.operations.append(Operation("set", key, value, outcome, begin, end, self.places[self.at]))
            if outcome == OK:
                self.marks.append(key)
        self._rest_after(answers[0])

    def _register(self):
        self.serial += 1
        register = self.random.randrange(REGISTERS_PER_THREAD)
        self._do("set", f"register:{self.name}:{register}", f"v{self.serial}")

    def _shared(self):
        self.serial += 1
        key = f"shared:{self.load.label}:{self.random.randrange(REGISTERS_OF_ALL)}"
        if self.random.random() < 0.2:
            self._do("delete", key, None)
        else:
            self._do("set", key, f"{self.name}:{self.serial}")

    def _add(self):
        self._do("add", self.random.choice(COUNTERS), self.random.randint(1, 5))

    def _delete(self):
        if self.marks:
            self._do("delete", self.marks.pop(self.random.randrange(len(self.marks))), None)

    def _read(self):
        kind = self.random.choice(("mark", "register", "shared", "counter"))
        if kind == "counter":
            self._do("count", self.random.choice(COUNTERS), None)
        elif kind == "shared":
            self._do("get", f"shared:{self.load.label}:{self.random.randrange(REGISTERS_OF_ALL)}", None)
        elif kind == "register":
            self._do("get", f"register:{self.name}:{self.random.randrange(REGISTERS_PER_THREAD)}", None)
        elif self.marks:
            self._do("get", self.random.choice(self.marks), None)

    def _do(self, kind, key, value):
        client, place = self.clients[self.at], self.places[self.at]
        begin = time.monotonic()
        try:
            if kind == "set":
                client.set(key, padded(value, self.load.filler_bytes_max))
            elif kind == "add":
                client.incrby(key, value)
            elif kind == "delete":
                client.delete(key)
            else:
                value = bare(client.get(key))
            answer = None
        except Exception as error:  # noqa: BLE001: any error at all is judged
            answer = error
        outcome = self._judged(answer, begin)
        self.operations.append(Operation(kind, key, value, outcome, begin, time.monotonic(), place))
        self._rest_after(answer)
        return outcome

    def _judged(self, answer, begin):
        if not isinstance(answer, Exception):
            return OK
        outcome, is_expected = outcome_of(answer)
        if not is_expected:
            self.load.errors.append((f"{type(answer).__name__}: {answer}", self.places[self.at], begin))
        return outcome

    def _rest_after(self, answer):
        if type(answer) is redis.ConnectionError:
            time.sleep(REST_AFTER_LOSS_SECONDS)
        elif isinstance(answer, redis.TimeoutError):
            self.shunned[self.at] = time.monotonic() + SHUN_SECONDS


def read_back(operations, place, level=None):
    """Reads every key of a history at one node, at its own level or another. Gives the reads as operations."""
    kinds = {operation.key: "count" if operation.kind in ("add", "count") else "get" for operation in operations}
    keys = list(kinds)
    reads = []
    with connect(place) as client:
        if level:
            client.execute_command("ARMILLA.LEVEL", level)
        for some in in_parts(keys):
            begin = time.monotonic()
            values = client.mget(some)
            end = time.monotonic()
            assert len(values) == len(some)
            reads += [Operation(kinds[key], key, bare(value), OK, begin, end, place) for key, value in zip(some, values)]
    return reads


def in_parts(keys):
    """Keys, as many at a time as one request is to have."""
    return (keys[first : first + KEYS_AT_ONCE] for first in range(0, len(keys), KEYS_AT_ONCE))


def sync_of(port):
    """What a node says of how far it is from holding what others hold."""
    with connect(port) as client:
        return as_map(as_map(client.execute_command("ARMILLA.STATUS"))["sync"])


def as_map(reply):
    """What RESP2 gives as a list of names and values."""
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2]))
