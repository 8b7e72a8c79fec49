"""The headers of every answer: what a page may load, who may frame it, what may be kept."""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Response, request

from hds.config import Settings

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
EVERYWHERE = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
HSTS = "max-age=63072000; includeSubDomains"

Application = Callable[[Any, Any], Iterable[bytes]]


def on_every_answer(application: Application, settings: Settings) -> Application:
    """Adds them in front of Flask, so that static files have them too. What a view set itself stands."""
    always = dict(EVERYWHERE)
    if settings.site_url.startswith("https://"):
        always["Strict-Transport-Security"] = HSTS

    def answer(environ: Any, start_response: Any) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            present = {name for name, _ in headers}
            headers.extend(pair for pair in always.items() if pair[0] not in present)
            return start_response(status, headers, *error)

        return application(environ, start)

    return answer


def set_caching(app: Flask) -> None:
    """HTML is private and asked for again, unless its view says more; nothing of the staff's or a form's is kept."""

    @app.after_request
    def _set(response: Response) -> Response:
        if "Cache-Control" not in response.headers:
            reads = request.method in {"GET", "HEAD"}
            private = request.path.startswith("/admin") or not reads or response.status_code >= 400
            response.headers["Cache-Control"] = "no-store" if private else "private, no-cache"
        return response
