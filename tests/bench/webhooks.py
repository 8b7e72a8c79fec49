"""Signed webhooks accepted per second, beside the same driver's single-row commits by eight clients on PostgreSQL."""

import json
import multiprocessing
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import urlopen

import psycopg

from tests.deliveries import as_sent, delivery, sign
from tests.run import both_servers
from tests.servers import free_port, own_database

ROUNDS = 7
SECONDS = 4
CLIENTS = 8
CONNECTIONS = 32
BODIES_PER_ROUND = 30_000
SECRET = "bench-secret"

# wrk runs one copy of this for each of its threads; each takes every second line, so that no body is sent twice.
LUA = """
local threads = 0
function setup(thread) thread:set("number", threads); threads = threads + 1 end
function init(args)
  lines = {}
  local at = 0
  for line in io.lines(args[1]) do
    if at % 2 == number then table.insert(lines, line) end
    at = at + 1
  end
  index = 0
end
function request()
  index = index % #lines + 1
  local line = lines[index]
  local headers = {["X-Cal-Signature-256"] = line:sub(1, 64), ["Content-Type"] = "application/json"}
  return wrk.format("POST", "/api/webhooks/cal", headers, line:sub(66))
end
function done(summary, latency, requests)
  io.write(string.format("p50=%.2f p99=%.2f\\n", latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


def measure() -> None:
    if not shutil.which("wrk"):
        print("not measured: wrk is not installed (Debian: apt-get install wrk)")
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hds")))
        servers = stack.enter_context(both_servers())
        database = stack.enter_context(own_database(servers["TEST_DATABASE_URL"]))
        port = stack.enter_context(site(folder, database, servers["TEST_REDIS_URL"]))
        ratios = []
        for number in range(ROUNDS):
            floor = single_row_commits(database)
            rate, latencies = accepted(folder, port, number)
            ratios.append(rate / floor)
            print(f"accepted {rate:,.0f}/s ({latencies}), floor {floor:,.0f}/s, ratio {rate / floor:.2f}", flush=True)
        print(f"median ratio {statistics.median(ratios):.2f} (to reach: 0.25)")


@contextmanager
def site(folder: Path, database: str, queue: str) -> Iterator[int]:
    """The site as in production, with two web processes of four threads."""
    port = free_port()
    environment = os.environ | {
        "HDS_ENV": "production", "HDS_ENV_FILE": "", "HDS_DATA": str(folder), "DATABASE_URL": database,
        "REDIS_URL": queue, "SITE_URL": "https://bench.example", "SECRET_KEY": "bench" * 8, "CAL_LINK": "bench",
        "CONTACT_EMAIL": "owner@bench.example", "CAL_WEBHOOK_SECRET": SECRET, "MAIL_TRANSPORT": "smtp", "SMTP_URL": "smtp://127.0.0.1:1",
    }  # fmt: skip
    bin_folder = Path(sys.executable).parent
    with (folder / "log").open("w") as log:
        subprocess.run([bin_folder / "flask", "db", "upgrade"], env=environment, check=True, stdout=log, stderr=log)
        options = [
            "--interface",
            "wsgi",
            "--workers",
            "2",
            "--blocking-threads",
            "4",
            "--no-ws",
            "--http",
            "1",
            "--host",
            "127.0.0.1",
        ]
        server = subprocess.Popen(
            [bin_folder / "granian", *options, "--port", str(port), "wsgi:app"], env=environment, stdout=log, stderr=log
        )
    try:
        for _ in range(100):
            time.sleep(0.2)
            try:
                urlopen(f"http://127.0.0.1:{port}/robots-are-not-asked", timeout=2)
            except OSError as error:
                if getattr(error, "code", None) == 404:
                    break
        yield port
    finally:
        server.terminate()
        server.wait(20)


def accepted(folder: Path, port: int, number: int) -> tuple[float, str]:
    lines, script = folder / "bodies", folder / "post.lua"
    script.write_text(LUA)
    with lines.open("wb") as file:
        for index in range(BODIES_PER_ROUND):
            raw = as_sent(delivery("REQUESTED", uid=f"bench-{number}-{index}", userFieldsResponses={}))
            file.write(sign(raw, SECRET).encode() + b" " + raw + b"\n")
    load = ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", str(script), f"http://127.0.0.1:{port}", "--"]
    printed = subprocess.run([*load, str(lines)], capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    latencies = re.search(r"p50=.*", printed)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", printed)
    if not rate or not latencies or refused:
        raise SystemExit(f"the load did not go through: {printed}")
    return float(rate[1]), latencies[0].replace("p50=", "p50 ").replace(" p99=", " ms, p99 ").split(" errors")[
        0
    ] + " ms"


def single_row_commits(database: str) -> float:
    """What the database and its driver can do at most: one row of a webhook's size a transaction, eight processes."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS floor")
        connection.execute("CREATE TABLE floor (id bigserial PRIMARY KEY, digest text UNIQUE, body bytea)")
    context = multiprocessing.get_context("spawn")
    with context.Pool(CLIENTS) as pool:
        counts = pool.starmap(_commit_rows, [(database, number) for number in range(CLIENTS)])
    return sum(counts) / SECONDS


def _commit_rows(database: str, number: int) -> int:
    body = as_sent(json.loads(json.dumps(delivery("REQUESTED"))))
    count = 0
    with psycopg.connect(database, autocommit=True) as connection:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            connection.execute("INSERT INTO floor (digest, body) VALUES (%s, %s)", (f"{number}-{count}", body))
            count += 1
    return count
