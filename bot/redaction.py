"""What never reaches a log: secrets, and whatever the text of somebody else's exception holds."""

import errno
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from traceback import walk_tb

from bot.errors import ConfigError

HIDDEN = "***"
LONGEST = 500
LONGEST_READ = 2000
DEEPEST = 4
MOST_ITEMS = 50
MOST_FRAMES = 40
MOST_CAUSES = 8

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]
"""What a log line is made of; anything else appears by the name of its type."""

# A configured value this short would be found inside ordinary words.
SHORTEST_SECRET = 6

_SECRET_WORDS = frozenset(
    "token secret secrets key apikey password passwd pwd passphrase pass authorization auth cookie "
    "credential credentials signature sig jwt bearer".split()
)
_NAMES = (
    r"[\w.-]*(?:token|secret|passw(?:or)?d|passphrase|api[_-]?key|aes[_-]?key|private[_-]?key"
    r"|signature|credential|authorization|jwt)"
)
_PATTERNS: tuple[tuple[str, str], ...] = (
    # A cookie header holds several values: all of the line goes.
    (r"(?i)((?:set-)?cookie[\"']?\s*[:=]\s*)[^\r\n]+", r"\1***"),
    (r"(?i)\b(bearer|basic|digest)\s+[\w.~+/=-]{6,}", r"\1 ***"),
    (r"\beyJ[\w-]{5,}(?:\.[\w-]+){1,4}", HIDDEN),
    (r"\b\d{5,}:[\w-]{30,}", HIDDEN),
    # The Bot API carries its token in the path.
    (r"/bot\d+(?::|%3A)[^/\s\"']+", "/bot***"),
    (r"\b[spr]k-[\w-]{6,}", HIDDEN),
    (r"\bx(?:ox[a-z]|app)(?:\.xox[a-z])?-[\w-]+", HIDDEN),
    (r"://[^/\s?#\"']*@", "://***@"),
    (rf"(?i)([?&;](?:{_NAMES}|key|sig|code|pass|auth|cookie|sid)=)[^&;\s\"'#]*", r"\1***"),
    (rf"(?i)\b({_NAMES}s?[\"']?\s*[:=]\s*)([\"']?)[^\s\"',;&}})\]]+", r"\1\2***"),
)
# Tried first: nearly every line holds nothing that could be a secret.
_SUSPECT = re.compile(
    r"(?i)cookie|bearer|basic|digest|eyJ|\d{5}:|/bot\d|[spr]k-|xox|xapp|://|[?&;]|token|secret"
    r"|passw|passphrase|key|signature|credential|authorization|jwt"
)
_COMPILED = tuple((re.compile(pattern), put) for pattern, put in _PATTERNS)
_CODE = re.compile(r"[A-Za-z0-9_]{1,40}")
_LIBRARIES = re.compile(r".*/(?:site-packages|dist-packages|lib/python3\.\d+)/")
_HOME = f"{Path(__file__).resolve().parents[1].as_posix()}/"


class Redaction:
    """Takes secrets out of what is about to be written; it learns the configured ones by value."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._known: re.Pattern[str] | None = None
        self.hide(*secrets)

    def hide(self, *secrets: str) -> None:
        """Never write these values, wherever they turn up."""
        self._secrets.update(secret for secret in secrets if len(secret) >= SHORTEST_SECRET)
        longest_first = sorted(self._secrets, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def text(self, text: str) -> str:
        """The text with every secret in it replaced, and not longer than a log line bears."""
        if len(text) < SHORTEST_SECRET:
            return text
        if len(text) > LONGEST_READ:
            # A cut through a secret would leave a part of it that no pattern knows.
            text = f"{text[:LONGEST_READ].rpartition(' ')[0]} …"
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        if _SUSPECT.search(text) is not None:
            for pattern, put in _COMPILED:
                text = pattern.sub(put, text)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"

    def plain(self, name: str, value: object, depth: int = 0) -> Plain:
        """A field's value as it may be written under this name."""
        if value is None or isinstance(value, bool):
            return value
        if is_secret_name(name):
            return HIDDEN
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        return self._compound(name, value, depth)

    def _compound(self, name: str, value: object, depth: int) -> Plain:
        if isinstance(value, datetime):
            return value.isoformat()
        if isinstance(value, timedelta):
            return value.total_seconds()
        if depth < DEEPEST and isinstance(value, Mapping):
            pairs = list(value.items())[:MOST_ITEMS]
            return {str(key): self.plain(str(key), inner, depth + 1) for key, inner in pairs}
        if depth < DEEPEST and isinstance(value, list | tuple | set | frozenset):
            return [self.plain(name, inner, depth + 1) for inner in list(value)[:MOST_ITEMS]]
        return f"<{type(value).__name__}>"


@lru_cache(maxsize=1024)
def is_secret_name(name: str) -> bool:
    """Whether a field, header or argument of this name holds a secret: `bot_token`, `X-Api-Key`."""
    words = re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())
    return not _SECRET_WORDS.isdisjoint(words)


def trace(error: BaseException) -> list[str]:
    """What went wrong and where: types, files and lines, causes included; never an error's text."""
    return list(_lines(error, "", set()))


def name_of(error: BaseException) -> str:
    """The error's class and, where it has one, its code: an errno, an SQLSTATE, an HTTP status."""
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in {"builtins", "bot.errors"}:
        name = f"{kind.__module__.partition('.')[0]}.{name}"
    code = _code_of(error)
    return f"{name} ({code})" if code else name


def detail_of(error: BaseException) -> str:
    """The sentence of an error that was written for the operator; others keep their text."""
    return str(error) if isinstance(error, ConfigError) else ""


def place_of(file: str, line: int) -> str:
    """A place in the code, by the part of its path that matters."""
    path = _LIBRARIES.sub("", file.replace("\\", "/"))
    return f"{path.removeprefix(_HOME)}:{line}"


def _lines(error: BaseException, relation: str, seen: set[int]) -> Iterator[str]:
    if id(error) in seen or len(seen) >= MOST_CAUSES:
        return
    seen.add(id(error))
    yield f"{relation}{name_of(error)}"
    frames = [
        f"{place_of(frame.f_code.co_filename, line)} {frame.f_code.co_qualname}"
        for frame, line in walk_tb(error.__traceback__)
    ]
    yield from frames[-MOST_FRAMES:]
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _lines(inner, "holds ", seen)
    if error.__cause__ is not None:
        yield from _lines(error.__cause__, "because of ", seen)
    elif error.__context__ is not None and not error.__suppress_context__:
        yield from _lines(error.__context__, "while handling ", seen)


def _code_of(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return errno.errorcode.get(error.errno, str(error.errno))
    for attribute in ("sqlstate", "sqlite_errorname", "status_code", "status"):
        code = getattr(error, attribute, None)
        if isinstance(code, int | str) and _CODE.fullmatch(str(code)):
            return str(code)
    return ""
