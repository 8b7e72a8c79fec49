"""Which answers are visits, whose, and what is kept of them."""

import threading
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask, request, request_started
from sqlalchemy import inspect, text

from hds.analytics import rows, salt, seen, writer
from hds.analytics.models import ANY, AnalyticsEvent, FunnelStep, Visit
from hds.analytics.visits import steps_of
from hds.extensions import db
from hds.lib import jobs
from tests.analytics.conftest import ADDRESS, CHROME, IPHONE
from tests.conftest import NOON, ON_SERVERS

IPAD = "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def test_a_page_is_a_visit_with_where_it_came_from(look, written):
    look(
        "/faq?utm_source=Newsletter&utm_medium=email&utm_campaign=Autumn%20offer&utm_term=a&utm_content=b&gclid=xyz",
        agent=IPHONE,
        Referer="https://www.search.example/?q=private+words",
        Accept_Language="en-GB,en;q=0.9",
    )
    (visit,) = written()
    assert (visit.first_path, visit.referrer, visit.pages) == ("/faq", "search.example", 1)
    assert (visit.utm_source, visit.utm_medium, visit.utm_campaign) == ("newsletter", "email", "Autumn offer")
    assert (visit.utm_term, visit.utm_content, visit.click_kind) == ("a", "b", "gclid")
    assert (visit.device, visit.language) == ("phone", "en")
    assert steps_of(visit.id) == [(FunnelStep.PAGE_VIEWED, ANY, "")]


def test_what_opens_somebodys_booking_is_not_written_down():
    assert seen.short_path("/book-consultation/talk/done/a-signed.token") == "/book-consultation/talk/done"
    assert seen.short_path("/bookings/a-signed.token/move/confirmation") == "/bookings"


def test_the_page_that_finds_what_fits_is_no_service():
    assert seen._SERVICE_PAGE.fullmatch("/services/fit") is None
    assert seen._SERVICE_PAGE.fullmatch("/services/fitness")[1] == "fitness"


def test_one_browser_is_one_visit_a_day(look, written):
    look("/")
    written()
    look("/faq")
    look("/services")
    (visit,) = written()
    assert (visit.first_path, visit.pages) == ("/", 3)
    assert len(steps_of(visit.id)) == 1


def test_another_browser_or_address_is_another_visit(look, written):
    look("/")
    look("/", agent=IPHONE)
    look("/", address="198.51.100.8")
    assert len(written()) == 3


def test_the_page_of_a_service_is_counted_for_it(look, written, strategy):
    look(f"/services/{strategy.slug}")
    (visit,) = written()
    assert set(steps_of(visit.id)) == {
        (FunnelStep.PAGE_VIEWED, ANY, ""),
        (FunnelStep.PAGE_VIEWED, strategy.slug, ""),
    }


@pytest.mark.parametrize(
    "path",
    ["/nothing-here", "/healthz", "/admin", "/admin/sign-in", "/static/none.css", "/api/events"],
)
def test_what_is_no_page_is_no_visit(look, written, path):
    look(path)
    assert written() == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Purpose": "prefetch"},
        {"Sec_Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"HX_Request": "true", "HX_Request_Type": "partial"},
        {"HX_Preloaded": "true"},
    ],
)
def test_pieces_and_what_is_fetched_ahead_are_no_visits(look, written, headers):
    look("/book-consultation", **headers)
    assert written() == []


def test_asking_for_the_head_alone_is_no_visit(look, written):
    look("/", method="HEAD")
    assert written() == []


@pytest.mark.parametrize("agent", [GOOGLEBOT, "curl/8.9", "python-requests/2.32", "", "  "])
def test_programs_are_no_visits(look, written, agent):
    look("/", agent=agent)
    assert written() == []


def test_a_page_that_the_browser_has_already_is_a_visit():
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/faq", "HTTP_ACCEPT": "text/html,*/*", "HTTP_USER_AGENT": CHROME}
    assert seen.page(environ, "304 NOT MODIFIED", "", NOON)
    assert not seen.page(environ | {"HTTP_ACCEPT": "image/png"}, "304 NOT MODIFIED", "", NOON)


def test_a_redirect_keeps_the_campaign_that_its_address_names(look, written, strategy):
    look(f"/book-consultation?service={strategy.slug}&utm_source=mail")
    (visit,) = written()
    assert visit.utm_source == "mail"


def test_a_redirect_without_a_campaign_is_no_page(look, written, strategy):
    look(f"/book-consultation?service={strategy.slug}")
    assert written() == []


def test_a_page_from_memory_is_a_visit_too(look, written):
    look("/faq")
    asked = []

    def note(sender: Any, **_: Any) -> None:
        asked.append(request.path)

    with request_started.connected_to(note):
        answer = look("/faq?utm_source=mail", address="198.51.100.8")
        again = look("/faq", address="198.51.100.9", If_None_Match=answer.headers["ETag"], Accept="text/html")
    assert asked == []
    assert (answer.status_code, again.status_code) == (200, 304)
    assert sorted((visit.utm_source, visit.pages) for visit in written()) == [("", 1), ("", 1), ("mail", 1)]


def test_the_first_and_the_last_source_of_a_day_are_kept(look, written, at):
    look("/?utm_source=mail&utm_campaign=one")
    at(NOON + timedelta(minutes=5))
    look("/faq", Referer="https://elsewhere.example/page")
    written()
    at(NOON + timedelta(minutes=9))
    look("/faq?utm_source=ads&utm_campaign=two")
    at(NOON + timedelta(minutes=12))
    look("/services")
    (visit,) = written()
    assert (visit.utm_source, visit.utm_campaign) == ("mail", "one")
    assert (visit.last_source, visit.last_campaign, visit.last_referrer) == ("ads", "two", "")
    assert visit.last_came_at == NOON + timedelta(minutes=9)


def test_the_order_in_which_processes_write_says_nothing(app, at):
    first = entry(query="utm_source=mail")
    later = entry(query="utm_source=ads", at=NOON + timedelta(minutes=5), path="/services")
    for order in ([first, later], [later, first]):
        for one in order:
            writer.write([one])
        (visit,) = db.session.scalars(db.select(Visit))
        assert (visit.utm_source, visit.last_source, visit.first_path, visit.pages) == ("mail", "ads", "/faq", 2)
        db.session.execute(db.delete(Visit))
        db.session.commit()


@pytest.mark.parametrize(
    "referrer", ["http://localhost/faq", "https://cal.com/x", "https://app.cal.com/y", "x", "http://["]
)
def test_who_comes_from_here_or_from_booking_comes_from_nowhere(look, written, referrer):
    look("/", Referer=referrer)
    (visit,) = written()
    assert visit.referrer == ""


def test_midnight_at_the_owners_begins_another_visit(look, written, at):
    at(NOON.replace(hour=4, minute=59) + timedelta(days=1))  # 23:59 in New York
    look("/")
    at(NOON.replace(hour=5, minute=1) + timedelta(days=1))
    look("/")
    before, after = written()
    assert (before.day, after.day) == (date(2026, 11, 24), date(2026, 11, 25))
    assert before.visitor != after.visitor


def test_what_was_noted_before_midnight_counts_for_the_day_before(look, written, at):
    at(NOON.replace(hour=4, minute=59, second=59) + timedelta(days=1))
    look("/")
    written()
    look("/faq")
    at(NOON.replace(hour=5) + timedelta(days=1))
    (visit,) = written()
    assert (visit.day, visit.pages) == (date(2026, 11, 24), 2)


def test_the_salt_of_a_day_goes_soon_after_it(app, at):
    assert salt.visitor(date(2026, 11, 24), ADDRESS, CHROME)
    seconds = jobs.connection().ttl(f"{salt.KEY}:2026-11-24")
    assert 0 < seconds <= 12 * 3600 + 10 * 60
    assert salt.KEY not in str(db.session.execute(text("SELECT * FROM clock_line")).all())


def test_a_process_that_is_left_alone_forgets_the_salt_at_midnight(app, at):
    at(NOON.replace(hour=4, minute=59, second=59, microsecond=900_000) + timedelta(days=1))  # in New York
    assert salt.visitor(date(2026, 11, 24), ADDRESS, CHROME)
    assert salt._known is not None
    salt._midnight.join(10)
    assert salt._known is None


def test_nobody_makes_a_salt_for_a_day_that_is_over(app, at):
    jobs.connection().delete(f"{salt.KEY}:2026-11-23")
    assert salt.visitor(date(2026, 11, 23), ADDRESS, CHROME) is None


def test_every_process_has_the_same_salt(app, at, monkeypatch):
    ours = salt.visitor(date(2026, 11, 24), ADDRESS, CHROME)
    monkeypatch.setattr(salt, "_known", None)  # as a process that has just started
    assert salt.visitor(date(2026, 11, 24), ADDRESS, CHROME) == ours


def test_no_address_stands_anywhere_in_the_database(look, written, strategy):
    look(f"/services/{strategy.slug}?utm_source=mail", Referer="https://elsewhere.example/")
    assert written()
    for table in inspect(db.session.connection()).get_table_names():
        for row in db.session.execute(text(f'SELECT * FROM "{table}"')):
            assert not any(ADDRESS in str(value) or CHROME in str(value) for value in row), table


def test_counting_sets_no_cookie(look, written):
    assert "Set-Cookie" not in look("/").headers


def test_odd_strings_are_kept_short_and_clean(look, written):
    look("/faq?utm_source=" + "%0d%3Cscript%3E" + "x" * 5000 + "&utm_campaign=%ff%fe%0a", Referer="https://[::1/")
    (visit,) = written()
    assert visit.utm_source.startswith("<script>x")
    assert len(visit.utm_source) <= 100


def test_the_buffer_drops_what_it_cannot_hold(look, written, app, monkeypatch):
    monkeypatch.setattr(writer, "LARGEST", 2)
    for number in range(5):
        assert look("/", address=f"198.51.100.{number}").status_code == 200
    assert app.extensions["counting"].lost == 3
    assert len(written()) == 2


def test_a_silent_database_costs_counts_and_no_page(look, written, monkeypatch):
    def fail(visits: Any) -> Any:
        raise OSError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(rows, "upsert_visits", fail)
        assert look("/").status_code == 200
        assert written() == []
    look("/faq")
    assert [visit.first_path for visit in written()] == ["/faq"]


def test_a_silent_redis_costs_counts_and_no_page(look, written, app, monkeypatch):
    stated = app.config["HDS"]
    monkeypatch.setattr(salt, "_known", None)
    kept = app.extensions.pop("redis", None)
    app.config["HDS"] = stated.model_copy(update={"redis_url": type(stated.redis_url)("unix:///nowhere/queue")})
    try:
        assert look("/").status_code == 200
        assert written() == []
    finally:
        app.config["HDS"] = stated
        app.extensions.pop("redis", None)
        if kept is not None:
            app.extensions["redis"] = kept


def test_many_writers_make_one_visit_and_one_event(app: Flask):
    """Each thread is a process as far as the database knows."""
    start, failed = threading.Barrier(8), []

    def write() -> None:
        with app.app_context():
            try:
                start.wait(20)
                for _ in range(5):
                    writer.write([entry(), entry(address="198.51.100.8"), entry(step=FunnelStep.BOOKER_SHOWN)])
            except Exception as error:
                failed.append(error)
            finally:
                db.session.remove()

    db.session.rollback()
    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert sorted(db.session.scalars(db.select(Visit.pages))) == [40, 40]
    assert db.session.scalar(db.select(db.func.count(AnalyticsEvent.id))) == 3


@pytest.mark.skipif(not ON_SERVERS, reason="SQLite has one writer")
def test_batches_in_another_order_do_not_wait_for_each_other_in_a_circle(app):
    entries = [entry(address=f"198.51.100.{number}") for number in range(50)]
    failed = []

    def write(batch: Any) -> None:
        with app.app_context():
            try:
                for _ in range(20):
                    writer.write(batch)
            except Exception as error:
                failed.append(error)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=write, args=(batch,)) for batch in (entries, entries[::-1], entries[25:])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []


@pytest.mark.parametrize(("agent", "kind"), [(CHROME, "desktop"), (IPHONE, "phone"), (IPAD, "tablet")])
def test_devices(agent, kind):
    assert seen.device(agent) == kind


@pytest.mark.parametrize(("accepted", "language"), [("de-AT,de;q=0.9", "de"), ("", ""), ("*", ""), ("EN", "en")])
def test_languages(accepted, language):
    assert seen.language(accepted) == language


def entry(**changes: Any) -> seen.Seen:
    from hds.lib.times import utcnow

    values: dict[str, Any] = {
        "at": utcnow(),
        "address": ADDRESS,
        "user_agent": CHROME,
        "host": "localhost",
        "path": "/faq",
        "query": "",
        "referrer": "",
        "language": "en",
        "step": FunnelStep.PAGE_VIEWED,
    }
    return seen.Seen(**(values | changes))
