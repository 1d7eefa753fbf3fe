"""The weather, from a service that this test plays."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from bot import Tool, ToolFailed, ToolRetry
from bot.configfile import Value
from bot.engine.plugins import load
from tests.tool_context import tool_context

FORECAST = {
    "current": {
        "time": "2026-01-05T10:00",
        "temperature_2m": 7.6,
        "apparent_temperature": 4.4,
        "relative_humidity_2m": 81,
        "wind_speed_10m": 13.7,
        "weather_code": 61,
    },
    "daily": {
        "time": ["2026-01-05", "2026-01-06", "2026-01-07"],
        "weather_code": [61, 3, None],
        "temperature_2m_max": [9.4, 6.0, None],
        "temperature_2m_min": [4.6, 1.2, None],
        "precipitation_probability_max": [70, 10, None],
    },
}
TOWNS = {
    "results": [
        {"name": "Portland", "latitude": 43.66, "longitude": -70.26, "admin1": "Maine"},
        {
            "name": "Portland",
            "latitude": 45.52,
            "longitude": -122.68,
            "admin1": "Oregon",
            "country": "United States",
        },
    ]
}
PARIS = {"name": "Paris", "latitude": 48.85341, "longitude": 2.3488, "country": "France"}

OVER = web.AppKey("over", asyncio.Event)
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Service:
    """Both halves of the service, with what was asked and what is answered."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.towns: Any = {"results": [PARIS]}
        self.forecast: Any = FORECAST
        self.instead: Answer | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path, dict(request.query)))
        if self.instead is not None:
            return await self.instead(request)
        return web.json_response(self.towns if request.path.endswith("search") else self.forecast)


@pytest.fixture
async def service() -> AsyncIterator[tuple[Service, str]]:
    played = Service()
    app = web.Application()
    app[OVER] = asyncio.Event()
    app.router.add_get("/{any:.*}", played.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield played, f"http://{host}:{port}"
    app[OVER].set()
    await runner.cleanup()


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


def weather_tool(url: str, **settings: Value) -> Tool:
    entry: dict[str, Value] = {
        "use": "plugins.weather",
        "base_url": f"{url}/forecasts/",
        "geocoding_url": f"{url}/places",
        **settings,
    }
    (tool,) = load(entry, Path())
    return tool


async def ask(
    tool: Tool, http: ClientSession, place: str = "Paris", locale: str = "en", **more: int
) -> str:
    ctx = tool_context(locale=locale, http=lambda: http)
    return await tool.call(ctx, json.dumps({"place": place, **more}))


async def test_now_and_the_next_days_are_told(
    service: tuple[Service, str], http: ClientSession
) -> None:
    played, url = service
    assert await ask(weather_tool(url), http, days=3) == (
        "Paris, France, now: light rain, 8 °C, feels like 4 °C, humidity 81%, wind 14 km/h\n"
        "- Today, Monday, 5 January: light rain, 5–9 °C, 70% rain\n"
        "- Tomorrow, Tuesday, 6 January: overcast, 1–6 °C, 10% rain\n"
        "- Wednesday, 7 January: "
    )
    (places, asked_place), (forecasts, asked_forecast) = played.asked
    assert (places, forecasts) == ("/places/search", "/forecasts/forecast")
    assert asked_place == {"name": "Paris", "count": "1", "language": "en", "format": "json"}
    assert asked_forecast["latitude"] == "48.8534"
    assert asked_forecast["timezone"] == "auto"
    assert asked_forecast["forecast_days"] == "3"


async def test_a_chinese_question_gets_a_chinese_answer(
    service: tuple[Service, str], http: ClientSession
) -> None:
    played, url = service
    said = await ask(weather_tool(url), http, "巴黎", "zh-CN")
    assert said.startswith("France Paris现在：小雨，8 °C，体感 4 °C，湿度 81%，风速 14 km/h\n")
    assert "- 今天1月5日星期一：小雨，5–9 °C，降水概率 70%" in said
    assert played.asked[0][1]["language"] == "zh"


async def test_a_region_behind_a_comma_chooses_between_namesakes(
    service: tuple[Service, str], http: ClientSession
) -> None:
    played, url = service
    played.towns = TOWNS
    said = await ask(weather_tool(url), http, "Portland, Oregon")
    assert said.startswith("Portland, Oregon, United States, now: ")
    assert played.asked[0][1]["name"] == "Portland"
    assert played.asked[1][1]["latitude"] == "45.5200"


async def test_units_and_key_follow_the_settings(
    service: tuple[Service, str], http: ClientSession
) -> None:
    played, url = service
    said = await ask(weather_tool(url, units="imperial", api_key="k-123"), http)
    assert "8 °F" in said
    assert "14 mph" in said
    assert played.asked[1][1]["temperature_unit"] == "fahrenheit"
    assert [asked["apikey"] for _, asked in played.asked] == ["k-123", "k-123"]


async def test_an_unknown_place_is_told_to_the_model(
    service: tuple[Service, str], http: ClientSession
) -> None:
    played, url = service
    played.towns = {"generationtime_ms": 0.5}
    with pytest.raises(ToolRetry, match="there is no place called 'Gondolin'"):
        await ask(weather_tool(url), http, "Gondolin")
    with pytest.raises(ToolRetry, match="找不到'刚多林'这个地方"):
        await ask(weather_tool(url), http, "刚多林", "zh")


async def _busy(_: web.Request) -> web.StreamResponse:
    return web.json_response({"error": True, "reason": "secret detail"}, status=429)


async def _broken(_: web.Request) -> web.StreamResponse:
    return web.Response(status=500, text="<html>secret detail</html>")


async def _elsewhere(_: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("http://127.0.0.1:9/inside")


async def _page(_: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>secret detail</html>", content_type="text/html")


async def _huge(_: web.Request) -> web.StreamResponse:
    return web.Response(body=b'"' + b"x" * 1_100_000 + b'"')


async def _cut(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _silent(request: web.Request) -> web.StreamResponse:
    await request.app[OVER].wait()
    return web.Response()


@pytest.mark.parametrize(
    ("instead", "told"),
    [
        (_busy, "The weather service has had too many questions."),
        (_broken, "The weather service refused the question (500)."),
        (_elsewhere, "The weather service refused the question (302)."),
        (_page, "The weather service answered something else."),
        (_huge, "The weather service answered far too much."),
        (_cut, "The weather service cannot be reached."),
        (_silent, "The weather service gave no answer in time."),
    ],
)
async def test_every_trouble_ends_in_a_sentence(
    service: tuple[Service, str], http: ClientSession, instead: Answer, told: str
) -> None:
    played, url = service
    played.instead = instead
    with pytest.raises(ToolFailed) as caught:
        await ask(weather_tool(url, timeout="300ms"), http)
    assert str(caught.value) == told


async def test_nobody_there_ends_in_a_sentence(http: ClientSession) -> None:
    with pytest.raises(ToolFailed, match="天气服务暂时连不上。"):
        await ask(weather_tool("http://127.0.0.1:9"), http, locale="zh")


async def test_a_place_cannot_bend_the_address(
    service: tuple[Service, str], http: ClientSession
) -> None:
    played, url = service
    await ask(weather_tool(url), http, "../x?apikey=1&name=#")
    path, asked = played.asked[0]
    assert path == "/places/search"
    assert asked["name"] == "../x?apikey=1&name=#"
    assert "apikey" not in asked


def test_without_settings_the_public_service_is_asked() -> None:
    (tool,) = load({"use": "plugins.weather"}, Path())
    assert tool.name == "weather"
    assert tool.timeout == 17.0
    shown = tool.spec.parameters["properties"]["place"]["examples"]
    assert all(any(place in example for place in shown) for example in tool.spec.examples)
