"""Public pages per second beside a bare Flask and beside nginx, and what a first visit to each of them loads."""

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from playwright.sync_api import Browser, sync_playwright

from tests.bench.webhooks import site
from tests.browser.conftest import FLAGS
from tests.run import both_servers
from tests.servers import free_port, own_database

ROUNDS = 3
SECONDS = 2
CONNECTIONS = 32
PAGES = ("/", "/services", "/services/strategy-consultation", "/faq", "/privacy", "/book-consultation")
WORKERS = "--interface wsgi --workers 2 --blocking-threads 4 --no-ws --http 1 --host 127.0.0.1"
HELLO = """
from flask import Flask
app = Flask("hello")

@app.get("/")
def hello():
    return "hello"
"""
NGINX = """
daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/nginx.log; {user}
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {folder}/html; default_type text/html; }}
}}
"""
# wrk's own script, for the percentiles.
LUA = """
function done(summary, latency, requests)
  io.write(string.format("p50=%.2f p99=%.2f\\n", latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


@dataclass(frozen=True)
class Load:
    rate: float
    p50: float  # milliseconds
    p99: float

    def __str__(self) -> str:
        return f"{self.rate:>8,.0f}/s   p50 {self.p50:.2f} ms   p99 {self.p99:.2f} ms"


def measure() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hds")))
        servers = stack.enter_context(both_servers())
        database = stack.enter_context(own_database(servers["TEST_DATABASE_URL"], "pages"))
        port = stack.enter_context(site(folder, database, servers["TEST_REDIS_URL"]))
        seed(folder, database)
        if shutil.which("wrk"):
            measure_rates(stack, folder, port)
        else:
            print("rates not measured: wrk is not installed (Debian: apt-get install wrk)")
        measure_first_loads(port)


def seed(folder: Path, database: str) -> None:
    named = os.environ | {"HDS_ENV_FILE": "", "HDS_DATA": str(folder), "DATABASE_URL": database, "FLASK_APP": "wsgi.py"}
    subprocess.run([Path(sys.executable).parent / "flask", "seed"], env=named, check=True, capture_output=True)
    time.sleep(2)  # each web process sees it


def measure_rates(stack: ExitStack, folder: Path, port: int) -> None:
    hello = stack.enter_context(bare_flask(folder))
    plain = stack.enter_context(nginx(folder, fetch(f"http://127.0.0.1:{port}/book-consultation")))
    to_hello, to_nginx = [], []
    for _ in range(ROUNDS):
        floor = load(folder, hello, "/")
        print(f"{'bare Flask':<34} {floor}", flush=True)
        ceiling = load(folder, plain, "/page") if plain else None
        if ceiling:
            print(f"{'nginx, bytes of /book-consultation':<34} {ceiling}", flush=True)
        rates = []
        for page in PAGES:
            found = load(folder, port, page)
            rates.append(found.rate)
            print(f"{page:<34} {found}", flush=True)
        to_hello.append(statistics.median(rates) / floor.rate)
        if ceiling:
            to_nginx.append(rates[-1] / ceiling.rate)
    print(f"a public page to bare Flask: median {statistics.median(to_hello):.1f} (to reach: 3)")
    if to_nginx:
        print(f"/book-consultation to nginx: median {statistics.median(to_nginx):.2f} (to reach: 0.4)")
    else:
        print("not measured beside nginx, which is not installed")


def load(folder: Path, port: int, path: str) -> Load:
    script = folder / "percentiles.lua"
    script.write_text(LUA)
    command = ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", str(script), "-H", "Accept-Encoding: br"]
    printed = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True
    ).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    latency = re.search(r"p50=([\d.]+) p99=([\d.]+)", printed)
    if not rate or not latency or "Non-2xx" in printed:
        raise SystemExit(f"the load did not go through: {printed}")
    return Load(float(rate[1]), float(latency[1]), float(latency[2]))


def fetch(url: str) -> bytes:
    with urlopen(Request(url, headers={"Accept-Encoding": "br"}), timeout=20) as answer:
        return bytes(answer.read())


@contextmanager
def bare_flask(folder: Path) -> Iterator[int]:
    """It says hello and nothing else, on the web server settings of the site."""
    (folder / "hello.py").write_text(HELLO)
    port = free_port()
    command = [Path(sys.executable).with_name("granian"), *WORKERS.split(), "--port", str(port), "hello:app"]
    with running(command, port, cwd=folder):
        yield port


@contextmanager
def nginx(folder: Path, body: bytes) -> Iterator[int | None]:
    """One of ours that serves the page's compressed bytes from a file; None where it is not installed."""
    binary = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if binary is None:
        yield None
        return
    (folder / "html").mkdir()
    (folder / "html/page").write_bytes(body)
    port = free_port()
    configuration = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""  # the folder is closed to others
    configuration.write_text(NGINX.format(folder=folder, port=port, user=user))
    with running([binary, "-c", str(configuration), "-e", f"{folder}/nginx.log"], port):
        yield port


@contextmanager
def running(command: list[Any], port: int, **more: Any) -> Iterator[None]:
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
    try:
        for _ in range(100):
            try:
                with urlopen(f"http://127.0.0.1:{port}/", timeout=2):
                    break
            except OSError as error:
                if getattr(error, "code", None):
                    break
                time.sleep(0.1)
        yield
    finally:
        server.terminate()
        server.wait(20)


def measure_first_loads(port: int) -> None:
    """With an empty cache, on a phone: what goes over the wire, headers and all, until nothing more is loaded."""
    print("\nfirst load on a phone (to reach for /book-consultation: 60 KB, 8 requests)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or "/usr/bin/chromium", args=FLAGS
        )
        for path in PAGES:
            sizes = first_load(chromium, port, path)
            print(f"{path:<34} {sum(sizes.values()) / 1024:5.1f} KB in {len(sizes)} requests", flush=True)
            for name, size in sizes.items():
                print(f"    {size:>7,.0f}  {name}", flush=True)
        chromium.close()


def first_load(chromium: Browser, port: int, path: str) -> dict[str, float]:
    """Bytes of each address."""
    context = chromium.new_context(viewport={"width": 360, "height": 740})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    names: dict[str, str] = {}
    sizes: dict[str, float] = {}

    def asked(event: Any) -> None:
        names[event["requestId"]] = event["request"]["url"].partition(str(port))[2]
        sizes[names[event["requestId"]]] = 0

    def loaded(event: Any) -> None:
        sizes[names[event["requestId"]]] = event["encodedDataLength"]

    session.on("Network.requestWillBeSent", asked)
    session.on("Network.loadingFinished", loaded)
    page.goto(f"http://127.0.0.1:{port}{path}", wait_until="networkidle")
    context.close()
    return sizes
