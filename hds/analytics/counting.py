"""The middleware that sees every page, those that the cache answers too."""

from collections.abc import Callable, Iterable
from typing import Any

from hds.analytics import seen
from hds.analytics.writer import Writer
from hds.lib.times import utcnow

CONTENT_TYPE = {"Content-Type", "content-type"}
Application = Callable[[Any, Any], Iterable[bytes]]


def count_pages(application: Application, writer: Writer) -> Application:
    """Stands outside of the page cache. It only notes; the writer's thread does the rest.

    Plain loops and no generators here and in `seen.page`: a page from memory costs little more than its counting.
    """

    def answer(environ: Any, start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET":
            return application(environ, start_response)
        status_line = content_type = ""

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            nonlocal status_line, content_type
            status_line = status
            for name, value in headers:
                if name in CONTENT_TYPE:
                    content_type = value
                    break
            return start_response(status, headers, *error)

        body = application(environ, start)
        if entry := seen.page(environ, status_line, content_type, utcnow()):
            writer.note(entry)
        return body

    return answer
