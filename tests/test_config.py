"""Settings: from the environment and `.env`, wrong ones say so, and production starts with nothing unsafe."""

import os
import re
import stat
import subprocess
import sys

import pytest

from hds.config import ROOT, Settings, WrongSettings, load_settings, read_settings, stated_settings

SAFE = {
    "HDS_ENV": "production",
    "SECRET_KEY": "k" * 32,
    "CAL_WEBHOOK_SECRET": "w" * 32,
    "SITE_URL": "https://hudson.example",
    "CONTACT_EMAIL": "owner@hudson.example",
    "CAL_LINK": "hudson",
    "MAIL_TRANSPORT": "smtp",
    "SMTP_URL": "smtps://u:p@mail.hudson.example",
    "DATABASE_URL": "postgresql://hds@db/hds",
}


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """Only what a test states: nothing of the machine's own settings."""
    for name in Settings.model_fields:
        for spelling in (name, name.upper()):
            monkeypatch.delenv(spelling, raising=False)
    for name in ("CAL_API_KEY", "CAL_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HDS_DATA", str(tmp_path))

    def state(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return state


def reasons() -> list[str]:
    with pytest.raises(WrongSettings) as refusal:
        read_settings()
    return refusal.value.reasons


def test_with_nothing_stated_development_starts(environment):
    settings = load_settings()
    assert not settings.in_production
    assert (settings.uses_sandbox, settings.uses_sqlite) == (True, True)
    assert settings.public_url == "http://127.0.0.1:5000"
    assert (settings.cal_base_url, settings.cal_api_url) == ("http://127.0.0.1:5001", "http://127.0.0.1:5001/v2")


def test_empty_means_not_set(environment):
    environment(PORT="", CAL_FREE_CONSULTATION_EVENT_ID="", OWNER_TIME_ZONE="")
    settings = load_settings()
    assert (settings.port, settings.cal_free_consultation_event_id) == (5000, None)
    assert settings.owner_time_zone == "America/New_York"


def test_a_file_states_what_the_environment_does_not(environment, tmp_path, monkeypatch):
    (tmp_path / "mine.env").write_text("PORT=6000\nSITE_NAME=From the file # a comment\nUNKNOWN=1\n")
    monkeypatch.setenv("HDS_ENV_FILE", str(tmp_path / "mine.env"))
    environment(SITE_NAME="From the environment")
    settings = stated_settings()
    assert (settings.port, settings.site_name) == (6000, "From the environment")


@pytest.mark.parametrize("name", ["CAL_ACCESS_TOKEN", "CAL_API_KEY"])
def test_the_key_is_read_under_both_names(environment, name):
    environment(**{name: "cal_live_x"})
    settings = load_settings()
    assert settings.cal_access_token.get_secret_value() == "cal_live_x"
    assert not settings.uses_sandbox


@pytest.mark.parametrize("stated", [{"CAL_LINK": "hudson"}, {"CAL_API_KEY": "x"}, {"SANDBOX": "0"}], ids=str)
def test_the_sandbox_is_off_where_there_is_an_account_or_somebody_says_so(environment, stated):
    environment(**stated)
    assert not load_settings().uses_sandbox


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "many", "PORT should be a valid integer"),
        ("PORT", "65535", "PORT should be less than or equal to 65534"),
        ("HDS_ENV", "prod", "HDS_ENV should be 'development' or 'production' (it is 'prod')."),
        ("OWNER_TIME_ZONE", "Mars", "OWNER_TIME_ZONE is not a time zone; write one like Europe/London (it is 'Mars')."),
        ("CAL_REGION", "us", "CAL_REGION is com (cal.com) or eu (cal.eu) (it is 'us')."),
        ("SITE_URL", "hudson.example", "SITE_URL is an address that begins with https://"),
        ("MAIL_TRANSPORT", "pigeon", "MAIL_TRANSPORT should be 'mailbox' or 'smtp' (it is 'pigeon')."),
        ("MAIL_OFF", "booking_confirmd", "but not booking_confirmd"),
        ("MAIL_FROM", "Hudson <a@hudson.example>", "MAIL_FROM is a mail address like hello@hudson.example"),
        ("CONTACT_EMAIL", "nobody", "CONTACT_EMAIL is a mail address"),
        ("CLOCK_TICK_SECONDS", "0", "CLOCK_TICK_SECONDS should be greater than 0"),
        ("TRUSTED_HOPS", "-1", "TRUSTED_HOPS should be greater than or equal to 0"),
        ("BOOKER", "popup", "BOOKER should be 'embed', 'native' or 'link' (it is 'popup')."),
        ("CAL_DEEP_DIVE_EVENT_ID", "x", "CAL_DEEP_DIVE_EVENT_ID should be a valid integer"),
    ],
)
def test_a_wrong_setting_is_one_clear_sentence(environment, name, value, said):
    environment(**{name: value})
    [reason] = reasons()
    assert reason.startswith(said) or said in reason
    assert reason.startswith(name)
    assert reason.endswith(".")
    assert "\n" not in reason


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://root:hunter2@db/hds"),
        ("DATABASE_URL", "postgresql://hds:hunter2@db:port/hds"),
        ("REDIS_URL", "http://:hunter2@redis"),
        ("SMTP_URL", "mail.hudson.example:hunter2"),
    ],
)
def test_an_address_with_a_password_is_refused_without_repeating_it(environment, name, value):
    environment(**{name: value})
    [reason] = reasons()
    assert reason.startswith(f"{name} is an address that begins with ")
    assert "hunter2" not in reason


def test_every_wrong_setting_is_named_at_once(environment):
    environment(PORT="x", CAL_REGION="us", HDS_ENV="prod")
    assert {reason.split()[0] for reason in reasons()} == {"PORT", "CAL_REGION", "HDS_ENV"}


@pytest.mark.parametrize("url", ["postgres://h/d", "postgresql://h/d", "postgresql+psycopg://h/d"])
def test_postgresql_is_driven_by_psycopg_however_it_is_spelled(environment, url):
    environment(DATABASE_URL=url)
    assert load_settings().database == "postgresql+psycopg://h/d"


# Production


def test_production_starts_where_nothing_is_unsafe(environment):
    environment(**SAFE)
    settings = read_settings()
    assert settings.production_faults() == []
    assert not settings.completed().uses_sandbox


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": "k" * 31}, "SECRET_KEY is shorter than 32 characters"),
        ({"CONTACT_EMAIL": ""}, "CONTACT_EMAIL is not set"),
        ({"CONTACT_EMAIL": "hello@hudson.example"}, "CONTACT_EMAIL is not set"),
        ({"CAL_WEBHOOK_SECRET": ""}, "CAL_WEBHOOK_SECRET is not set"),
        ({"SITE_URL": ""}, "SITE_URL is not set to an https:// address"),
        ({"SITE_URL": "http://hudson.example"}, "SITE_URL is not set to an https:// address"),
        ({"SANDBOX": "1"}, "SANDBOX is on"),
        ({"MAIL_TRANSPORT": "mailbox"}, "MAIL_TRANSPORT is the local mailbox"),
        ({"SMTP_URL": ""}, "SMTP_URL is not set"),
        ({"DATABASE_URL": ""}, "DATABASE_URL is not set"),
    ],
    ids=str,
)
def test_production_refuses_each_unsafe_setting_by_name(environment, changed, said):
    environment(**(SAFE | changed))
    [reason] = reasons()
    assert reason.startswith(said)


def test_production_names_all_that_is_unsafe(environment):
    environment(HDS_ENV="production")
    assert len(reasons()) == 6


def test_a_previous_secret_does_not_stand_in_for_the_present_one(environment):
    environment(**SAFE | {"CAL_WEBHOOK_SECRET": "", "CAL_WEBHOOK_SECRET_PREVIOUS": "old"})
    assert reasons()[0].startswith("CAL_WEBHOOK_SECRET is not set")


def test_sqlite_may_be_meant(environment):
    environment(**SAFE | {"DATABASE_URL": "", "HDS_ALLOW_SQLITE": "1"})
    assert read_settings().uses_sqlite


def test_production_makes_up_no_secret(environment, tmp_path):
    environment(**SAFE)
    load_settings()
    assert list(tmp_path.iterdir()) == []


# Secrets


def test_development_makes_secrets_once_and_for_its_owner_alone(environment, tmp_path):
    first, second = load_settings(), load_settings()
    for name in ("secret_key", "cal_webhook_secret"):
        secret = getattr(first, name).get_secret_value()
        assert re.fullmatch("[0-9a-f]{64}", secret)
        assert getattr(second, name).get_secret_value() == secret
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert first.secret_key != first.cal_webhook_secret
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cal_webhook_secret", "secret_key"]


def test_processes_that_start_at_once_share_one_secret(environment):
    ask = "from hds.config import load_settings; print(load_settings().secret_key.get_secret_value())"
    # New processes, never forks of this one: it has threads, and a lock that one of them holds would stay held.
    asked = [subprocess.Popen([sys.executable, "-c", ask], cwd=ROOT, stdout=subprocess.PIPE) for _ in range(4)]
    assert len({process.communicate(timeout=60)[0] for process in asked}) == 1
    assert not any(process.returncode for process in asked)


def test_settings_print_no_secret(environment):
    environment(**SAFE | {"CAL_API_KEY": "cal_live_hunter2", "REDIS_URL": "redis://:hunter2@r"})
    shown = repr(load_settings()) + str(load_settings())
    assert "hunter2" not in shown
    assert "k" * 32 not in shown
    assert "u:p@" not in shown


def test_both_secrets_are_known_the_current_one_first(environment):
    environment(CAL_WEBHOOK_SECRET="new", CAL_WEBHOOK_SECRET_PREVIOUS="old")
    assert load_settings().webhook_secrets == ["new", "old"]


def test_every_setting_stands_in_the_example():
    told = set(re.findall(r"^#?\s?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert {name.upper() for name in Settings.model_fields} <= told | {"HDS_ENV"}
    assert told <= {name.upper() for name in Settings.model_fields} | {"HDS_ENV_FILE"}


def test_tests_never_read_the_developers_settings():
    assert os.environ["HDS_ENV_FILE"] == ""
