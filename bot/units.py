"""How an operator writes time spans, sizes, names, paths and addresses."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    ValidationInfo,
)

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"B": 1, "kB": 1000, "KB": 1000, "KiB": 1024, "MB": 1000**2, "MiB": 1024**2, "GB": 1000**3}
# A century: an age subtracted from today must still be a date.
_LONGEST = timedelta(days=36525)

HOLDS_PASSWORD = object()
"""Marks a text that may hold a password, where nobody can tell while it cannot be read."""

_UNREADABLE = (
    "it cannot be read; write postgresql://user:password@host:port/name, and "
    "percent-encode / ? # @ [ % in the password: %2F %3F %23 %40 %5B %25"
)


def read_duration(value: object) -> timedelta:
    """Read `90s`, `30m`, `2h`, `7d` or `500ms`.

    Raises:
        ValueError: it is something else; a bare number has no unit.
    """
    if isinstance(value, timedelta):
        return value
    text = str(value).strip()
    match = re.fullmatch(r"(\d{1,12})\s*(ms|s|m|h|d)", text)
    if match is None:
        unit = f"; say the unit, {text}s for seconds" if text.isdigit() else ""
        raise ValueError(f"write a duration such as 90s, 30m, 2h or 7d{unit}")
    seconds = int(match[1]) * _UNITS[match[2]]
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f"the longest duration is {_LONGEST.days}d")
    return timedelta(seconds=seconds)


def _longer_than_nothing(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("write a duration longer than 0s")
    return value


def show_duration(value: timedelta) -> str:
    """Write it as it is read, in the largest unit that needs no fraction."""
    milliseconds = value // timedelta(milliseconds=1)
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(milliseconds, int(_UNITS[unit] * 1000))
        if count and not rest:
            return f"{count}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"


def read_size(value: object) -> int:
    """Read `1MB`, `64kB` or `512B`; an int is what a default or a test gives.

    Raises:
        ValueError: it is something else.
    """
    text = str(value).strip()
    match = re.fullmatch(r"(\d{1,12})\s*([a-zA-Z]*)", text)
    unit = _SIZES.get(match[2] or "B") if match else None
    if match is None or unit is None:
        raise ValueError("write a size such as 64kB or 1MB")
    return int(match[1]) * unit


def show_size(value: int) -> str:
    """Write it as it is read."""
    for unit in ("GB", "MB", "kB"):
        count, rest = divmod(value, _SIZES[unit])
        if count and not rest:
            return f"{count}{unit}"
    return f"{value}B"


def _read_names(value: object) -> object:
    """One name, or several with commas: this is how an environment variable gives a list."""
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    return value


def _read_tools(value: object) -> Literal["all"] | tuple[str, ...]:
    if value == "all":
        return "all"
    names = _read_names(value)
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError("write all, or a list of names such as [clock, calculator]")
    return tuple(names)


def _check_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write a whole address, such as https://bot.example.com")
    return value


def _base(info: ValidationInfo) -> Path:
    context: Mapping[str, Path] = info.context or {}
    return context.get("base", Path())


def _read_path(value: Path, info: ValidationInfo) -> Path:
    return _base(info) / value


def _read_database_url(value: str, info: ValidationInfo) -> str:
    # Secrets made by `echo` end in a line break; URLs hold none (WHATWG URL 4.4 drops them too).
    value = re.sub(r"[\t\r\n]", "", value)
    scheme, _, rest = value.partition("://")
    if scheme in {"postgresql", "postgres", "postgresql+asyncpg"} and rest:
        return _read_server(rest)
    if scheme == "sqlite" and len(rest) > 1 and rest.startswith("/") and rest != "/:memory:":
        return f"sqlite:///{_base(info) / rest[1:]}"
    raise ValueError("write sqlite:///path/to/file.db or postgresql://user:password@host/name")


def _read_server(rest: str) -> str:
    # Where a text with the address in it is shown, a blank would end the password to be hidden.
    url = "postgresql://" + re.sub(r"\s", lambda blank: quote(blank[0]), rest)
    try:
        readable = "#" not in url and _is_readable(urlsplit(url))
    except ValueError:  # its text quotes the address
        readable = False
    if not readable:
        raise ValueError(_UNREADABLE)
    return url


def _is_readable(parts: SplitResult) -> bool:
    """Whether everybody reads it alike: for the driver the first @ is the one before the host.

    Raises:
        ValueError: no port stands where one should, or no `key=value` behind the question mark.
    """
    _, named, hosts = parts.netloc.rpartition("@")
    places = [urlsplit(f"//{host}") for host in hosts.split(",")] if hosts else []
    if parts.netloc.count("@") > 1 or "@" in parts.path:
        return False
    if not all(place.netloc and place.port != 0 for place in places):
        return False
    asked = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    if any(key == "port" and not value.replace(",", "").isdecimal() for key, value in asked):
        return False
    # A password such as 12?a=b leaves a host with a port, and the @ behind the question mark.
    split = any("@" in value for key, value in asked if key not in {"user", "password"})
    return bool(named or parts.path) or not split


def _read_server_url(value: str, info: ValidationInfo) -> str:
    if value.startswith("sqlite"):
        raise ValueError("write postgresql://user:password@host/name")
    return _read_database_url(value, info)


Duration = Annotated[
    timedelta,
    BeforeValidator(read_duration),
    PlainSerializer(show_duration, return_type=str, when_used="json"),
]
"""A time span, written `90s`, `30m`, `2h` or `7d`."""

Span = Annotated[Duration, AfterValidator(_longer_than_nothing)]
"""A time span longer than nothing."""

Size = Annotated[
    int,
    BeforeValidator(read_size),
    PlainSerializer(show_size, return_type=str, when_used="json"),
]
"""A number of bytes, written `64kB` or `1MB`."""

ConfigPath = Annotated[Path, AfterValidator(_read_path)]
"""A path of the operator's; a relative one starts where the configuration file lies."""

DatabaseUrl = Annotated[str, AfterValidator(_read_database_url), HOLDS_PASSWORD]
"""A database; a relative SQLite path starts where the configuration file lies."""

ServerUrl = Annotated[str, AfterValidator(_read_server_url), HOLDS_PASSWORD]
"""A PostgreSQL database."""

Url = Annotated[str, AfterValidator(_check_url)]
Names = Annotated[tuple[str, ...], BeforeValidator(_read_names)]
ToolNames = Annotated[
    Literal["all"] | tuple[str, ...],
    PlainValidator(_read_tools),
    PlainSerializer(lambda names: names if isinstance(names, str) else list(names)),
]
Secret = Annotated[SecretStr, Field(min_length=1)]
