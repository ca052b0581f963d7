"""Latency and throughput of the trading API's hot read: from memory, from Redis, from PostgreSQL.

Run with the Python of an environment of apps/trading_api/requirements.txt, and
the TEST_ variables that apps/trading_api/README.md lists:

    python benchmarks/trading_api.py [--orders 100000] [--seconds 5]

It works in a database of its own and drops it. Throughput needs `wrk`; without
it only latency is measured. Compare figures of one run only: one process
serves, on the machine that also runs PostgreSQL, Redis and the load.
"""

import argparse
import asyncio
import http.client
import os
import re
import secrets
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg
import redis

APP = Path(__file__).parents[1] / "apps" / "trading_api"
READ = "/api/trading/instruments/SOL-USD"
KEY = "trading_api:1:instrument:SOL-USD"
PORT = 18099
CASES = {
    "memory": {"CACHE_MEMORY_TTL": "0.2"},
    "redis (hit)": {"CACHE_MEMORY_TTL": "0"},
    # Nothing listens on port 1, so that every read goes to the database.
    "postgresql (miss)": {"REDIS_URL": "redis://127.0.0.1:1/0"},
}


def environment() -> dict[str, str]:
    """The service's variables; exits with a sentence when a TEST_ variable is absent."""
    names = [f"DATABASE_{part}" for part in ("HOST", "PORT", "NAME", "USER", "PASSWORD")]
    absent = [
        f"TEST_{name}" for name in [*names, "REDIS_URL"] if not os.environ.get(f"TEST_{name}")
    ]
    if absent:
        sys.exit(f"Set {', '.join(absent)}: see apps/trading_api/README.md.")
    given = {name: os.environ[f"TEST_{name}"] for name in [*names, "REDIS_URL"]}
    return {**given, "DATABASE_SSL": os.environ.get("TEST_DATABASE_SSL", "disable")}


async def admin(variables: dict[str, str], *statements: str) -> None:
    """Run `statements` one by one in the database that `variables` name."""
    connection = await asyncpg.connect(
        host=variables["DATABASE_HOST"],
        port=int(variables["DATABASE_PORT"]),
        database=variables["DATABASE_NAME"],
        user=variables["DATABASE_USER"],
        password=variables["DATABASE_PASSWORD"],
        ssl=variables["DATABASE_SSL"],
    )
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


@contextmanager
def service(variables: dict[str, str]) -> Iterator[None]:
    """One task of the service on PORT, as the container runs it."""
    told = {**os.environ, **variables, "PORT": str(PORT), "LOG_LEVEL": "warning"}
    process = subprocess.Popen(
        [sys.executable, "-m", "trading_api"],
        cwd=APP,
        env={**told, "DRAIN_DELAY": "0"},
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            with suppress(OSError):
                link = http.client.HTTPConnection("127.0.0.1", PORT)
                link.request("GET", "/health")
                if link.getresponse().status == 200:
                    break
            if process.poll() is not None:
                sys.exit(f"The service ended with code {process.returncode}: run it by hand.")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(30)


def one_by_one(seconds: float) -> tuple[float, float, int, str]:
    """p50 and p99 in milliseconds, the number of reads, and what X-Cache said last."""
    link = http.client.HTTPConnection("127.0.0.1", PORT)
    took = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.perf_counter()
        link.request("GET", READ)
        answer = link.getresponse()
        answer.read()
        took.append((time.perf_counter() - begin) * 1000)
        if answer.status != 200:
            sys.exit(f"GET {READ} answered {answer.status}")
    quantiles = statistics.quantiles(took, n=100)
    return quantiles[49], quantiles[98], len(took), answer.headers["X-Cache"]


def thirty_two_at_once(seconds: float) -> str:
    """Requests per second and p99, as wrk saw them."""
    command = ["wrk", "-t1", "-c32", f"-d{seconds:g}s", "--latency"]
    output = subprocess.run(
        [*command, f"http://127.0.0.1:{PORT}{READ}"], capture_output=True, text=True, check=True
    ).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)[1]
    p99 = re.search(r"99%\s+(\S+)", output)[1]
    return f"{float(rate):,.0f} req/s, p99 {p99}"


def main() -> None:
    """Measure each case and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=100_000, help="orders of the last day")
    parser.add_argument("--seconds", type=float, default=5, help="length of each measurement")
    chosen = parser.parse_args()

    given = environment()
    name = f"trading_bench_{secrets.token_hex(4)}"
    own = {**given, "DATABASE_NAME": name}
    asyncio.run(admin(given, f"CREATE DATABASE {name}"))
    try:
        with service(own):
            pass  # Makes the schema.
        fill = f"""
            INSERT INTO orders (id, idempotency_key, request_hash, symbol, side, quantity, price,
                                created_at)
            SELECT gen_random_uuid(), n::text, '',
                   (ARRAY['SOL-USD', 'BTC-USD', 'ETH-USD'])[1 + n % 3], 'buy', 1.5, 100,
                   now() - n * interval '1 second' * 86400 / {chosen.orders}
            FROM generate_series(1, {chosen.orders}) n
        """  # noqa: S608 - an int
        asyncio.run(admin(own, fill, "VACUUM ANALYZE orders"))
        print(f"{chosen.orders:,} orders in the last day; one read at a time, then 32 at once")
        for case, variables in CASES.items():
            redis.Redis.from_url(given["REDIS_URL"]).delete(KEY)
            with service({**own, **variables}):
                one_by_one(0.5)
                p50, p99, count, said = one_by_one(chosen.seconds)
                line = f"{case:18} {said:4}  p50 {p50:7.2f} ms  p99 {p99:7.2f} ms  ({count} reads)"
                if shutil.which("wrk"):
                    line += f"   {thirty_two_at_once(chosen.seconds)}"
                print(line, flush=True)
    finally:
        asyncio.run(admin(given, f"DROP DATABASE {name} WITH (FORCE)"))


if __name__ == "__main__":
    main()
