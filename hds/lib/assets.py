"""Static files: joined, named by their content, compressed once, and served before Flask is asked.

`asset("img/mark.svg")` gives the address of a file under static/. Everything in static/css/ is joined, in the order of
the names, into the one stylesheet `asset("css/site.css")`.

Scripts are joined likewise, one file for each kind of page: static/js/site/ becomes `asset("js/site.js")`, which every
page has; static/js/booking/ becomes `asset("js/booking.js")`. Each is loaded as a module. Its parts share no names and
import nothing: each stands in a block of its own. (A file static/js/x.js alone is `js/x.js`.)
"""

import gzip
import hashlib
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brotli
from whitenoise import WhiteNoise

from hds.config import ROOT

STATIC = ROOT / "static"
COMPRESSED = {".css", ".js", ".svg", ".txt", ".webmanifest"}
HASHED = re.compile(r"\.[0-9a-f]{12}\.[a-z0-9]+$")
COMMENT = re.compile(rb"/\*.*?\*/", re.DOTALL)
INDENT = re.compile(rb"\n\s*")
NOTE = re.compile(rb"^[ \t]*//.*\n", re.MULTILINE)
SHARING = re.compile(rb"^\s*(?:import|export)\b(?!\s*\()", re.MULTILINE)
URL = re.compile(rb"url\(\s*[\"']?/static/([^\"')]+)[\"']?\s*\)")
STYLES = "css/site.css"


def prepare(target: Path, source: Path = STATIC) -> Callable[[str], str]:
    """Write every static file into `target` under a name with its hash, and return the function that names them.

    Files of an earlier release stay: a page that is still open may ask for them.
    """
    target.mkdir(parents=True, exist_ok=True)
    names: dict[str, str] = {}
    files = {
        path.relative_to(source).as_posix(): path
        for path in sorted(source.rglob("*"), key=Path.as_posix)
        if path.is_file()
    }
    for name, path in files.items():
        if not name.startswith(("css/", "js/")):
            names[name] = _publish(target, name, path.read_bytes())
    for name, parts in _scripts(files).items():
        names[name] = _publish(target, name, b"\n".join(map(_in_a_block, parts)))
    styles = b"\n".join(path.read_bytes() for name, path in files.items() if name.startswith("css/"))
    names[STYLES] = _publish(target, STYLES, _with_hashed_urls(_trimmed(styles), names))

    def asset(name: str) -> str:
        if name not in names:
            raise LookupError(f"there is no static file {name}")
        return f"/static/{names[name]}"

    return asset


def _scripts(files: dict[str, Path]) -> dict[str, list[Path]]:
    """The files of each joined script, in the order of their names."""
    joined: dict[str, list[Path]] = {}
    for name, path in files.items():
        if name.startswith("js/"):
            folder = name.split("/")[1].removesuffix(".js")
            joined.setdefault(f"js/{folder}.js", []).append(path)
    return joined


def _in_a_block(path: Path) -> bytes:
    """In a module a block keeps its functions, too. Lines of notes are left out. (No string of ours spans lines.)"""
    script = path.read_bytes()
    if SHARING.search(script):
        raise ValueError(f"{path.name} imports or exports: scripts that are joined share nothing")
    return b"{\n" + NOTE.sub(b"", script + b"\n").strip() + b"\n}"


def _trimmed(styles: bytes) -> bytes:
    """Without comments and indents: they are for us. (No string in our styles holds either.)"""
    return INDENT.sub(b"\n", COMMENT.sub(b"", styles)).strip()


def _with_hashed_urls(styles: bytes, names: dict[str, str]) -> bytes:
    def hashed(match: re.Match[bytes]) -> bytes:
        name = match[1].decode()
        if name not in names:
            raise LookupError(f"a stylesheet names static/{name}, which is not there")
        return b"url(/static/" + names[name].encode() + b")"

    return URL.sub(hashed, styles)


def _publish(target: Path, name: str, body: bytes) -> str:
    stem, dot, suffix = name.rpartition(".")
    hashed = f"{stem}.{hashlib.sha256(body).hexdigest()[:12]}{dot}{suffix}"
    if f".{suffix}" in COMPRESSED:
        _write(target, f"{hashed}.br", lambda: brotli.compress(body, quality=11))
        _write(target, f"{hashed}.gz", lambda: gzip.compress(body, 9, mtime=0))
    _write(target, hashed, lambda: body)
    return hashed


def _write(target: Path, name: str, make: Callable[[], bytes]) -> None:
    """Whole or not at all: several processes start at once and serve each other's files.

    The draft lies beside the folder, not in it: a process that lists the folder now would trip over it.
    """
    path = target / name
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".draft-{secrets.token_hex(8)}")
    draft.write_bytes(make())
    draft.rename(path)


def serve(application: Any, folder: Path) -> Any:
    return WhiteNoise(
        application,
        root=str(folder),
        prefix="static/",
        autorefresh=False,
        allow_all_origins=False,
        immutable_file_test=lambda path, url: bool(HASHED.search(url)),
    )


def beside(application: Any, files: Any) -> Any:
    """What `serve` made answers for static files alone, so that no page pays for it."""

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        chosen = files if environ["PATH_INFO"].startswith("/static/") else application
        return chosen(environ, start_response)

    return answer
