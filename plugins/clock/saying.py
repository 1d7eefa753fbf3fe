"""How a time is said, in English and Chinese, gaps and folds of summer time included."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from plugins.clock.places import Place

_WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MONTHS = (
    "January February March April May June July August September October November December".split()
)
_CHINESE_WEEKDAYS = "一二三四五六日"
_INSTANT = timedelta(microseconds=1)


def present(place: Place, now: datetime, locale: str) -> str:
    """What the clock on the wall shows there."""
    local = now.astimezone(place.zone)
    if _is_chinese(locale):
        return f"{place.zh}现在是{_stamp(local, locale)}{_zone(place, local, locale)}。"
    return f"It is {_stamp(local, locale)} in {place.en}{_zone(place, local, locale)}."


def converted(day: date, at: time, start: Place, end: Place, locale: str) -> str:
    """One clock's reading as another's, with a word on readings that are missing or come twice."""
    wall = datetime.combine(day, at)
    first, second = (wall.replace(tzinfo=start.zone, fold=fold) for fold in (0, 1))
    if _offset(first) == _offset(second):
        return _equals(start, first, end, locale) + _stop(locale)
    change = _change(first, second)
    if _offset(first) < _offset(second):
        # Read by the clock that was valid before the gap, it is a moment after it.
        moved = first.astimezone(UTC).astimezone(start.zone)
        return (
            _gap(start, wall, change, locale) + _equals(start, moved, end, locale) + _stop(locale)
        )
    return _fold(start, wall, change, locale) + _twice(start, (first, second), end, locale)


@dataclass(frozen=True, slots=True)
class _Change:
    """The clock goes from one reading to the other at once."""

    before: datetime
    after: datetime


def _change(first: datetime, second: datetime) -> _Change:
    """The clock change that lies around an odd reading, by halving the time between."""
    zone = first.tzinfo
    assert zone is not None
    low, high = sorted((first.astimezone(UTC), second.astimezone(UTC)))
    low, high = low - timedelta(hours=1), high + timedelta(hours=1)
    offset = _offset(low.astimezone(zone))
    while high - low > _INSTANT:
        middle = low + (high - low) / 2
        if _offset(middle.astimezone(zone)) == offset:
            low = middle
        else:
            high = middle
    after = high.astimezone(zone)
    return _Change((high + offset).replace(tzinfo=None), after.replace(tzinfo=None))


def _gap(place: Place, wall: datetime, change: _Change, locale: str) -> str:
    stamp = _stamp(wall, locale)
    before, after = _readings(change, locale)
    if _is_chinese(locale):
        return f"{place.zh}没有{stamp}：时钟从{before}直接拨到{after}。顺延后，"
    return f"There is no {stamp} in {place.en}: the clocks go from {before} to {after}. Moved on, "


def _fold(place: Place, wall: datetime, change: _Change, locale: str) -> str:
    stamp = _stamp(wall, locale)
    before, after = _readings(change, locale)
    if _is_chinese(locale):
        return f"{place.zh}的{stamp}会出现两次：时钟从{before}拨回{after}。"
    return f"{stamp} comes twice in {place.en}: the clocks go back from {before} to {after}. "


def _twice(start: Place, moments: tuple[datetime, datetime], end: Place, locale: str) -> str:
    first, second = (_equals(start, moment, end, locale) for moment in moments)
    if _is_chinese(locale):
        return f"第一次：{first}；第二次：{second}。"
    return f"The first time, {first}; the second time, {second}."


def _equals(start: Place, moment: datetime, end: Place, locale: str) -> str:
    there = moment.astimezone(UTC).astimezone(end.zone)
    said, meant = _stamp(moment, locale), _stamp(there, locale)
    of_start, of_end = _zone(start, moment, locale), _zone(end, there, locale)
    if _is_chinese(locale):
        return f"{start.zh}{said}{of_start}是{end.zh}{meant}{of_end}"
    return f"{said} in {start.en}{of_start} is {meant} in {end.en}{of_end}"


def _readings(change: _Change, locale: str) -> tuple[str, str]:
    # Where a whole day is left out, the times alone would say nothing.
    if abs(change.before - change.after) < timedelta(hours=12):
        return f"{change.before:%H:%M}", f"{change.after:%H:%M}"
    return _stamp(change.before, locale), _stamp(change.after, locale)


def _stamp(moment: datetime, locale: str) -> str:
    if _is_chinese(locale):
        weekday = _CHINESE_WEEKDAYS[moment.weekday()]
        return f"{moment.year}年{moment.month}月{moment.day}日星期{weekday} {moment:%H:%M}"
    day = f"{_WEEKDAYS[moment.weekday()]}, {moment.day} {_MONTHS[moment.month - 1]} {moment.year}"
    return f"{moment:%H:%M} on {day}"


def _zone(place: Place, moment: datetime, locale: str) -> str:
    """Zone, its letters where it has some, the offset, and whether it is summer time."""
    name = moment.tzname() or ""
    letters = name if name.isalpha() and name != place.zone_name else ""
    facts = [place.zone_name, letters, _offset_text(moment) if name != "UTC" else "UTC"]
    facts = [fact for fact in dict.fromkeys(facts) if fact and fact != place.label(locale)]
    if _is_summer(moment):
        facts.append("夏令时" if _is_chinese(locale) else "summer time")
    if not facts:
        return ""
    return f"（{'，'.join(facts)}）" if _is_chinese(locale) else f" ({', '.join(facts)})"


def _is_summer(moment: datetime) -> bool:
    # Not `dst()` alone: Ireland's winter is a negative summer time in the tz database.
    zone = moment.tzinfo
    seasons = [datetime(moment.year, month, 1, tzinfo=zone) for month in (1, 7)]
    if not any(one.dst() for one in (moment, *seasons)):
        return False
    return _offset(moment) > min(_offset(one) for one in seasons)


def _offset_text(moment: datetime) -> str:
    seconds = int(_offset(moment).total_seconds())
    hours, rest = divmod(abs(seconds), 3600)
    minutes, odd = divmod(rest, 60)
    tail = f":{odd:02}" if odd else ""
    return f"UTC{'-' if seconds < 0 else '+'}{hours:02}:{minutes:02}{tail}"


def _offset(moment: datetime) -> timedelta:
    return moment.utcoffset() or timedelta(0)


def _stop(locale: str) -> str:
    return "。" if _is_chinese(locale) else "."


def _is_chinese(locale: str) -> bool:
    return locale.startswith("zh")
