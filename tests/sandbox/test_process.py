"""As its own process, the way the supervisor starts it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

pytestmark = pytest.mark.processes


def start(folder: Path, **settings: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_")}
    environment |= {"SANDBOX_DATA": str(folder)} | {f"SANDBOX_{name}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "hds.sandbox"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("sandbox ready on http://127.0.0.1:"), line
    return line.split()[-1]


def test_it_says_where_it_listens_stops_at_once_and_remembers(tmp_path: Path) -> None:
    body = {
        "start": "2026-11-23T15:00:00Z",
        "eventTypeId": 1001,
        "attendee": {"name": "Priya", "email": "priya@acme.example", "timeZone": "UTC"},
    }
    headers = {"cal-api-version": "2024-09-04"}
    process = start(tmp_path)
    try:
        url = address(process)
        days = requests.get(
            f"{url}/v2/slots", {"eventTypeId": 1001, "start": "2000-01-01", "end": "2100-01-01"}, headers=headers
        )
        body["start"] = next(iter(days.json()["data"].values()))[0]["start"]
        headers = {"cal-api-version": "2024-08-13"}
        made = requests.post(f"{url}/v2/bookings", json=body, headers=headers).json()["data"]
        assert _memory_kilobytes(process.pid) < 45_000
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()
    again = start(tmp_path)
    try:
        read = requests.get(f"{address(again)}/v2/bookings/{made['uid']}", headers=headers)
        assert read.json()["data"]["id"] == made["id"]
    finally:
        again.terminate()
        again.communicate(timeout=5)


def test_busy_port_and_wrong_setting_are_one_sentence_each(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        process = start(tmp_path, PORT=str(busy.getsockname()[1]))
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "in use" in errors
    assert len(errors.strip().splitlines()) == 1
    wrong = start(tmp_path, PORT="http")
    _, errors = wrong.communicate(timeout=10)
    assert (wrong.returncode, errors) == (2, "sandbox: SANDBOX_PORT must be a whole number, not 'http'.\n")


def _memory_kilobytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")
