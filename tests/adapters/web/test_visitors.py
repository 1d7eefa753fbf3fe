"""A visitor is a signed cookie and reads and writes only their own conversation."""

from typing import Any

import pytest

from tests.adapters.web import site
from tests.adapters.web.client import visiting


async def test_the_page_makes_a_visitor_once() -> None:
    async with site.running() as chat, visiting(chat) as client:
        first = client.visitor
        for path in ("/", "/config", "/messages"):
            assert "Set-Cookie" not in (await client.get(path)).headers
        assert client.visitor == first


async def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites() -> None:
    async with site.running() as chat, visiting(chat) as client:
        client.session.cookie_jar.clear()
        cookie = (await client.get("/")).headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Secure" not in cookie


@pytest.mark.parametrize("changes", [{"loopback": False}, {"public_url": "https://chat.example"}])
async def test_beyond_loopback_the_cookie_travels_encrypted_only(changes: dict[str, Any]) -> None:
    async with site.running(settings={"public": True}, **changes) as chat, visiting(chat) as client:
        client.session.cookie_jar.clear()
        assert "Secure" in (await client.get("/config")).headers["Set-Cookie"]


@pytest.mark.parametrize("signature", ["", "forged", "A" * 43, "é"])
async def test_a_forged_cookie_names_nobody(signature: str) -> None:
    async with site.running() as chat, visiting(chat) as client, visiting(chat) as other:
        await client.post("m1", "my secret")
        headers = {"Cookie": f"parley_web={client.visitor}.{signature}"}
        other.session.cookie_jar.clear()
        async with other.session.get(chat.api + "/messages", headers=headers) as answer:
            assert (await answer.json())["messages"] == []
            assert "Set-Cookie" in answer.headers


async def test_two_visitors_share_nothing() -> None:
    async with site.running() as chat, visiting(chat) as one, visiting(chat) as two:
        async with one.reading() as reader, two.reading() as other:
            await one.post("same-id", "for me alone")
            await two.post("same-id", "and for me")
            mine, theirs = await reader.until("ended"), await other.until("ended")
        assert "and for me" not in str(mine)
        assert "for me alone" not in str(theirs)
        assert "for me alone" not in str(await two.history())
        assert len(chat.engine.inbounds) == 2


async def test_a_visitor_is_known_again_after_a_restart() -> None:
    async with site.running() as chat, visiting(chat) as client:
        before = client.visitor
        async with site.running() as again:
            client.site = again
            assert "Set-Cookie" not in (await client.get("/")).headers
        assert client.visitor == before


async def test_the_page_learns_when_the_browser_keeps_no_cookie() -> None:
    async with site.running() as chat, visiting(chat) as client:
        assert (await (await _get(client, "/config")).json())["known"]
        client.session.cookie_jar.clear()
        assert not (await (await _get(client, "/config")).json())["known"]


async def _get(client: Any, path: str) -> Any:
    return await client.get(path)
