"""Searching the questions as people search: in any form of a word, by its beginning, in words of their own, misspelled.

Pure, and in Python: there are a few dozen questions, and both databases would do it differently. The words are English,
as the site is.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from hds.services.models import FaqEntry

# Each line means one thing to who looks for it.
MEANINGS = (
    ("refund", "money back", "reimburse"),
    ("cost", "price", "fee", "charge", "how much", "expensive"),
    ("pay", "payment", "card", "invoice", "bill"),
    ("free", "no cost", "costs nothing", "no charge"),
    ("reschedule", "move", "postpone", "change the time", "another time", "other time"),
    ("cancel", "cancellation", "call off"),
    ("consultation", "call", "meeting", "meet", "appointment", "session"),
    ("book", "reserve", "reservation", "sign up"),
    ("account", "login", "log in", "register", "registration", "password"),
    ("mail", "email", "e-mail"),
    ("prepare", "preparation", "bring", "beforehand"),
    ("time zone", "timezone"),
    ("video", "zoom", "online", "remote"),
    ("privacy", "personal data", "my data", "gdpr"),
    ("javascript", "js", "script"),
)
# Where nothing speaks of the first, who looks for it is helped by what is said of the others.
NEAREST = {"refund": ("cancel", "pay")}
# What a sentence needs and a search does not.
_SMALL_WORDS = """
    a about am an and any are as at be but by can could did do does for from get give has have how i i'd i'm if in is it
    me my of on or our shall should so that the their there they this to us want was we what when where which who why
    will with would you your
"""
SMALL = frozenset(_SMALL_WORDS.split())
SHORTEST_MISSPELT = 4  # letters: shorter words are like too many others
ALIKE = 0.78  # of difflib's ratio: a letter wrong, missing or twice in a word of five

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
Phrase = tuple[str, ...]  # stems, one after the other


@dataclass(frozen=True)
class Results:
    """`instead`: the words that were looked for where nothing holds those that were typed; else empty. `are_near`:
    they speak of a part of it only, or of something near it."""

    entries: Sequence[FaqEntry]
    instead: str = ""
    are_near: bool = False


def search(entries: Sequence[FaqEntry], text: str) -> Results:
    """The entries that speak of everything in the text, or else those that come near; all where it asks for nothing."""
    found = [entry for entry in entries if _speaks_of(entry, text)]
    if found:
        return Results(found)
    instead = _respelt(text, {word for entry in entries for word in _read(_text(entry)).words})
    respelt = [entry for entry in entries if _speaks_of(entry, instead)] if instead else []
    if respelt:
        return Results(respelt, instead)
    near = _near(entries, instead or text)
    return Results(near, are_near=True) if near else Results([], instead)


@dataclass(frozen=True)
class _Reading:
    """A text as it is searched: its words, their stems, and every sign of it."""

    words: Phrase
    stems: Phrase
    signs: str

    def holds(self, phrase: Phrase) -> bool:
        length = len(phrase)
        return any(self.stems[n : n + length] == phrase for n in range(len(self.stems) - length + 1))

    def has_beginning(self, beginning: str) -> bool:
        return any(word.startswith(beginning) for word in self.words)


@lru_cache(maxsize=2000)
def _read(text: str) -> _Reading:
    from snowballstemmer import stemmer  # an eighth of a second, at the first search only

    signs = _plain(text)
    words = tuple(_WORD.findall(signs))
    # One for each text: it remembers where it is, and threads share this function.
    return _Reading(words, tuple(stemmer("english").stemWords(words)), signs)


def _plain(text: str) -> str:
    """Without capitals, accents and printers' apostrophes."""
    parts = unicodedata.normalize("NFKD", text.casefold().replace("’", "'"))
    return "".join(sign for sign in parts if not unicodedata.combining(sign))


def _text(entry: FaqEntry) -> str:
    return f"{entry.question}\n{entry.answer}\n{entry.topic}"


def _speaks_of(entry: FaqEntry, text: str) -> bool:
    """Each thing that is asked for, in one of its words. What has no letters (100 %, C++) is looked for as it is."""
    here, asked = _read(_text(entry)), _read(text)
    bare = [piece for piece in asked.signs.split() if not _WORD.search(piece)]
    return all(piece in here.signs for piece in bare) and all(
        any(here.holds(phrase) for phrase in phrases) or here.has_beginning(word) for word, phrases in _things(asked)
    )


def _near(entries: Sequence[FaqEntry], text: str) -> Sequence[FaqEntry]:
    """Those that speak of any of the things that are asked for, most of them first."""
    things = [(word, phrases) for word, phrases in _things(_read(text)) if _says_much(word, phrases)]
    counts = [sum(_comes_near(_read(_text(entry)), *thing) for thing in things) for entry in entries]
    found = [(count, entry) for count, entry in zip(counts, entries, strict=True) if count]
    return [entry for _, entry in sorted(found, key=lambda each: -each[0])]


def _says_much(word: str, phrases: Sequence[Phrase]) -> bool:
    """Alone, a short word (not, all) finds what has nothing to do with it."""
    return word not in SMALL and (len(word) >= SHORTEST_MISSPELT or len(phrases) > 1)


def _comes_near(here: _Reading, word: str, phrases: Sequence[Phrase]) -> bool:
    meanings = _meanings()
    others = [_read(other).stems for name in NEAREST if _read(name).stems in phrases for other in NEAREST[name]]
    wide = [*phrases, *(phrase for other in others for phrase in meanings[other])]
    return any(here.holds(phrase) for phrase in wide) or here.has_beginning(word)


def _things(asked: _Reading) -> Iterable[tuple[str, Sequence[Phrase]]]:
    """What a search asks for: each word, or words that belong together, with all the ways to say it."""
    meanings = _meanings()
    longest = max(len(phrase) for phrase in meanings)
    only_small = all(word in SMALL for word in asked.words)
    place = 0
    while place < len(asked.words):
        lengths = range(min(longest, len(asked.words) - place), 0, -1)
        length = next((n for n in lengths if asked.stems[place : place + n] in meanings), 1)
        phrase, word = asked.stems[place : place + length], " ".join(asked.words[place : place + length])
        place += length
        if only_small or word not in SMALL:
            yield word, meanings.get(phrase, [phrase])


@lru_cache(maxsize=1)
def _meanings() -> Mapping[Phrase, Sequence[Phrase]]:
    """Every phrase with all that mean the same."""
    lines = [[_read(phrase).stems for phrase in line] for line in MEANINGS]
    return {phrase: line for line in lines for phrase in line}


def _respelt(text: str, known: set[str]) -> str:
    """The text with each word that is nowhere known as the one it looks like; empty where that changes nothing."""
    known = known | {word for line in MEANINGS for phrase in line for word in _read(phrase).words}
    asked = _read(text).words
    said = " ".join(_like(word, known) for word in asked)
    return said if said != " ".join(asked) else ""


def _like(word: str, known: set[str]) -> str:
    if len(word) < SHORTEST_MISSPELT or any(other.startswith(word) for other in known):
        return word
    return next(iter(get_close_matches(word, sorted(known), n=1, cutoff=ALIKE)), word)
