"""A proxy for TCP between peers that makes a good network a bad one: late, uneven, stalled, cut off.

Not a filter of packets: `netns` drops those. Bytes of one connection keep their order here and none is lost but by a cut of
the whole connection, as TCP has it. It knows nothing of what goes through.

It runs as a process of its own, so that a load does not slow it. Its argument is a JSON list of
`[listen host, target host, port, is faulty]`; each line of its standard input is the JSON of a new `Weather`, for all
connections at once. `Proxy` is the handle on such a process.

1. A connection from host A to host B is known by the addresses of both; a stall is of one direction.
2. What waits is bounded (`WAITING_BYTES_MAX` a direction); then the sender is no longer read.
3. It ends with its standard input.
"""

import asyncio
import collections
import json
import os
import random
import subprocess
import sys

READ_BYTES_MAX = 1 << 16
WAITING_BYTES_MAX = 1 << 20
TICK_SECONDS = 0.05
FINE = {"delay_ms": 0, "jitter_ms": 0, "cuts_per_second": 0.0, "stalled": []}


class Proxy:
    """The proxy as a process. `ways` is what it takes as its argument."""

    def __init__(self, ways):
        from cluster import spawn

        command = [sys.executable, __file__, json.dumps(ways)]
        self.process = spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", "the proxy did not start"

    def set(self, **weather):
        """`delay_ms` and up to `jitter_ms` more for all bytes; so many cuts a second of each connection, at random; pairs of
        hosts from the first of which nothing comes to the second until they are no longer `stalled`. All else is fine."""
        assert weather.keys() <= FINE.keys()
        self.process.stdin.write(json.dumps(FINE | weather) + "\n")
        self.process.stdin.flush()

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class _Sky:
    """The weather, and whoever waits for it to change."""

    def __init__(self):
        self.weather = FINE
        self.connections, self.tasks = set(), set()

    def is_stalled(self, source, target):
        return [source, target] in self.weather["stalled"]

    async def read(self):
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            self.weather = json.loads(line)

    async def cut(self):
        while True:
            await asyncio.sleep(TICK_SECONDS)
            for writers in list(self.connections):
                if random.random() < self.weather["cuts_per_second"] * TICK_SECONDS:
                    for writer in writers:
                        writer.transport.abort()


class _Direction:
    """One direction of a connection: bytes wait until they are due, and go in order."""

    def __init__(self, sky, source, target, reader, writer):
        self.sky, self.pair, self.reader, self.writer = sky, (source, target), reader, writer
        self.waiting = collections.deque()
        self.bytes, self.due = 0, 0.0
        self.changed = asyncio.Event()

    async def take(self):
        loop = asyncio.get_running_loop()
        while True:
            while self.bytes > WAITING_BYTES_MAX:
                await asyncio.sleep(TICK_SECONDS)
            some = await self.reader.read(READ_BYTES_MAX)
            weather = self.sky.weather
            late = (weather["delay_ms"] + random.random() * weather["jitter_ms"]) / 1000
            self.due = max(self.due, loop.time() + late)
            self.waiting.append((self.due, some))
            self.bytes += len(some)
            self.changed.set()
            if not some:
                return

    async def give(self):
        loop = asyncio.get_running_loop()
        while True:
            while not self.waiting:
                self.changed.clear()
                await self.changed.wait()
            due, some = self.waiting.popleft()
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            while self.sky.is_stalled(*self.pair):
                await asyncio.sleep(TICK_SECONDS)
            if not some:
                self.writer.write_eof()
                return
            self.writer.write(some)
            await self.writer.drain()
            self.bytes -= len(some)


async def _carry(sky, target, port, is_faulty, reader, writer):
    source = writer.get_extra_info("peername")[0]
    writers = [writer]
    try:
        other_reader, other_writer = await asyncio.open_connection(target, port)
        writers.append(other_writer)
        there = _Direction(sky, source, target, reader, other_writer)
        back = _Direction(sky, target, source, other_reader, writer)
        if is_faulty:
            sky.connections.add(tuple(writers))
        async with asyncio.TaskGroup() as tasks:
            for direction in (there, back):
                tasks.create_task(direction.take())
                tasks.create_task(direction.give())
    except* OSError:
        pass
    finally:
        sky.connections.discard(tuple(writers))
        for one in writers:
            one.transport.abort()


async def _main(ways):
    sky = _Sky()
    for host, target, port, is_faulty in ways:

        def carry(reader, writer, target=target, port=port, is_faulty=is_faulty):
            task = asyncio.create_task(_carry(sky, target, port, is_faulty, reader, writer))
            # The loop alone does not keep a task alive.
            sky.tasks.add(task)
            task.add_done_callback(sky.tasks.discard)

        await asyncio.start_server(carry, host, port)
    print("ready", flush=True)
    sky.tasks.add(asyncio.create_task(sky.cut()))
    await sky.read()
    # Connections need no farewell.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(_main(json.loads(sys.argv[1])))
