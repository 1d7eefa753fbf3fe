"""The page's files: light, cached, and trusted with nothing that is not ours."""

import re
from pathlib import Path

import pytest

import adapters.web
from adapters.web import Settings, build
from bot import Adapter, ConfigError, Drafts, Opens, Serves
from tests.adapters.web import site
from tests.adapters.web.client import visiting
from tests.adapters.web.engine import ScriptedEngine
from tests.adapters.web.wall_clock import WallClock
from tests.fakes import RecordingObserver

FOLDER = Path(adapters.web.__file__).parent / "page"
BUDGET = 40_000


async def test_the_page_is_the_same_at_the_root_and_under_its_mount() -> None:
    async with site.running() as chat, visiting(chat) as client:
        mounted = await (await client.get("/")).text()
        async with client.session.get(chat.url + "/") as answer:
            root = await answer.text()
        assert 'data-base="in/web/"' in root
        assert root.replace('data-base="in/web/"', 'data-base=""') == mounted


async def test_without_the_slash_a_browser_is_sent_to_the_page() -> None:
    async with (
        site.running() as chat,
        visiting(chat) as client,
        client.session.get(chat.api, allow_redirects=False) as answer,
    ):
        assert (answer.status, answer.headers["Location"]) == (308, "/in/web/")


async def test_nothing_may_run_that_is_not_a_file_of_ours() -> None:
    async with site.running() as chat, visiting(chat) as client:
        headers = (await client.get("/")).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        page = await (await client.get("/")).text()
        assert not re.search(r"<script(?![^>]* src=)|<style| style=| on\w+=", page)


async def test_files_are_kept_for_ever_and_the_page_is_asked_for_again() -> None:
    async with site.running() as chat, visiting(chat) as client:
        page = await client.get("/")
        again = await client.get("/", **{"If-None-Match": page.headers["ETag"]})
        assert again.status == 304
        assert "no-cache" in page.headers["Cache-Control"]
        files = re.findall(r"static/[^\"]+", await page.text())
        assert len(files) >= 4
        for path in files:
            file = await client.get("/" + path)
            assert file.status == 200
            assert "immutable" in file.headers["Cache-Control"]
        old = await client.get("/static/anolderone/app.js")
        assert (old.status, old.headers["Cache-Control"]) == (200, "private, no-cache")
        assert (await client.get("/static/" + chat.engine.__class__.__name__)).status == 404
        assert (await client.get("/static/../../__init__.py")).status == 404


async def test_the_whole_page_weighs_less_than_forty_kilobytes() -> None:
    async with site.running() as chat, visiting(chat) as client:
        sizes = {"index.html": len((await (await client.get("/")).text()).encode())}
        for path in FOLDER.iterdir():
            if path.name != "index.html":
                file = await client.get(f"/static/{path.name}")
                sizes[path.name] = len((await file.text()).encode())
        assert sum(sizes.values()) < BUDGET, sizes


def test_the_page_names_no_other_host_and_writes_no_markup() -> None:
    for path in FOLDER.iterdir():
        text = path.read_text()
        hosts = set(re.findall(r"https?://[\w.]+", text)) - {"http://www.w3.org"}
        assert not hosts, path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text)


async def test_the_title_of_the_settings_is_text_and_nothing_else() -> None:
    settings = {"title": '<b>"Acme" & sons'}
    async with site.running(settings=settings) as chat, visiting(chat) as client:
        page = await (await client.get("/")).text()
        assert "<b>" not in page
        assert "&lt;b&gt;&quot;Acme&quot; &amp; sons" in page


async def test_the_page_is_told_what_it_needs_to_know() -> None:
    settings = {"title": "Acme", "greeting": "Welcome!"}
    async with (
        site.running(settings=settings, model_configured=False, locale="zh") as chat,
        visiting(chat) as client,
    ):
        config = await (await client.get("/config")).json()
        assert config["title"] == "Acme"
        assert config["greeting"] == "Welcome!"
        assert config["locale"] == "zh"
        assert config["model_configured"] is False
        assert config["examples"]["zh"] == list(site.EXAMPLES["zh"])


def test_nobody_from_outside_is_let_in_by_accident() -> None:
    clock = WallClock()
    engine = ScriptedEngine(clock, site.echo)
    outside = site.context(engine, RecordingObserver(), clock, loopback=False)
    with pytest.raises(ConfigError, match=r"adapters\.web: .*`public: true`"):
        build(Settings(use="adapters.web"), outside)
    assert build(Settings(use="adapters.web", public=True), outside).name == "web"


def test_the_adapter_can_what_it_says() -> None:
    clock = WallClock()
    engine = ScriptedEngine(clock, site.echo)
    adapter = build(Settings(use="adapters.web"), site.context(engine, RecordingObserver(), clock))
    assert isinstance(adapter, Adapter)
    assert isinstance(adapter, Serves)
    assert isinstance(adapter, Drafts)
    assert isinstance(adapter, Opens)
    assert (adapter.platform, adapter.account) == ("web", "web")
