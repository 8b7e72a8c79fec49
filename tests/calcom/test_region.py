import pytest
from pydantic import SecretStr

from hds.calcom.account import account_from
from hds.calcom.client import client_from
from hds.calcom.region import addresses
from hds.config import Settings


@pytest.mark.parametrize(
    ("region", "base_url", "api_url", "expected"),
    [
        ("com", "", "", ("https://api.cal.com/v2", "https://app.cal.com", "https://cal.com")),
        ("eu", "", "", ("https://api.cal.eu/v2", "https://app.cal.eu", "https://cal.eu")),
        ("com", "https://app.cal.eu", "", ("https://api.cal.eu/v2", "https://app.cal.eu", "https://cal.eu")),
        ("eu", "https://cal.com/", "", ("https://api.cal.com/v2", "https://app.cal.com", "https://cal.com")),
        ("com", "https://cal.me.example/", "", ("https://cal.me.example/api/v2",) + ("https://cal.me.example",) * 2),
        (
            "com",
            "https://cal.me.example",
            "http://10.0.0.5:5555",
            ("http://10.0.0.5:5555/v2", "https://cal.me.example", "https://cal.me.example"),
        ),
        (
            "com",
            "",
            "http://127.0.0.1:5001/v2/",
            ("http://127.0.0.1:5001/v2", "https://app.cal.com", "https://cal.com"),
        ),
    ],
)
def test_an_account_lives_where_its_settings_say(
    region: str, base_url: str, api_url: str, expected: tuple[str, str, str]
) -> None:
    assert tuple(addresses(region, base_url, api_url)) == expected


def test_settings_make_an_account() -> None:
    settings = Settings(cal_access_token=SecretStr("cal_x"), cal_link="/hudson/", cal_bookings_version="2026-02-25")
    account = account_from(settings)
    assert (account.api_key, account.link, account.bookings_version) == ("cal_x", "hudson", "2026-02-25")
    assert "cal_x" not in repr(account)
    assert account_from(Settings()).api_key is None


def test_one_account_has_one_client() -> None:
    assert client_from(Settings(cal_link="a")) is client_from(Settings(cal_link="a"))
    assert client_from(Settings(cal_link="a")) is not client_from(Settings(cal_link="b"))
