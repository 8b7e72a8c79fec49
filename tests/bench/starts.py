"""`make run` from nothing and again, and what the idle tree takes of memory."""

import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tests.servers import free_port

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 300  # seconds
SETTLED = 5  # seconds until the tree is idle


def measure() -> None:
    """In a clone of what is committed, with an empty package cache: what a newcomer would wait for."""
    with tempfile.TemporaryDirectory(prefix="hds") as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        environment = os.environ | {"UV_CACHE_DIR": f"{folder}/cache", "PIP_NO_CACHE_DIR": "1", "HDS_ENV_FILE": ""}
        for name, goal in (("first start, from nothing", 120), ("second start", 5)):
            tree, seconds = _start(clone, environment)
            print(f"{name}: {seconds:.1f} s (to reach: {goal} s)", flush=True)
            if goal == 5:
                time.sleep(SETTLED)
                _print_memory(tree.pid)
            tree.send_signal(signal.SIGTERM)
            tree.wait(60)


def _start(clone: Path, environment: dict[str, str]) -> tuple[subprocess.Popen[bytes], float]:
    port = next(port for _ in range(50) if (port := free_port()) < 65534)
    began = time.monotonic()
    tree = subprocess.Popen(
        ["make", "run", f"PORT={port}"],
        cwd=clone,
        env=environment | {"PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while time.monotonic() - began < PATIENCE:
        try:
            with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
                if answer.status == 200:
                    return tree, time.monotonic() - began
        except (URLError, OSError):
            time.sleep(0.05)
    tree.terminate()
    raise SystemExit(f"not healthy within {PATIENCE} s")


def _print_memory(root: int) -> None:
    """PSS shares what processes have in common among them, so that the sum is what the tree really takes."""
    rows = [row for pid in _family(root) if (row := _memory(pid))]
    for name, rss, pss in rows:
        print(f"{name:<60} RSS {rss:5.0f} MB   PSS {pss:5.0f} MB")
    print(
        f"{'the idle tree':<60} RSS {sum(r[1] for r in rows):5.0f} MB   PSS {sum(r[2] for r in rows):5.0f} MB (to reach: 350)"
    )


def _family(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, grown = {root}, True
    while grown:
        children = {pid for pid, parent in parents.items() if parent in found} - found
        found |= children
        grown = bool(children)
    return sorted(found)


def _memory(pid: int) -> tuple[str, float, float] | None:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return None
    figures = {name: int(kb) / 1024 for name, kb in re.findall(r"^(Rss|Pss):\s+(\d+) kB", rollup, re.MULTILINE)}
    short = re.sub(r"\S*/", "", command)[:60]
    return (short, figures["Rss"], figures["Pss"]) if figures else None
