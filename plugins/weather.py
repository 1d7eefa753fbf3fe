"""The weather at a place, now and in the next days, from Open-Meteo or a service alike.

The name of the place is sent to that service; nothing else of the conversation is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Literal, TypeVar

from aiohttp import ClientError, ClientTimeout
from pydantic import BaseModel, Field, ValidationError

from bot import PluginSettings, Secret, Span, Tool, ToolContext, ToolFailed, ToolRetry, Url, tool

_LARGEST = 1_000_000
_WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MONTHS = (
    "January February March April May June July August September October November December".split()
)

# The weather codes of the WMO (table 4677), as far as the service uses them.
_SKIES: Mapping[int, tuple[str, str]] = {
    0: ("clear sky", "晴"),
    1: ("mainly clear", "大部晴朗"),
    2: ("partly cloudy", "多云"),
    3: ("overcast", "阴"),
    45: ("fog", "雾"),
    48: ("freezing fog", "冻雾"),
    51: ("light drizzle", "毛毛细雨"),
    53: ("drizzle", "毛毛雨"),
    55: ("dense drizzle", "较密的毛毛雨"),
    56: ("light freezing drizzle", "轻微冻毛毛雨"),
    57: ("freezing drizzle", "冻毛毛雨"),
    61: ("light rain", "小雨"),
    63: ("rain", "中雨"),
    65: ("heavy rain", "大雨"),
    66: ("light freezing rain", "轻微冻雨"),
    67: ("freezing rain", "冻雨"),
    71: ("light snow", "小雪"),
    73: ("snow", "中雪"),
    75: ("heavy snow", "大雪"),
    77: ("snow grains", "米雪"),
    80: ("light showers", "小阵雨"),
    81: ("showers", "阵雨"),
    82: ("violent showers", "强阵雨"),
    85: ("light snow showers", "小阵雪"),
    86: ("snow showers", "阵雪"),
    95: ("thunderstorm", "雷暴"),
    96: ("thunderstorm with hail", "雷暴伴冰雹"),
    99: ("thunderstorm with heavy hail", "雷暴伴大冰雹"),
}


class Settings(PluginSettings):
    """Where the weather comes from."""

    base_url: Url = Field(
        default="https://api.open-meteo.com/v1/", description="Where forecasts are asked for."
    )
    geocoding_url: Url = Field(
        default="https://geocoding-api.open-meteo.com/v1/",
        description="Where the coordinates of a place are asked for.",
    )
    api_key: Secret | None = Field(default=None, description="The key of a paid plan.")
    units: Literal["metric", "imperial"] = Field(
        default="metric", description="°C and km/h, or °F and mph."
    )
    timeout: Span = Field(
        default=timedelta(seconds=8), description="The longest wait for one of its answers."
    )


def build(settings: Settings) -> Sequence[Tool]:
    """The one tool of this plugin."""
    service = _Service(settings)

    @tool(
        # Two requests, and a little patience of our own.
        timeout=settings.timeout.total_seconds() * 2 + 1,
        examples=[
            "what's the weather in Paris?",
            "weather in New York",
            "how is the weather in Tokyo today",
            "will it rain in London tomorrow",
            "do I need an umbrella in Paris",
            "weather forecast for London",
            "what is the temperature in New York",
            "how warm is it in Tokyo right now",
            "is it cold in London",
            "is it sunny in Paris at the moment",
            "does it snow in New York tomorrow",
            "5 day forecast for Tokyo",
            "how windy is it in London",
            "北京天气怎么样?",
            "上海今天天气如何",
            "巴黎明天会下雨吗",
            "东京现在多少度",
            "北京气温是多少",
            "上海未来5天的天气预报",
            "去东京要带伞吗",
            "巴黎冷不冷",
            "查一下北京的天气",
            "上海明天热吗",
            "东京会不会下雪",
            "今天巴黎刮风吗",
        ],
    )
    async def weather(
        ctx: ToolContext,
        place: Annotated[
            str,
            Field(
                min_length=1,
                max_length=100,
                examples=["Paris", "New York", "Tokyo", "London", "北京", "上海", "巴黎", "东京"],
            ),
        ],
        days: Annotated[int, Field(ge=1, le=7, examples=[5])] = 2,
    ) -> str:
        """Tell the weather at a place: now, today and on the following days.

        Args:
            ctx: Who asks.
            place: A city or town, if need be with its country: Paris, or Portland, Oregon.
            days: How many days to tell, today included.
        """
        return await service.weather(ctx, place, days)

    return [weather]


class _Town(BaseModel):
    name: str
    latitude: float
    longitude: float
    country: str | None = None
    admin1: str | None = None


class _Towns(BaseModel):
    results: list[_Town] = []


class _Current(BaseModel):
    temperature_2m: float
    apparent_temperature: float | None = None
    relative_humidity_2m: float | None = None
    wind_speed_10m: float | None = None
    weather_code: int | None = None


class _Daily(BaseModel):
    time: list[date]
    weather_code: list[int | None]
    temperature_2m_max: list[float | None]
    temperature_2m_min: list[float | None]
    precipitation_probability_max: list[float | None]


class _Forecast(BaseModel):
    current: _Current
    daily: _Daily


Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class _Service:
    """The wire: two questions, and every way in which they fail as a sentence."""

    settings: Settings

    async def weather(self, ctx: ToolContext, place: str, days: int) -> str:
        town = await self._town(ctx, place)
        forecast = await self._ask(
            ctx,
            f"{self.settings.base_url.rstrip('/')}/forecast",
            {
                "latitude": f"{town.latitude:.4f}",
                "longitude": f"{town.longitude:.4f}",
                "current": ",".join(_Current.model_fields),
                "daily": ",".join(name for name in _Daily.model_fields if name != "time"),
                "timezone": "auto",
                "forecast_days": str(days),
                **self._units(),
            },
            _Forecast,
        )
        return "\n".join(_lines(town, forecast, self.settings.units, ctx.locale))

    async def _town(self, ctx: ToolContext, place: str) -> _Town:
        name, _, region = place.replace("，", ",").partition(",")
        question = {
            "name": name.strip(),
            "count": "10" if region else "1",
            "language": "zh" if _is_chinese(ctx.locale) else "en",
            "format": "json",
        }
        url = f"{self.settings.geocoding_url.rstrip('/')}/search"
        towns = (await self._ask(ctx, url, question, _Towns)).results
        if not towns:
            raise ToolRetry(
                _say(
                    ctx,
                    f"there is no place called {place[:60]!r}; write a city's name",
                    f"找不到{place[:60]!r}这个地方，请写城市名",
                )
            )
        wanted = region.strip().lower()
        inside = (town for town in towns if wanted in f"{town.admin1} {town.country}".lower())
        return next(inside, towns[0])

    def _units(self) -> Mapping[str, str]:
        if self.settings.units == "metric":
            return {}
        return {"temperature_unit": "fahrenheit", "wind_speed_unit": "mph"}

    async def _ask(
        self, ctx: ToolContext, url: str, question: Mapping[str, str], body: type[Body]
    ) -> Body:
        if self.settings.api_key is not None:
            question = {**question, "apikey": self.settings.api_key.get_secret_value()}
        timeout = ClientTimeout(total=self.settings.timeout.total_seconds())
        try:
            # A redirect could lead into our own network.
            async with ctx.http().get(
                url, params=question, timeout=timeout, allow_redirects=False
            ) as response:
                if response.status == 429:
                    raise _failed(ctx, "has had too many questions", "请求太多")
                if response.status != 200:
                    status = response.status
                    raise _failed(
                        ctx, f"refused the question ({status})", f"拒绝了请求（{status}）"
                    )
                received = bytearray()
                async for chunk in response.content.iter_chunked(65536):
                    received += chunk
                    if len(received) > _LARGEST:
                        raise _failed(ctx, "answered far too much", "返回的数据太大")
            return body.model_validate_json(bytes(received))
        except TimeoutError as error:
            raise _failed(ctx, "gave no answer in time", "没有及时回应") from error
        except ClientError as error:
            raise _failed(ctx, "cannot be reached", "暂时连不上") from error
        except ValidationError as error:
            raise _failed(ctx, "answered something else", "返回了看不懂的内容") from error


def _failed(ctx: ToolContext, en: str, zh: str) -> ToolFailed:
    return ToolFailed(_say(ctx, f"The weather service {en}.", f"天气服务{zh}。"))


def _lines(town: _Town, forecast: _Forecast, units: str, locale: str) -> Iterator[str]:
    degrees, speed = ("°C", "km/h") if units == "metric" else ("°F", "mph")
    yield _now(town, forecast.current, degrees, speed, locale)
    daily = forecast.daily
    days = zip(
        daily.time,
        daily.weather_code,
        daily.temperature_2m_min,
        daily.temperature_2m_max,
        daily.precipitation_probability_max,
        strict=False,
    )
    for ahead, (day, code, low, high, rain) in enumerate(days):
        facts = [_sky(code, locale)]
        if low is not None and high is not None:
            between = f"{low:.0f}–{high:.0f} {degrees}"
            facts.append(between)
        if rain is not None:
            facts.append(f"降水概率 {rain:.0f}%" if _is_chinese(locale) else f"{rain:.0f}% rain")
        yield f"- {_day(day, ahead, locale)}{_join(facts, locale)}"


def _now(town: _Town, current: _Current, degrees: str, speed: str, locale: str) -> str:
    zh = _is_chinese(locale)
    facts = [_sky(current.weather_code, locale), f"{current.temperature_2m:.0f} {degrees}"]
    if current.apparent_temperature is not None:
        felt = f"{current.apparent_temperature:.0f} {degrees}"
        facts.append(f"体感 {felt}" if zh else f"feels like {felt}")
    if current.relative_humidity_2m is not None:
        humidity = f"{current.relative_humidity_2m:.0f}%"
        facts.append(f"湿度 {humidity}" if zh else f"humidity {humidity}")
    if current.wind_speed_10m is not None:
        wind = f"{current.wind_speed_10m:.0f} {speed}"
        facts.append(f"风速 {wind}" if zh else f"wind {wind}")
    above = [part for part in (town.admin1, town.country) if part and part != town.name]
    if zh:
        return f"{' '.join([*reversed(above), town.name])}现在：{_join(facts, locale)}"
    return f"{', '.join([town.name, *above])}, now: {_join(facts, locale)}"


def _day(day: date, ahead: int, locale: str) -> str:
    if _is_chinese(locale):
        near = ("今天", "明天", "后天")[ahead] if ahead < 3 else ""
        return f"{near}{day.month}月{day.day}日星期{'一二三四五六日'[day.weekday()]}："
    near = ("Today, ", "Tomorrow, ")[ahead] if ahead < 2 else ""
    return f"{near}{_WEEKDAYS[day.weekday()]}, {day.day} {_MONTHS[day.month - 1]}: "


def _sky(code: int | None, locale: str) -> str:
    if code is None:
        return ""
    en, zh = _SKIES.get(code, (f"weather code {code}", f"天气代码 {code}"))
    return zh if _is_chinese(locale) else en


def _join(facts: Sequence[str], locale: str) -> str:
    return ("，" if _is_chinese(locale) else ", ").join(fact for fact in facts if fact)


def _say(ctx: ToolContext, en: str, zh: str) -> str:
    return zh if _is_chinese(ctx.locale) else en


def _is_chinese(locale: str) -> bool:
    return locale.startswith("zh")
