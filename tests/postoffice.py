"""A mail server on a port of its own, which takes what it is told to take."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

USER, PASSWORD = "site", "p@ss:word/1"


class PostOffice:
    """Its letters, as they came; `answers` says what it replies to which command instead of 250."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.answers: dict[str, str] = {}
        self.hang_up_at: str | None = None
        self.meanwhile: Callable[[], object] = lambda: None
        self.tries = 0
        self.was_encrypted: list[bool] = []
        self.users: list[str] = []

    @property
    def letters(self) -> list[EmailMessage]:
        return [message_from_bytes(raw, policy=policy.default) for raw in self.raw]  # type: ignore[misc]

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        self.tries += 1
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if "RCPT" not in self.answers:
            envelope.rcpt_tos.append(address)
        return self.answers.get("RCPT", "250 OK")

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        await asyncio.get_running_loop().run_in_executor(None, self.meanwhile)
        if self.hang_up_at == "DATA":
            server.transport.abort()
        if "DATA" in self.answers:
            return self.answers["DATA"]
        self.raw.append(envelope.original_content)
        self.was_encrypted.append(session.ssl is not None)
        self.users.append(session.auth_data.login.decode() if session.auth_data else "")
        return "250 OK"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == (USER, PASSWORD)
        return AuthResult(success=right, auth_data=data, handled=False)


@contextmanager
def open_post_office(**options: Any) -> Iterator[tuple[PostOffice, int]]:
    office = PostOffice()
    if "tls_context" in options:
        options |= {"authenticator": office.authenticate}
    controller = Controller(office, hostname="127.0.0.1", port=_free_port(), **options)
    controller.start()
    try:
        yield office, controller.port
    finally:
        controller.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def own_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, made by the machine's openssl."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    command = ["openssl", *words.split(), "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, stderr=subprocess.DEVNULL)
    return certificate, key


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context
