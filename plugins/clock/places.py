"""Which zone a person means: a city, a land, a zone's name or an offset, in English or Chinese."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta, timezone, tzinfo
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

_CITIES = "Africa America Antarctica Arctic Asia Atlantic Australia Europe Indian Pacific".split()
# Not cities, though the tz database files them like some: they stay known by their whole names.
_NO_CITIES = {"ACT", "LHI", "NSW", "North", "South", "West", "Virgin", "Knox_IN"}
_NO_ZONES = {"localtime", "Factory", "posixrules"}

_OFFSET = re.compile(
    r"(?:utc|gmt|z)?\s*(?P<sign>[+-])\s*(?P<hours>\d{1,2})(?::?(?P<minutes>\d\d))?"
)
_CHINESE_OFFSET = re.compile(
    r"(?P<side>[东西])(?P<hours>\d{1,2}|[一二三四五六七八九]|十[一二]?)时?区"
)
_NUMBERS = {"十一": 11, "十二": 12, **{sign: n for n, sign in enumerate("一二三四五六七八九十", 1)}}
_FARTHEST = timedelta(hours=14)

_NOISE = re.compile(
    r"\b(?:what|what's|time|times|timezone|zone|local|current|currently|right|now|in|at|the|is|it|"
    r"city|of|clock|standard|please|today|there|here)\b"
    r"|请问|现在|当前|当地|目前|此刻|标准|时间|时区|几点钟?|那边|那里|[的市在是了呢吗]"
)
# ł and its like do not come apart into a letter and a mark.
_PLAIN = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ß": "ss", "æ": "ae", "ı": "i"})


@dataclass(frozen=True, slots=True)
class Place:
    """A place with its zone, named in both languages; one without a zone is a bare offset."""

    zone_name: str
    en: str
    zh: str
    offset: timedelta | None = None

    @property
    def zone(self) -> tzinfo:
        return ZoneInfo(self.zone_name) if self.offset is None else timezone(self.offset)

    def label(self, locale: str) -> str:
        return self.zh if locale.startswith("zh") else self.en


class UnknownPlace(Exception):
    """Nobody knows it, or it has several times; `near` are places to ask for instead."""

    def __init__(self, near: tuple[Place, ...] = (), *, region: tuple[str, str] | None = None):
        super().__init__()
        self.near = near
        self.region = region


def find_place(text: str) -> Place:
    """The place that is meant.

    Raises:
        UnknownPlace: none is, or several are.
    """
    said = unicodedata.normalize("NFKC", text).replace("−", "-").strip()[:200]
    cleaned = " ".join(_NOISE.sub(" ", said.lower()).split())
    attempts = dict.fromkeys([said, cleaned, *_parts(said), *_parts(cleaned)])
    for attempt in attempts:
        if attempt and (place := _known(attempt)):
            return place
    for attempt in attempts:
        if region := _atlas().regions.get(_fold(attempt)):
            near = tuple(_atlas().places[_fold(city)] for city in region.cities)
            raise UnknownPlace(near, region=(region.en, region.zh))
    if place := _contained(_fold(said)):
        return place
    raise UnknownPlace(_near(_fold(cleaned) or _fold(said)))


@dataclass(frozen=True, slots=True)
class _Region:
    en: str
    zh: str
    cities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Atlas:
    """Everything that is known, by folded name; zones by their lower-case name."""

    places: Mapping[str, Place]
    regions: Mapping[str, _Region]
    zones: Mapping[str, str]


@cache
def _atlas() -> _Atlas:
    zones = available_timezones() - _NO_ZONES
    places: dict[str, Place] = {}
    regions: dict[str, _Region] = {}
    text = Path(__file__).with_name("places.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        left, _, right = line.partition("\t")
        if line.startswith("? "):
            names = _Names.read(left.removeprefix("? "), "")
            region = _Region(names.en[0], names.zh[0], tuple(right.split(", ")))
            regions |= {_fold(name): region for name in names.all}
        elif left in zones and not line.startswith("#"):
            for entry in right.split("; "):
                names = _Names.read(entry, _city_of(left))
                place = Place(left, names.en[0], (names.zh or names.en)[0])
                places |= {_fold(name): place for name in names.all}
    # A zone that the file does not name, or does not know yet, is known by its own city.
    for zone in sorted(zones):
        area, _, rest = zone.partition("/")
        if area in _CITIES and rest not in _NO_CITIES:
            city = _city_of(zone)
            places.setdefault(_fold(city), Place(zone, city, city))
    return _Atlas(places, regions, {zone.lower(): zone for zone in zones})


@dataclass(frozen=True, slots=True)
class _Names:
    en: tuple[str, ...]
    zh: tuple[str, ...]

    @classmethod
    def read(cls, entry: str, own: str) -> "_Names":
        """`Kyiv|Kiev=基辅`; an empty English name stands for the zone's own city."""
        en, _, zh = entry.strip().partition("=")
        return cls(
            tuple(name or own for name in en.split("|")),
            tuple(name for name in zh.split("|") if name),
        )

    @property
    def all(self) -> Iterable[str]:
        return (*self.en, *self.zh)


def _city_of(zone: str) -> str:
    return zone.rpartition("/")[2].replace("_", " ")


def _fold(text: str) -> str:
    """Case, accents, points and the kind of gap make no difference."""
    letters = unicodedata.normalize("NFKD", text.lower().translate(_PLAIN))
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(re.sub(r"[_\-/,()]", " ", re.sub(r"[.'’ʻ`?!,。？！]", "", plain)).split())


def _parts(text: str) -> Iterator[str]:
    """Paris, France is Paris first; 日本东京 has no comma and is found by what it contains."""
    yield from (part.strip() for part in re.split(r"[,，、(（)）]", text))


def _known(text: str) -> Place | None:
    atlas = _atlas()
    known = atlas.places.get(_fold(text))
    zone = atlas.zones.get(re.sub(r"\s+", "_", text.lower()))
    # EST is asked for by people who mean New York, in summer too; America/Atikokan is exact.
    if zone and (known is None or "/" in zone):
        city = atlas.places.get(_fold(_city_of(zone)), Place(zone, _city_of(zone), _city_of(zone)))
        return Place(zone, city.en, city.zh)
    return known or _offset(text.lower())


def _offset(text: str) -> Place | None:
    if match := _OFFSET.fullmatch(text):
        hours, minutes = int(match["hours"]), int(match["minutes"] or 0)
        sign = -1 if match["sign"] == "-" else 1
    elif match := _CHINESE_OFFSET.fullmatch(text):
        hours, minutes = _NUMBERS.get(match["hours"]) or int(match["hours"]), 0
        sign = -1 if match["side"] == "西" else 1
    else:
        return None
    offset = sign * timedelta(hours=hours, minutes=minutes)
    if abs(offset) > _FARTHEST or minutes > 59:
        return None
    name = f"UTC{'-' if sign < 0 else '+'}{hours}{f':{minutes:02}' if minutes else ''}"
    return Place("", name, name, offset)


def _contained(folded: str) -> Place | None:
    """The longest known name within a longer text, by whole words in English."""
    padded = f" {folded} "
    best = ""
    for name in _atlas().places:
        is_latin = name.isascii()
        if len(name) <= len(best) or len(name) < (4 if is_latin else 2):
            continue
        if (f" {name} " if is_latin else name) in padded:
            best = name
    return _atlas().places[best] if best else None


def _near(folded: str) -> tuple[Place, ...]:
    length = len(folded)
    alike = [one for one in _atlas().places if abs(len(one) - length) <= max(1, length // 4)]
    names = get_close_matches(folded[:40], alike, n=3, cutoff=0.75)
    return tuple(dict.fromkeys(_atlas().places[name] for name in names))
