"""Static files: named by content, joined, compressed, kept for ever, whole whoever writes them."""

import gzip
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import brotli
import pytest
from flask.testing import FlaskClient

from hds.lib import assets


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    for name, text in {
        "css/20-later.css": "/* a note */\n  .later { mask: url(/static/img/wave.svg) }",
        "css/10-first.css": "@layer one;",
        "img/wave.svg": "<svg/>",
        "img/dot.png": "no text",
        "vendor/htmx-4.0.1/htmx.min.js": "let htmx",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def file_of(target: Path, address: str) -> Path:
    return target / address.removeprefix("/static/")


def test_a_name_follows_the_content(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "assets"
    before = assets.prepare(target, source)("img/wave.svg")
    assert re.fullmatch(r"/static/img/wave\.[0-9a-f]{12}\.svg", before)
    assert assets.prepare(target, source)("img/wave.svg") == before

    (source / "img/wave.svg").write_text("<svg></svg>")
    after = assets.prepare(target, source)("img/wave.svg")
    assert after != before
    assert file_of(target, before).exists(), "a page that is still open asks for the old one"


def test_styles_are_joined_in_order_without_notes(source: Path, tmp_path: Path) -> None:
    asset = assets.prepare(tmp_path / "assets", source)
    styles = file_of(tmp_path / "assets", asset("css/site.css")).read_text()
    assert styles == f"@layer one;\n.later {{ mask: url({asset('img/wave.svg')}) }}"


def test_scripts_are_joined_by_folder_and_share_no_names(source: Path, tmp_path: Path) -> None:
    for name, text in {
        "js/site/b.js": "const words = 2;\n",
        "js/site/a.js": "// a note\nconst words = 1;  // stays\n",
        "js/booking.js": "let first",
        "js/booking/month.js": "let second",
    }.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    target = tmp_path / "assets"
    asset = assets.prepare(target, source)
    assert (
        file_of(target, asset("js/site.js")).read_text() == "{\nconst words = 1;  // stays\n}\n{\nconst words = 2;\n}"
    )
    assert file_of(target, asset("js/booking.js")).read_text() == "{\nlet first\n}\n{\nlet second\n}"
    with pytest.raises(LookupError):
        asset("js/site/a.js")


@pytest.mark.parametrize("line", ["import x from './x.js';", "export const x = 1;", "  export { x };"])
def test_a_script_that_would_share_is_refused(source: Path, tmp_path: Path, line: str) -> None:
    (source / "js").mkdir()
    (source / "js/site.js").write_text(f"let a;\n{line}\n")
    with pytest.raises(ValueError, match="site"):
        assets.prepare(tmp_path / "assets", source)


def test_a_changed_picture_changes_the_name_of_the_styles(source: Path, tmp_path: Path) -> None:
    before = assets.prepare(tmp_path / "assets", source)("css/site.css")
    (source / "img/wave.svg").write_text("<svg></svg>")
    assert assets.prepare(tmp_path / "assets", source)("css/site.css") != before


def test_text_is_compressed_and_pictures_are_not(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "assets"
    asset = assets.prepare(target, source)
    script = file_of(target, asset("vendor/htmx-4.0.1/htmx.min.js"))
    assert brotli.decompress(Path(f"{script}.br").read_bytes()) == b"let htmx"
    assert gzip.decompress(Path(f"{script}.gz").read_bytes()) == b"let htmx"
    assert not Path(f"{file_of(target, asset('img/dot.png'))}.br").exists()


def test_a_missing_file_is_named(source: Path, tmp_path: Path) -> None:
    with pytest.raises(LookupError, match=r"img/gone\.svg"):
        assets.prepare(tmp_path / "assets", source)("img/gone.svg")
    (source / "css/30.css").write_text(".x { background: url('/static/img/gone.svg') }")
    with pytest.raises(LookupError, match=r"img/gone\.svg"):
        assets.prepare(tmp_path / "assets", source)


def test_many_writers_leave_whole_files_and_nothing_else(source: Path, tmp_path: Path) -> None:
    (source / "js").mkdir()
    (source / "js/long.js").write_text("let river = 1;\n" * 20_000)
    target, start = tmp_path / "assets", Barrier(8)

    def write(_: int) -> list[str]:
        start.wait()
        asset = assets.prepare(target, source)
        name = asset("js/long.js")
        assert file_of(target, name).read_text() == f"{{\n{(source / 'js/long.js').read_text().strip()}\n}}"
        assets.serve(None, target)  # lists the folder while others write
        return [name, asset("css/site.css")]

    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(write, range(8)))
    assert all(each == names[0] for each in names)
    assert not list(tmp_path.glob(".draft-*"))


def test_files_are_served_compressed_and_for_ever(client: FlaskClient) -> None:
    page = client.get("/faq").get_data(as_text=True)
    address = re.search(r'href="(/static/css/site\.[^"]+)"', page)
    assert address
    answer = client.get(address[1], headers={"Accept-Encoding": "br"})
    assert answer.headers["Content-Encoding"] == "br"
    assert "immutable" in answer.headers["Cache-Control"]
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert len(answer.data) <= 10 * 1024, "LOOK.md's budget for all styles"
    assert client.get("/static/css/site.000000000000.css").status_code == 404


def test_every_address_in_the_styles_is_there(client: FlaskClient) -> None:
    page = client.get("/faq").get_data(as_text=True)
    address = re.search(r'href="(/static/css/site\.[^"]+)"', page)
    assert address
    styles = client.get(address[1]).get_data(as_text=True)
    for named in set(re.findall(r"url\((/static/[^)]+)\)", styles)):
        assert client.get(named).status_code == 200, named
