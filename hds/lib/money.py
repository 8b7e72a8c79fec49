"""Money: integers of the smallest unit with an ISO code, shown in the reader's way."""

from decimal import Decimal

from babel.core import UnknownLocaleError
from babel.numbers import format_currency, get_currency_precision


def say_money(amount: int | None, currency: str | None, locale: str = "en_US") -> str:
    """$150 for 15000 USD; Free for nothing to pay. The smallest unit follows the currency (JPY has none)."""
    if not amount or not currency:
        return "Free"
    precision = get_currency_precision(currency)
    whole = amount % 10**precision == 0
    number = Decimal(amount).scaleb(-precision)
    try:
        return str(
            format_currency(
                number, currency, locale=locale, format="¤#,##0" if whole else None, currency_digits=not whole
            )
        )
    except (UnknownLocaleError, ValueError):
        return f"{number} {currency}"


def plain_amount(amount: int | None, currency: str | None) -> str:
    """150.00 for 15000 USD, 15000 for JPY, 15.000 for KWD: as machines want it. 0 for nothing to pay."""
    if not amount or not currency:
        return "0"
    return str(Decimal(amount).scaleb(-get_currency_precision(currency)))
