"""Where senders post. Verify over the raw bytes, store, answer; everything else is the worker's."""

import hashlib

import structlog
from flask import Blueprint, Response, current_app, g, request
from werkzeug.exceptions import RequestEntityTooLarge

from hds.extensions import csrf
from hds.lib.jobs import Bell
from hds.lib.times import utcnow
from hds.webhooks import inbox, senders

log = structlog.get_logger(part="webhooks")

blueprint = Blueprint("webhooks", __name__)
csrf.exempt(blueprint)  # the signature is the guard here

LARGEST_BODY = 256 * 1024  # bytes
STORED = b'{"status":"stored"}\n'
bell = Bell("default", "hds.webhooks.jobs.drain")

Answer = Response | tuple[dict[str, str], int]


@blueprint.post("/api/webhooks/<name>")
def receive(name: str) -> Answer:
    """200 once it is committed, for new and repeated alike; 401 unsigned, 413 too large, 503 where nothing is stored.

    Never 410: Cal.com would switch the webhook off for good.
    """
    sender = senders.find(name)
    if sender is None:
        return {"error": "Nobody by this name posts here."}, 404
    body = _body()
    if body is None:
        return {"error": "The body is larger than 256 KiB."}, 413
    headers = request.headers
    if not sender.verify(body, headers.getlist(sender.signature_header), sender.secrets):
        return {"error": "The signature is missing or wrong."}, 401
    kept = {name: value[:200] for name in sender.kept_headers if (value := headers.get(name)) is not None}
    try:
        inbox.store(sender.name, hashlib.sha256(body).hexdigest(), body, kept, utcnow())
    except current_app.extensions["inbox"].dialect.loaded_dbapi.Error as error:
        log.error("delivery not stored", id=g.get("request_id"), sender=name, error=type(error).__name__)
        return {"error": "It could not be stored. Send it again in a minute."}, 503
    bell.ring()
    return Response(STORED, mimetype="application/json")


def _body() -> bytes | None:
    """The raw bytes; None where there are too many. A body without a length is read up to the limit as well."""
    if request.content_length is not None:
        try:
            return request.get_data(cache=False) if request.content_length <= LARGEST_BODY else None
        except RequestEntityTooLarge:
            return None
    if "chunked" not in request.headers.get("Transfer-Encoding", "").lower():
        return b""
    body: bytes = request.environ["wsgi.input"].read(LARGEST_BODY + 1)
    return body if len(body) <= LARGEST_BODY else None
