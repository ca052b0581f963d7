"""The trading API's reads beside the thinnest server that could answer them, in one run.

Run with the Python of an environment of apps/trading_api/requirements.txt, `wrk` on PATH, and
the TEST_ variables that apps/trading_api/README.md lists:

    python benchmarks/trading_api.py [--seconds 5] [--rounds 3] [--orders 100000]
        [--log-level info] [--beside NAME=URL …]

The ceiling is an ASGI function on the same uvicorn that does the one call (asyncpg, redis-py or
a dict) and nothing else: no routing, ids, limits, logs or errors. `--beside` measures a server
that was started by hand in the same rounds, such as a checkout of a peer; put it on the last core
too (taskset). A second table says how many times its rate each read has.

One process serves at a time, on the last core; wrk with 32 connections and its servers are on
the others. The best of the rounds counts: the others tell of the machine's other work. Compare
figures of one run only. It works in a database of its own and drops it.
"""

import argparse
import asyncio
import http.client
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import redis
import redis.asyncio

APP = Path(__file__).parents[1] / "apps" / "trading_api"
API = "/api/trading"
ORDER = "00000000-0000-4000-8000-000000000001"
KEY = "trading_api:1:instrument:SOL-USD"
COLUMNS = "id, symbol, side, quantity, price, filled, status, version, created_at"
# A process serves on; each has what it needs beside the common variables.
SERVICES = {
    "usual": {"CACHE_MEMORY_TTL": "60", "CACHE_TTL": "3600"},
    "redis only": {"CACHE_MEMORY_TTL": "0", "CACHE_TTL": "3600"},
    # Nothing listens on port 1, so that every read goes to the database.
    "no cache": {"REDIS_URL": "redis://127.0.0.1:1/0", "CACHE_MEMORY_TTL": "0"},
}


class Case(NamedTuple):
    """What is measured: a service's path, and the ceiling's path that it is compared with."""

    name: str
    service: str
    path: str
    ceiling: str


CASES = [
    Case("one row from PostgreSQL", "usual", f"{API}/orders/{ORDER}", "/row"),
    Case("hot read from Redis", "redis only", f"{API}/instruments/SOL-USD", "/redis"),
    Case("hot read from memory", "usual", f"{API}/instruments/SOL-USD", "/memory"),
    Case("hot read from PostgreSQL", "no cache", f"{API}/instruments/SOL-USD", ""),
]


class Figures(NamedTuple):
    """Of one measurement: requests per second, and latencies in milliseconds."""

    rate: float
    p50: float
    p99: float


def environment() -> dict[str, str]:
    """The service's variables; exits with a sentence when a TEST_ variable is absent."""
    names = [f"DATABASE_{part}" for part in ("HOST", "PORT", "NAME", "USER", "PASSWORD")]
    absent = [
        f"TEST_{name}" for name in [*names, "REDIS_URL"] if not os.environ.get(f"TEST_{name}")
    ]
    if absent:
        sys.exit(f"Set {', '.join(absent)}: see apps/trading_api/README.md. Nothing was measured.")
    given = {name: os.environ[f"TEST_{name}"] for name in [*names, "REDIS_URL"]}
    return {**given, "DATABASE_SSL": os.environ.get("TEST_DATABASE_SSL", "disable")}


def where(variables: dict[str, str]) -> dict[str, Any]:
    """asyncpg's arguments for the database that `variables` name."""
    return {
        "host": variables["DATABASE_HOST"],
        "port": int(variables["DATABASE_PORT"]),
        "database": variables["DATABASE_NAME"],
        "user": variables["DATABASE_USER"],
        "password": variables["DATABASE_PASSWORD"],
        "ssl": variables["DATABASE_SSL"],
    }


async def admin(variables: dict[str, str], *statements: str) -> None:
    """Run `statements` one by one in the database that `variables` name."""
    connection = await asyncpg.connect(**where(variables))
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def ceiling(variables: dict[str, str]) -> Callable[..., Awaitable[None]]:
    """The ASGI function: a row, a body out of Redis, or one out of memory, by path."""

    async def leave(_connection: asyncpg.Connection) -> None:
        """As in the service: nothing is undone between two uses of a connection."""

    pool = await asyncpg.create_pool(**where(variables), min_size=2, max_size=10, reset=leave)
    store = redis.asyncio.Redis.from_url(variables["REDIS_URL"], protocol=2)
    memory = {"body": await store.get(KEY)}
    query = f"SELECT {COLUMNS} FROM orders WHERE id = $1"  # noqa: S608 - constants
    head = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"application/json")],
    }

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if scope["path"] == "/row":
            row = await pool.fetchrow(query, ORDER)
            body = json.dumps({name: str(value) for name, value in row.items()}).encode()
        elif scope["path"] == "/redis":
            body = await store.get(KEY)
        else:
            body = memory["body"]
        await send({**head, "headers": [*head["headers"]]})
        await send({"type": "http.response.body", "body": body})

    return app


def serve_ceiling(port: int) -> None:
    """Serve the ceiling until ended; its variables are in the environment."""
    import uvicorn

    async def run() -> None:
        app = await ceiling(dict(os.environ))
        config = uvicorn.Config(
            app, port=port, log_config=None, access_log=False, lifespan="off", server_header=False
        )
        await uvicorn.Server(config).serve()

    import uvloop

    uvloop.run(run())


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def running(command: list[str], variables: dict[str, str], port: int, path: str) -> Iterator[int]:
    """A server on the last core, once it answers `path`; yields its process id."""
    process = subprocess.Popen(
        command, cwd=APP, env={**os.environ, **variables}, stdout=subprocess.DEVNULL
    )
    os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
    try:
        for _ in range(1200):
            with suppress(OSError):
                link = http.client.HTTPConnection("127.0.0.1", port)
                link.request("GET", path)
                if link.getresponse().status == 200:
                    break
            if process.poll() is not None:
                sys.exit(f"{command} ended with code {process.returncode}: run it by hand.")
            time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def measure(url: str, seconds: int) -> Figures:
    """What wrk sees. Ends the run if an answer isn't 2xx."""
    others = sorted(os.sched_getaffinity(0))[:-1] or sorted(os.sched_getaffinity(0))
    done = subprocess.run(
        ["taskset", "--cpu-list", ",".join(map(str, others)),
         "wrk", "-t1", "-c32", f"-d{seconds}s", "--timeout", "30s", "--latency", url],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    if "Non-2xx" in done or "Socket errors" in done:
        sys.exit(f"{url} failed requests:\n{done}")
    unit = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}
    p50, p99 = (
        float(found[1]) * unit[found[2]]
        for found in (re.search(rf"{share}%\s+([\d.]+)(us|ms|s|m)", done) for share in (50, 99))
    )
    return Figures(float(re.search(r"Requests/sec:\s+([\d.]+)", done)[1]), p50, p99)


def resident(pid: int) -> float:
    """A process's resident memory in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def fill(orders: int) -> str:
    """The statement that makes `orders` orders of the last day, and the one that is read."""
    return f"""
        INSERT INTO orders (id, idempotency_key, request_hash, symbol, side, quantity, price,
                            created_at)
        SELECT CASE n WHEN 1 THEN '{ORDER}'::uuid ELSE gen_random_uuid() END, n::text, '',
               (ARRAY['SOL-USD', 'BTC-USD', 'ETH-USD'])[1 + n % 3], 'buy', 1.5, 100,
               now() - n * interval '1 second' * 86400 / {orders}
        FROM generate_series(1, {orders}) n
    """  # noqa: S608 - an int and a constant


def compare(own: dict[str, str], chosen: argparse.Namespace) -> None:
    """Measure all in rounds and print the table."""
    with ExitStack() as stack:
        urls, pids = {}, {}
        for name, variables in SERVICES.items():
            port = free_port()
            told = {**own, **variables, "PORT": str(port), "DRAIN_DELAY": "0"}
            told["LOG_LEVEL"] = chosen.log_level
            command = [sys.executable, "-m", "trading_api"]
            pids[name] = stack.enter_context(running(command, told, port, "/health"))
            urls[name] = f"http://127.0.0.1:{port}"
            if name == "usual":
                measure(f"{urls[name]}{API}/instruments/SOL-USD", 1)  # Fills Redis.
        port = free_port()
        command = [sys.executable, str(Path(__file__).resolve()), "--serve-ceiling", str(port)]
        pids["ceiling"] = stack.enter_context(running(command, own, port, "/row"))
        urls["ceiling"] = f"http://127.0.0.1:{port}"

        targets: dict[str, str] = {}
        for case in CASES:
            targets[case.name] = urls[case.service] + case.path
            if case.ceiling:
                targets[f"  its ceiling ({case.ceiling[1:]})"] = urls["ceiling"] + case.ceiling
        targets.update(one.split("=", 1) for one in chosen.beside)
        seen: dict[str, list[Figures]] = {name: [] for name in targets}
        for _ in range(chosen.rounds):
            for name, url in targets.items():
                measure(url, 1)
                seen[name].append(measure(url, chosen.seconds))
        print("| read | req/s | p50 ms | p99 ms | of its ceiling |\n|---|---|---|---|---|")
        results = {name: max(rounds, key=lambda one: one.rate) for name, rounds in seen.items()}
        for name, found in results.items():
            case = next((one for one in CASES if one.name == name and one.ceiling), None)
            share = found.rate / results[f"  its ceiling ({case.ceiling[1:]})"].rate if case else 0
            told = f"{share:.0%}" if case else ""
            print(f"| {name} | {found.rate:,.0f} | {found.p50:.1f} | {found.p99:.1f} | {told} |")
        sizes = ", ".join(f"{name} {resident(pid):.0f} MB" for name, pid in pids.items())
        print(f"Memory of a worker: {sizes}.")
        print_times(results, [one.split("=", 1)[0] for one in chosen.beside])


def print_times(results: dict[str, Figures], beside: list[str]) -> None:
    """How many times the rate of each server beside it the service's reads have."""
    if beside:
        print(f"\n| read | {' | '.join(f'times {name}' for name in beside)} |")
        print("|---|" + "---|" * len(beside))
    for case in CASES if beside else []:
        times = [f"{results[case.name].rate / results[name].rate:.1f}" for name in beside]
        print(f"| {case.name} | {' | '.join(times)} |")


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=100_000, help="orders of the last day")
    parser.add_argument("--seconds", type=int, default=5, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    parser.add_argument("--log-level", default="warning", help="of the service; it runs at info")
    parser.add_argument(
        "--beside", action="append", default=[], metavar="NAME=URL", help="a server to measure too"
    )
    parser.add_argument("--serve-ceiling", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve_ceiling:
        serve_ceiling(chosen.serve_ceiling)
        return

    given = environment()
    name = f"trading_bench_{secrets.token_hex(4)}"
    own = {**given, "DATABASE_NAME": name, "DATABASE_POOL_MAX": "10"}
    asyncio.run(admin(given, f"CREATE DATABASE {name}"))
    try:
        subprocess.run(
            [sys.executable, "-m", "trading_api", "migrate"],
            cwd=APP, env={**os.environ, **own}, stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        asyncio.run(admin(own, fill(chosen.orders), "VACUUM ANALYZE orders"))
        redis.Redis.from_url(given["REDIS_URL"]).delete(KEY)
        compare(own, chosen)
    finally:
        asyncio.run(admin(given, f"DROP DATABASE {name} WITH (FORCE)"))


if __name__ == "__main__":
    main()
