"""What search engines and shared links find: each page once, with words and a picture of its own, and nothing untrue."""

import io
import json
import re
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import html5lib
import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from hds.config import Settings
from hds.extensions import db
from hds.lib.colours import token
from hds.pages import found
from hds.pages.pictures import HEIGHT, MARGIN, RIVER_TOP, WIDTH, Card, card_png
from hds.services.models import Service
from tests import linked_data
from tests.factories import FaqEntryFactory, ServiceFactory

CAMPAIGN = "utm_source=letter&utm_campaign=spring&gclid=abc123&fbclid=def456"
ELSEWHERE = "https://hudson.example"
WEIRD = "</script><script>alert(1)</script> & \"quotes\" 'n' \u2028 things"


@pytest.fixture
def catalogue(app: Flask) -> None:
    """Services and questions as owners write them: free, in currencies with and without cents, with odd signs."""
    ServiceFactory(slug="talk", name="Free Strategy Consultation", featured=True, summary="Half an hour on your site.")
    ServiceFactory(
        slug="dive", name="Deep Dive", summary="An hour.", duration_minutes=60, price_amount=15000, price_currency="USD"
    )
    ServiceFactory(slug="odd", name=WEIRD, summary="x" * 300, audience="", meeting_places=[])
    ServiceFactory(slug="tokyo", name="Tokyo Review", summary="In yen.", price_amount=15000, price_currency="JPY")
    ServiceFactory(slug="kuwait", name="Kuwait Review", summary="Dinars.", price_amount=12345, price_currency="KWD")
    ServiceFactory(slug="gone", name="Retired", active=False)
    FaqEntryFactory(slug="free", question="Is it free?", answer="Yes, it is.")
    FaqEntryFactory(slug="odd", question=f"What of {WEIRD}?", answer=f"Nothing of {WEIRD}.")


@pytest.fixture
def at_home(app: Flask, monkeypatch: pytest.MonkeyPatch) -> str:
    """The site has an address of its own, which is not the one it is asked at."""
    settings: Settings = app.config["HDS"]
    monkeypatch.setattr(settings, "site_url", ELSEWHERE)
    return ELSEWHERE


def parsed(text: str) -> Element:
    root: Element = html5lib.parse(text, namespaceHTMLElements=False)
    return root


def meta(root: Element) -> dict[str, str]:
    """Each said once."""
    pairs = [(e.get("name") or e.get("property") or "", e.get("content") or "") for e in root.iter("meta")]
    named = [(name, content) for name, content in pairs if name and name != "theme-color"]
    assert len(named) == len(dict(named)), named
    return dict(named)


def canonical(root: Element) -> str | None:
    links = [e.get("href") for e in root.iter("link") if e.get("rel") == "canonical"]
    assert len(links) <= 1
    return links[0] if links else None


def listed(client: FlaskClient) -> list[str]:
    root = ET.fromstring(client.get("/sitemap.xml").data)
    return [loc.text or "" for loc in root.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]


def paths(client: FlaskClient) -> list[str]:
    return [urlsplit(url).path for url in listed(client)]


def head_of(client: FlaskClient, path: str) -> Element:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return parsed(answer.text)


# The words


def test_the_sitemap_names_every_public_page_once_by_its_whole_address(
    catalogue: None, client: FlaskClient, at_home: str
) -> None:
    urls = listed(client)
    assert len(urls) == len(set(urls))
    for path in (
        "/",
        "/services",
        "/services/talk",
        "/services/odd",
        "/services/fit",
        "/faq",
        "/faq/free",
        "/privacy",
        "/book-consultation",
    ):
        assert at_home + path in urls
    assert not [url for url in urls if not url.startswith(f"{at_home}/") or "?" in url or "gone" in url]


def test_titles_and_descriptions_are_each_pages_own(catalogue: None, client: FlaskClient) -> None:
    titles, descriptions = [], []
    for path in paths(client):
        root = head_of(client, path)
        title = "".join(root.find(".//title").itertext())  # type: ignore[union-attr]
        said = meta(root)
        assert "Hudson Digital Solutions" in title
        assert said["og:title"] in title
        assert said["og:description"] == said["description"]
        assert 10 <= len(said["description"]) <= found.LONGEST_DESCRIPTION, path
        titles.append(title)
        descriptions.append(said["description"])
    assert len(set(titles)) == len(titles)
    assert len(set(descriptions)) == len(descriptions)


def test_usual_titles_fit_a_line_of_results(client: FlaskClient) -> None:
    ServiceFactory(slug="dive", name="Deep Dive Technical Consultation")
    for path in paths(client):
        title = "".join(head_of(client, path).find(".//title").itertext())  # type: ignore[union-attr]
        assert len(title) <= 65, title


def test_a_page_has_one_address_whoever_sent_somebody_there(catalogue: None, client: FlaskClient, at_home: str) -> None:
    for path in paths(client):
        text = client.get(f"{path}?{CAMPAIGN}").text
        root = parsed(text)
        assert canonical(root) == meta(root)["og:url"] == at_home + path
        for word in ("utm_", "gclid", "fbclid", "spring", "abc123"):
            assert word not in text, (path, word)


@pytest.mark.parametrize(("asked", "plain"), [("/faq?q=free", "/faq"), ("/services?compare=talk", "/services")])
def test_what_somebody_chose_is_no_page_of_its_own(
    catalogue: None, client: FlaskClient, at_home: str, asked: str, plain: str
) -> None:
    assert canonical(head_of(client, asked)) == at_home + plain


def test_the_host_that_was_asked_is_not_believed(catalogue: None, client: FlaskClient, at_home: str) -> None:
    for path in (*paths(client), "/sitemap.xml", "/robots.txt", "/site.webmanifest"):
        assert "evil.example" not in client.get(path, headers={"Host": "evil.example"}).text


@pytest.mark.parametrize(
    "path", ["/book-consultation/talk", "/admin/sign-in", "/nowhere", "/services/nowhere", "/faq?q=%00"]
)
def test_steps_the_admin_and_errors_are_kept_out(catalogue: None, client: FlaskClient, path: str) -> None:
    root = parsed(client.get(path).text)
    assert meta(root)["robots"] == "noindex"
    assert canonical(root) is None
    assert not [e for e in root.iter("script") if e.get("type") == "application/ld+json"]


def test_pages_to_be_found_are_not_kept_out(catalogue: None, client: FlaskClient) -> None:
    for path in paths(client):
        assert "robots" not in meta(head_of(client, path)), path


def test_a_long_description_is_cut_between_words() -> None:
    text = found.shortened("A word " * 60)
    assert len(text) <= found.LONGEST_DESCRIPTION
    assert text.endswith(("word…", "A…"))
    assert found.shortened("Short.") == "Short."


# JSON-LD


def test_schema_org_accepts_what_every_page_says(catalogue: None, client: FlaskClient, at_home: str) -> None:
    for path in paths(client):
        nodes = linked_data.read(head_of(client, path))
        [organization] = linked_data.of_type(nodes, "Organization")
        assert organization["url"] == f"{at_home}/"
        trails = linked_data.of_type(nodes, "BreadcrumbList")
        assert [trail["itemListElement"][-1]["item"]["@id"] for trail in trails] == (
            [at_home + path] if path != "/" else []
        )


def test_the_check_itself_refuses_what_is_not_in_the_vocabulary() -> None:
    offer = {"@type": "Offer", "price": "1.00", "priceCurrency": "USD"}
    linked_data.built(offer, {})
    for wrong in ({"stars": "5"}, {"price": {"@type": "Person", "name": "Ann"}}, {"seller": {"@id": "unknown"}}):
        with pytest.raises((ValueError, AssertionError)):
            linked_data.built(offer | wrong, {})
    with pytest.raises(AssertionError):
        linked_data.check_required(offer)


@pytest.mark.parametrize(
    ("slug", "price", "currency"),
    [("talk", "0", None), ("dive", "150.00", "USD"), ("tokyo", "15000", "JPY"), ("kuwait", "12.345", "KWD")],
)
def test_a_service_says_its_price_as_its_currency_counts(
    catalogue: None, client: FlaskClient, at_home: str, slug: str, price: str, currency: str | None
) -> None:
    [service] = linked_data.of_type(linked_data.read(head_of(client, f"/services/{slug}")), "Service")
    assert service["offers"]["price"] == price
    assert service["offers"].get("priceCurrency") == currency
    assert service["offers"]["url"] == f"{at_home}/book-consultation/{slug}"


def test_questions_are_said_as_they_stand_on_the_page(catalogue: None, client: FlaskClient) -> None:
    [page] = linked_data.of_type(linked_data.read(head_of(client, "/faq")), "FAQPage")
    said = {question["name"]: question["acceptedAnswer"]["text"] for question in page["mainEntity"]}
    assert said["Is it free?"] == "Yes, it is."
    assert len(said) == 2
    assert page["mainEntity"][0]["url"].endswith("/faq/free")


def test_a_question_alone_is_said_alone(catalogue: None, client: FlaskClient) -> None:
    [page] = linked_data.of_type(linked_data.read(head_of(client, "/faq/free")), "FAQPage")
    assert [question["name"] for question in page["mainEntity"]] == ["Is it free?"]


def test_one_service_leaves_nothing_to_choose_between(client: FlaskClient) -> None:
    ServiceFactory(slug="talk")
    assert "/services/fit" not in paths(client)
    assert meta(head_of(client, "/services/fit"))["robots"] == "noindex"


def test_a_search_and_an_empty_list_claim_no_questions(catalogue: None, client: FlaskClient) -> None:
    assert not linked_data.of_type(linked_data.read(head_of(client, "/faq?q=free")), "FAQPage")


def test_nothing_an_owner_writes_breaks_out_of_the_block(catalogue: None, client: FlaskClient) -> None:
    for path in ("/services", "/services/odd", "/faq"):
        text = client.get(path).text
        [block] = re.findall(r'<script type="application/ld\+json">(.*?)</script>', text, re.DOTALL)
        assert "<" not in block
        assert "alert(1)" in json.dumps(json.loads(block))
        assert "<script>alert" not in text


def test_nothing_is_claimed_that_nobody_said(catalogue: None, client: FlaskClient) -> None:
    for path in paths(client):
        said = json.dumps(linked_data.read(head_of(client, path)))
        for word in ("rating", "review", "openingHours", "telephone", "address", "award", "sameAs"):
            assert f'"{word}' not in said, path


def test_an_address_is_said_where_there_is_one(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.config["HDS"], "owner_address", "1 River Road, Hudson NY")
    [organization] = linked_data.of_type(linked_data.read(head_of(client, "/")), "Organization")
    assert organization["address"] == "1 River Road, Hudson NY"


# Pictures


def picture_of(client: FlaskClient, path: str) -> str:
    return urlsplit(meta(head_of(client, path))["og:image"]).path


def test_every_page_has_a_picture_of_its_own(catalogue: None, client: FlaskClient, at_home: str) -> None:
    seen = set()
    for path in paths(client):
        said = meta(head_of(client, path))
        assert said["twitter:card"] == "summary_large_image"
        assert said["og:image"].startswith(f"{at_home}/pictures/")
        assert said["og:image:alt"]
        answer = client.get(urlsplit(said["og:image"]).path)
        assert (answer.status_code, answer.mimetype) == (200, said["og:image:type"]), path
        assert "immutable" in answer.headers["Cache-Control"]
        assert len(answer.data) <= 60 * 1024, path
        size = Image.open(io.BytesIO(answer.data)).size
        assert [str(side) for side in size] == [said["og:image:width"], said["og:image:height"]] == ["1200", "630"]
        seen.add(answer.data)
    assert len(seen) == len(paths(client))


def test_other_words_are_another_picture_and_the_old_address_leads_to_it(client: FlaskClient) -> None:
    service = ServiceFactory(slug="dive", price_amount=15000, price_currency="USD")
    before = picture_of(client, "/services/dive")
    earlier = client.get(before).data
    service.price_amount = 20000
    db.session.commit()
    after = picture_of(client, "/services/dive")
    assert after != before
    led = client.get(before, follow_redirects=True)
    assert led.request.path == after
    assert led.data != earlier


@pytest.mark.parametrize(
    "page", ["services/nowhere", "nowhere", "admin", "healthz", "book-consultation/talk", "static/x"]
)
def test_what_is_no_page_to_be_found_has_no_picture(catalogue: None, client: FlaskClient, page: str) -> None:
    assert client.get(f"/pictures/000000000000/{page}.png").status_code == 404


@pytest.mark.parametrize(
    "heading",
    [
        "",
        "A",
        "word " * 80,
        "Donaudampfschifffahrtsgesellschaft" * 8,
        "Консультация",
        "戦略相談",
        "استشارة",
        "☕\U0010ffff\n\0",
    ],
)
def test_no_words_are_too_long_or_too_foreign(heading: str) -> None:
    image = Image.open(io.BytesIO(card_png(Card(heading=heading, line=heading, site=heading)))).convert("RGB")
    assert image.size == (WIDTH, HEIGHT)
    margins = [image.crop((WIDTH - MARGIN + 12, 0, WIDTH, RIVER_TOP)), image.crop((0, 0, MARGIN - 12, RIVER_TOP))]
    for margin in margins:
        assert margin.getcolors() == [(margin.width * margin.height, token("paper"))]


# What machines ask for


def test_robots_are_led_to_the_sitemap_and_kept_from_the_steps(client: FlaskClient, at_home: str) -> None:
    answer = client.get("/robots.txt")
    assert answer.mimetype == "text/plain"
    assert f"Sitemap: {at_home}/sitemap.xml" in answer.text
    closed = re.findall(r"^Disallow: (\S+)$", answer.text, re.MULTILINE)
    for path in paths(client):
        assert not [prefix for prefix in closed if path.startswith(prefix)], path
    for path in ("/admin", "/api/events", "/book-consultation/talk/details", "/book-consultation/talk/done/token"):
        assert [prefix for prefix in closed if path.startswith(prefix)], path


def test_the_manifest_names_the_site_and_icons_that_are_there(client: FlaskClient) -> None:
    answer = client.get("/site.webmanifest")
    assert answer.mimetype == "application/manifest+json"
    said: dict[str, Any] = json.loads(answer.data)
    assert said["name"] == "Hudson Digital Solutions"
    assert said["theme_color"] == token("paper").hex
    for icon in said["icons"]:
        picture = client.get(icon["src"])
        assert picture.mimetype == icon["type"]
        width, height = Image.open(io.BytesIO(picture.data)).size
        assert icon["sizes"] == f"{width}x{height}"


def test_every_icon_that_a_page_names_is_there(client: FlaskClient) -> None:
    links = [
        e for e in head_of(client, "/").iter("link") if "icon" in (e.get("rel") or "") or e.get("rel") == "manifest"
    ]
    assert {e.get("rel") for e in links} == {"icon", "apple-touch-icon", "manifest"}
    for link in links:
        assert client.get(link.get("href") or "").status_code == 200
    favicon = client.get("/favicon.ico")
    assert favicon.mimetype == "image/x-icon"
    with Image.open(io.BytesIO(favicon.data)) as image:
        assert image.info["sizes"] == {(16, 16), (32, 32), (48, 48)}
    assert Image.open(io.BytesIO(client.get("/apple-touch-icon.png").data)).size == (180, 180)
    assert client.get("/icon-7.png").status_code == 404


def test_the_sitemap_follows_the_catalogue(client: FlaskClient) -> None:
    service = ServiceFactory(slug="talk")
    assert "/services/talk" in paths(client)
    service.active = False
    db.session.commit()
    assert "/services/talk" not in paths(client)
    assert Service.find("talk") is None
