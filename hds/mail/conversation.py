"""An SMTP conversation that ends in time. smtplib's own timeout is for each byte that it waits for."""

import smtplib
import socket
import time
from collections.abc import Callable
from typing import Any

from hds.lib import http

STEP = 15  # seconds for each step
LONGEST = 60  # seconds for all of it; less where somebody waits (`http.within`)


class Conversation(smtplib.SMTP):
    """A conversation that ends in time, however many steps it has and however slowly the server drips."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.ends = time.monotonic() + min(LONGEST, http.time_left())
        super().__init__(*args, **options)

    def send(self, s: Any) -> None:
        if self.sock:
            self.sock.settimeout(self.left())
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock:
            self.file = _Lines(self.sock, self.left)
        return super().getreply()

    def left(self) -> float:
        """The seconds that the next step may take."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return min(left, STEP)


class SecureConversation(Conversation, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""


class _Lines:
    """What smtplib reads from. A socket's own file would wait anew for each byte."""

    def __init__(self, sock: socket.socket, left: Callable[[], float]) -> None:
        self.sock = sock
        self.left = left
        self.unread = b""

    def readline(self, most: int) -> bytes:
        while b"\n" not in self.unread and len(self.unread) < most:
            self.sock.settimeout(self.left())
            some = self.sock.recv(8192)
            if not some:
                break
            self.unread += some
        end = min(self.unread.find(b"\n") + 1 or len(self.unread), most)
        line, self.unread = self.unread[:end], self.unread[end:]
        return line

    def close(self) -> None:
        self.unread = b""
