"""Who posted this? `X-Cal-Signature-256` is the bare lower-case hex HMAC-SHA256 of the body's very bytes.

There is no timestamp in it, so it proves the sender, not the moment: repeats are told by the body's digest.
"""

import hmac
import re
from collections.abc import Sequence

HEADER = "X-Cal-Signature-256"

_HEX_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


def sign(raw: bytes, secret: str) -> str:
    """What Cal.com would put in the header for these bytes."""
    return hmac.digest(secret.encode("utf-8", "surrogatepass"), raw, "sha256").hex()


def verify(raw: bytes, headers: Sequence[str], secrets: Sequence[str]) -> bool:
    """True where exactly one header holds the signature by one of the secrets (the current, then the previous).

    `headers`: every value that the request carried. WSGI joins doubled headers with a comma, which then is no
    digest. `no-secret-provided` is what Cal.com sends where nobody set a secret: not authenticated. An empty
    secret never verifies, so that a missing setting cannot open the door.
    """
    if len(headers) != 1 or not _HEX_DIGEST.fullmatch(headers[0]):
        return False
    claimed = headers[0].encode("ascii")
    matches = [hmac.compare_digest(sign(raw, secret).encode("ascii"), claimed) for secret in secrets if secret]
    return any(matches)
