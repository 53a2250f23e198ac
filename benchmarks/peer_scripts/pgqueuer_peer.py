"""pgqueuer, two consumer processes, batches of 100, draining a filled queue: units a second.

Run by the benchmark in pgqueuer's own environment.  Filling the queue is not counted, which favors it.
"""

# mypy: ignore-errors
# ruff: noqa: ARG001

import asyncio
import multiprocessing
import os
import time

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode

URL, UNITS = os.environ["BENCH_POSTGRES"], int(os.environ["BENCH_UNITS"])


def main():
    uvloop.run(fill(UNITS, install=True))
    ready, go, ends = multiprocessing.Semaphore(0), multiprocessing.Event(), multiprocessing.Queue()
    consumers = [multiprocessing.Process(target=consume, args=(ready, go, ends)) for _ in range(2)]
    for consumer in consumers:
        consumer.start()
    for _ in consumers:
        ready.acquire()
    started = time.monotonic()
    go.set()
    last = max(ends.get() for _ in consumers)
    for consumer in consumers:
        consumer.join()
    print(UNITS / (last - started))


async def fill(units, install):
    connection = await asyncpg.connect(URL)
    queries = Queries(AsyncpgDriver(connection))
    if install:
        await queries.install()
    for first in range(0, units, 1000):
        count = min(1000, units - first)
        await queries.enqueue(["noop"] * count, [b"1"] * count, [0] * count)
    await connection.close()


def consume(ready, go, ends):
    uvloop.run(drain(ready, go, ends))


async def drain(ready, go, ends):
    connection = await asyncpg.connect(URL)
    consumer = PgQueuer(AsyncpgDriver(connection))
    last = [0.0]

    @consumer.entrypoint("noop")
    async def noop(job):
        last[0] = time.monotonic()

    ready.release()
    await asyncio.to_thread(go.wait)
    await consumer.run(batch_size=100, mode=QueueExecutionMode.drain)
    await connection.close()
    ends.put(max(last[0], 0.0))


if __name__ == "__main__":
    main()
