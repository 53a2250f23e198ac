"""dask.bag with two processes: reads, parses, filters and writes NDJSON.  Prints the seconds.

Run by the benchmark in dask's own environment; the pool is made and warm before the time begins.
"""

# mypy: ignore-errors
# ruff: noqa: PTH118

import json
import os
import time
from concurrent.futures import ProcessPoolExecutor

import dask
import dask.bag

SOURCE, TARGET = os.environ["BENCH_SOURCE"], os.environ["BENCH_TARGET"]
FIELD, VALUE = os.environ["BENCH_FIELD"], os.environ["BENCH_VALUE"]


def main():
    with ProcessPoolExecutor(2) as pool, dask.config.set(pool=pool, scheduler="processes"):
        list(pool.map(abs, range(10)))
        started = time.perf_counter()
        bag = dask.bag.read_text(SOURCE, blocksize=10_000_000).map(json.loads)
        bag.filter(is_wanted).map(json.dumps).to_textfiles(os.path.join(TARGET, "*.ndjson"))
        print(time.perf_counter() - started)


def is_wanted(record):
    return record[FIELD] == VALUE


if __name__ == "__main__":
    main()
