"""Which time of which day a person means, in English or Chinese."""

import re
import unicodedata
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_WEEKDAYS = "mon tue wed thu fri sat sun".split()
_CHINESE_WEEKDAYS = "一二三四五六日"
_HOURS = {
    word: n
    for n, word in enumerate(
        "one two three four five six seven eight nine ten eleven twelve".split(), start=1
    )
}
_DIGITS = {sign: n for n, sign in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}

_DAYS = [
    (re.compile(r"\bthe day after tomorrow\b|后天"), 2),
    (re.compile(r"\btomorrow\b|明天|明日"), 1),
    (re.compile(r"\b(?:today|tonight)\b|今天|今日|今晚"), 0),
    (re.compile(r"\byesterday\b|昨天"), -1),
]
_ISO = re.compile(r"(?P<y>\d{4})[-/.年](?P<m>\d{1,2})[-/.月](?P<d>\d{1,2})[日号]?(?:t(?=\d))?")
_CHINESE_DATE = re.compile(r"(?P<m>\d{1,2})月(?P<d>\d{1,2})[日号]?")
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})[a-z]*\.?"
_DAY = r"(?P<d>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?:,?\s*(?P<y>\d{4}))?\b"
_ENGLISH_DATES = [
    re.compile(rf"\b{_DAY}\s+(?:of\s+)?{_MONTH}{_YEAR}"),
    re.compile(rf"\b{_MONTH}\s+{_DAY}{_YEAR}"),
]
_WEEKDAY = re.compile(
    rf"\b(?:(?P<later>next )|this |on )?(?P<en>{'|'.join(_WEEKDAYS)})[a-z]*\b"
    rf"|(?P<next>下)?(?:周|星期|礼拜)(?P<zh>[{_CHINESE_WEEKDAYS}天])"
)

_NOW = re.compile(r"(?:right )?now|currently|现在|此刻|目前|")
_NAMED = {
    "noon": (12, 0),
    "midday": (12, 0),
    "midnight": (0, 0),
    "中午": (12, 0),
    "正午": (12, 0),
    "午夜": (0, 0),
    "半夜": (0, 0),
    "零点": (0, 0),
}
_PAST = re.compile(
    r"(?P<part>half|quarter|\d{1,2})(?: minutes?)? (?P<way>past|after|to) (?P<h>\d{1,2})"
)
_CLOCK = re.compile(
    r"(?P<h>\d{1,2})(?:[:.h](?P<m>\d\d)(?::\d\d(?:\.\d+)?)?)?\s*(?:o'?clock)?\s*(?P<half>[ap])?\.?(?:m\.?)?"
)
_DIGITAL = re.compile(r"(?P<h>\d\d)(?P<m>\d\d)(?:\s*h(?:ou)?rs)?")
_CHINESE = re.compile(
    r"(?P<part>凌晨|清晨|早上|早晨|上午|早|中午|下午|傍晚|晚上|夜里|晚)?(?P<h>\d{1,2})(?:[点时]钟?|:)"
    r"(?:(?P<half>半)|(?P<quarter>[13])刻|(?P<m>\d{1,2})分?|整)?"
)
_AFTERNOON = {"下午", "傍晚"}
_AT_NIGHT = {"晚上", "夜里", "晚"}
_NIGHT = re.compile(r"\b(?P<at>at )?(?:to)?night\b")
_MORNING = re.compile(r"\d\s*a\.?m?\b|morning|[早晨]|上午")


class UnclearTime(Exception):
    """It is not understood; both languages."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en, self.zh = en, zh


@dataclass(frozen=True, slots=True)
class Moment:
    """A day and a time there, or no time for the present one."""

    day: date
    at: time | None


def read_moment(said_time: str, said_date: str, here: datetime) -> Moment:
    """Read it; a day that is not named is that of `here`, the present at the place.

    Raises:
        UnclearTime: what of it is not understood.
    """
    clock, day = _plain(said_time), _plain(said_date)
    found, rest = _take_date(day or clock, here.date())
    if day and (found is None or _stripped(rest) not in {"", "tonight"}):
        raise UnclearTime(
            f"write the date as YYYY-MM-DD, not {said_date[:20]!r}",
            f"日期请写成 YYYY-MM-DD，看不懂 {said_date[:20]!r}",
        )
    remaining = _stripped(f"{rest} {clock}" if day else rest)
    on = found or here.date()
    if _NOW.fullmatch(remaining):
        return Moment(on, None)
    hour, minute = _read_clock(remaining, said_time)
    if hour >= 24:
        return Moment(on + timedelta(days=1), time(hour - 24, minute))
    return Moment(on, time(hour, minute))


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text)[:100].lower().strip()
    for word, n in _HOURS.items():
        text = re.sub(rf"\b{word}\b", str(n), text)
    # 二十三 before its digits are read one by one; a weekday keeps its sign.
    text = re.sub(
        r"(?<![周期拜])([二三四五])?十([一二三四五六七八九])?(?=[点时分月日号]|$)",
        lambda match: str(_DIGITS.get(match[1], 1) * 10 + _DIGITS.get(match[2], 0)),
        text,
    )
    return re.sub(
        r"(?<![周期拜])[零〇一二两三四五六七八九](?=[点时分月日号刻]|$)",
        lambda match: str(_DIGITS[match[0]]),
        text,
    )


def _stripped(text: str) -> str:
    text = re.sub(r"\b(?:at(?! night)|on|the|about|around|t)\b|的|[,，]", " ", text)
    return " ".join(text.split())


def _take_date(text: str, today: date) -> tuple[date | None, str]:
    for pattern, days in _DAYS:
        if match := pattern.search(text):
            kept = " tonight " if match[0] in {"tonight", "今晚"} else " "
            return today + timedelta(days=days), pattern.sub(kept, text, count=1)
    for pattern in (_ISO, _CHINESE_DATE, *_ENGLISH_DATES):
        if match := pattern.search(text):
            return _date_of(match, today), f"{text[: match.start()]} {text[match.end() :]}"
    if match := _WEEKDAY.search(text):
        return _weekday(match, today), f"{text[: match.start()]} {text[match.end() :]}"
    return None, text


def _date_of(match: re.Match[str], today: date) -> date:
    groups = match.groupdict()
    month = int(groups["m"]) if groups.get("m") else _MONTHS.index(groups["month"]) + 1
    year, day = int(groups.get("y") or today.year), int(groups["d"])
    if not (1900 <= year <= 2200 and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]):
        raise UnclearTime(
            f"there is no such day between 1900 and 2200: {match[0].strip()}",
            f"1900 到 2200 年之间没有这一天：{match[0].strip()}",
        )
    return date(year, month, day)


def _weekday(match: re.Match[str], today: date) -> date:
    """The next such day; 下周一 is the one of the coming week."""
    if match["en"]:
        ahead = (_WEEKDAYS.index(match["en"]) - today.weekday()) % 7
        return today + timedelta(days=ahead or (7 if match["later"] else 0))
    weekday = _CHINESE_WEEKDAYS.index(match["zh"].replace("天", "日"))
    if match["next"]:
        return today + timedelta(days=7 - today.weekday() + weekday)
    return today + timedelta(days=(weekday - today.weekday()) % 7)


def _read_clock(text: str, said: str) -> tuple[int, int]:
    night = _NIGHT.search(text)
    text = " ".join(_NIGHT.sub(" ", text).split())
    read = (
        _NAMED.get(text)
        or _past(text)
        or _digital(text)
        or _english(text)
        or _chinese(text.replace(" ", ""))
    )
    if read is None or read[0] > 24 or read[1] > 59 or (read[0] == 24 and read[1]):
        raise UnclearTime(
            f"write the time as HH:MM, not {said[:20]!r}",
            f"时间请写成 HH:MM，看不懂 {said[:20]!r}",
        )
    if night is None:
        return read
    hour = read[0] if _MORNING.search(text) else _at_night(read[0])
    # The night of a day reaches into the next one.
    return (hour + 24 if hour < 5 and not night["at"] else hour), read[1]


def _at_night(hour: int) -> int:
    """12 is midnight, what follows is early in the morning, and the rest in the evening."""
    if hour in {0, 12}:
        return 24
    return hour + 12 if 5 <= hour < 12 else hour


def _past(text: str) -> tuple[int, int] | None:
    match = _PAST.fullmatch(text)
    if match is None:
        return None
    minutes = {"half": 30, "quarter": 15}.get(match["part"]) or int(match["part"])
    total = int(match["h"]) * 60 + (-minutes if match["way"] == "to" else minutes)
    return divmod(total % 1440, 60)


def _digital(text: str) -> tuple[int, int] | None:
    match = _DIGITAL.fullmatch(text)
    return (int(match["h"]), int(match["m"])) if match else None


def _english(text: str) -> tuple[int, int] | None:
    text = re.sub(r" in (morning|afternoon|evening)", _half_of_day, text)
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    hour = int(match["h"])
    if match["half"]:
        if not 1 <= hour <= 12:
            return (hour, int(match["m"] or 0)) if match["half"] == "p" else None
        hour = hour % 12 + (12 if match["half"] == "p" else 0)
    return hour, int(match["m"] or 0)


def _half_of_day(match: re.Match[str]) -> str:
    return "am" if match[1] == "morning" else "pm"


def _chinese(text: str) -> tuple[int, int] | None:
    match = _CHINESE.fullmatch(text)
    if match is None:
        return None
    hour = int(match["h"])
    if match["part"] in _AFTERNOON and hour <= 12:
        hour = hour % 12 + 12
    elif match["part"] in _AT_NIGHT:
        hour = _at_night(hour)
    elif match["part"] == "中午" and hour < 11:
        hour += 12
    elif match["part"] == "凌晨" and hour == 12:
        hour = 0
    if match["half"]:
        return hour, 30
    return hour, int(match["quarter"] or 0) * 15 or int(match["m"] or 0)
