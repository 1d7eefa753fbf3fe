"""Without `public: true` the page is for its own machine, whatever a proxy leads to it."""

import pytest

from tests.adapters.web import site
from tests.adapters.web.client import visiting

PUBLIC_URL = "https://chat.example"
PROXIED = [
    {"Host": "chat.example"},
    {"Host": "127.0.0.1", "X-Forwarded-For": "203.0.113.7"},
    {"Host": "chat.example", "X-Forwarded-Proto": "https", "X-Real-IP": "203.0.113.7"},
    {"Forwarded": "for=203.0.113.7"},
]
READ = ("/", "", "/config", "/messages", "/static/app.js", "/nothing", "/events")
WORDS = '{"id": "a", "text": "x"}'


@pytest.mark.parametrize("headers", PROXIED)
async def test_who_comes_through_a_proxy_reads_and_writes_nothing(headers: dict[str, str]) -> None:
    async with site.running(public_url=PUBLIC_URL) as chat, visiting(chat) as client:
        for path in READ:
            answer = await client.get(path, **headers)
            assert answer.status == 403, path
            assert "Set-Cookie" not in answer.headers
        for path in ("/messages", "/stop"):
            given = {"Origin": PUBLIC_URL, "Sec-Fetch-Site": "same-origin", **headers}
            assert (await client.send(path, WORDS, given))[0] == 403
        async with client.session.get(chat.url + "/", headers=headers) as answer:
            assert answer.status == 403
        assert not chat.engine.inbounds
        turned_away = chat.observer.named("rejected")
        assert len(turned_away) == len(READ) + 3
        assert {why["why"] for why in turned_away} == {"not_public"}


@pytest.mark.parametrize(
    ("language", "says"),
    [("zh-CN,zh;q=0.9", "此聊天页面"), ("fr", "This chat"), ("en", "This chat")],
)
async def test_they_read_why_and_what_would_let_them_in(language: str, says: str) -> None:
    async with site.running(public_url=PUBLIC_URL) as chat, visiting(chat) as client:
        headers = {"Host": "chat.example", "Accept-Language": language}
        answer = await client.get("/", **headers)
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
        text = await answer.text()
        assert text.startswith(says)
        assert "`adapters.web.public: true`" in text


async def test_the_machine_s_own_page_works_beside_it() -> None:
    async with site.running(public_url=PUBLIC_URL) as chat, visiting(chat) as client:
        assert (await client.get("/")).status == 200
        assert await client.post("m1", "hello") == 202
        local = f"http://localhost:{chat.port}"
        given = {"Origin": local, "Host": f"localhost:{chat.port}"}
        assert (await client.send("/messages", WORDS, given))[0] == 202


async def test_a_page_that_a_bare_proxy_shows_to_strangers_cannot_write() -> None:
    # nginx's `proxy_pass` alone names nobody: its Host is ours, and only Origin tells.
    async with site.running(public_url=PUBLIC_URL) as chat, visiting(chat) as client:
        given = {"Origin": PUBLIC_URL, "Sec-Fetch-Site": "same-origin"}
        assert (await client.send("/messages", WORDS, given))[0] == 403
        assert not chat.engine.inbounds


@pytest.mark.parametrize("headers", PROXIED)
async def test_a_public_page_lets_them_in(headers: dict[str, str]) -> None:
    settings = {"public": True}
    async with (
        site.running(public_url=PUBLIC_URL, settings=settings) as chat,
        visiting(chat) as client,
    ):
        assert (await client.get("/", **headers)).status == 200
        given = {"Origin": PUBLIC_URL, **headers}
        assert (await client.send("/messages", WORDS, given))[0] == 202
