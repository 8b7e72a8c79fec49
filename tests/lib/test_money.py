"""Money is an integer of the smallest unit, said in the reader's way."""

import pytest

from hds.lib.money import say_money


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        (15000, "USD", "$150"),
        (15050, "USD", "$150.50"),
        (5, "USD", "$0.05"),
        (123456700, "EUR", "€1,234,567"),
        (5000, "JPY", "¥5,000"),
        (1500, "KWD", "KWD1.500"),
        (0, "USD", "Free"),
        (None, None, "Free"),
        (100, None, "Free"),
        (2**63 - 1, "USD", "$92,233,720,368,547,758.07"),
    ],
)
def test_amounts_are_said_by_their_currency(amount, currency, said):
    assert say_money(amount, currency) == said


def test_a_currency_that_nobody_knows_is_said_by_its_code():
    assert "ZZZ" in say_money(100, "ZZZ")


def test_another_reader_reads_it_another_way():
    assert say_money(15050, "EUR", "de_DE") == "150,50\xa0€"
    assert say_money(100, "EUR", "xx_XX") == "1.00 EUR"
