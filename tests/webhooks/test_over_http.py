"""What only a real web server shows: bodies in chunks, headers twice, requests that are cut off."""

import socket
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from hds.extensions import db
from hds.webhooks.models import InboxDelivery
from tests.deliveries import URL, as_sent, delivery, sign
from tests.granian import served

LARGEST = 256 * 1024
HEADER = "X-Cal-Signature-256"


@pytest.fixture(scope="module")
def port(_app) -> Iterator[int]:
    with served(_app.config["HDS"]) as port:
        yield port


def post(port: int, body: object, *signatures: str, chunked: bool = False, **headers: str) -> int | None:
    """The status; None where the connection was closed while we still talked."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest("POST", URL)
        for signature in signatures:
            connection.putheader(HEADER, signature)
        for name, value in headers.items():
            connection.putheader(name, value)
        if chunked:
            connection.putheader("Transfer-Encoding", "Chunked")
        else:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body, encode_chunked=chunked)
        return connection.getresponse().status
    except (BrokenPipeError, ConnectionResetError):
        return None
    finally:
        connection.close()


def stored() -> list[bytes]:
    db.session.rollback()
    return list(db.session.scalars(db.select(InboxDelivery.body)))


def in_pieces(raw: bytes, size: int) -> Iterator[bytes]:
    return (raw[start : start + size] for start in range(0, len(raw), size))


@pytest.mark.parametrize("size", [100, 1000, 100_000])
def test_a_body_in_chunks_without_a_length_is_stored_whole(app, port, size):
    raw = as_sent(delivery("CREATED"))
    assert post(port, in_pieces(raw, size), sign(raw), chunked=True) == 200
    assert stored() == [raw]


def test_a_body_in_chunks_may_be_as_large_as_any_other(app, port):
    raw = b'"' + b"x" * (LARGEST - 2) + b'"'
    assert post(port, in_pieces(raw, 8192), sign(raw), chunked=True) == 200
    assert stored() == [raw]


@pytest.mark.parametrize("size", [LARGEST + 1, 4 * LARGEST])
def test_too_large_a_body_is_refused_with_and_without_a_length(app, port, size):
    raw = b"x" * size
    # The server answers without reading on, so the answer may be lost while we still send.
    assert post(port, raw, sign(raw)) in {413, None}
    assert post(port, in_pieces(raw, 8192), sign(raw), chunked=True) in {413, None}
    assert stored() == []


def test_a_signature_that_stands_twice_is_none(app, port):
    raw = as_sent(delivery("PING"))
    assert post(port, raw, sign(raw), sign(raw)) == 401
    assert post(port, raw, sign(raw), "0" * 64) == 401
    assert post(port, raw, "0" * 64, sign(raw)) == 401
    assert stored() == []


def test_raw_bytes_in_the_signature_are_refused(app, port):
    raw = as_sent(delivery("PING"))
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        head = f"POST {URL} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(raw)}\r\n".encode()
        connection.sendall(head + b"X-Cal-Signature-256: \xc3\xa9\xff" + b"a" * 61 + b"\r\n\r\n" + raw)
        status = connection.recv(100).split()[1]
    assert status in {b"400", b"401"}
    assert stored() == []


def test_a_request_that_is_cut_off_stores_nothing(app, port):
    raw = as_sent(delivery("PING"))
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        head = f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(raw)}\r\n{HEADER}: {sign(raw)}\r\n\r\n"
        connection.sendall(head.encode() + raw[:-10])
    assert post(port, raw, sign(raw)) == 200  # it serves on
    assert stored() == [raw]


def test_compressed_on_the_way_is_stored_as_it_came(app, port):
    import gzip

    raw = gzip.compress(as_sent(delivery("PING")))
    assert post(port, raw, sign(raw), **{"Content-Encoding": "gzip"}) == 200
    assert stored() == [raw]
