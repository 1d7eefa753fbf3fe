"""Saying something: stored first, acknowledged then, once for each id, from our own page only."""

import aiohttp
import pytest

from bot import Kind
from tests.adapters.web import site
from tests.adapters.web.client import Client, visiting


async def test_a_message_is_stored_before_it_is_acknowledged() -> None:
    async with site.running() as chat, visiting(chat) as client:
        assert await client.post("a-1", "  good morning ") == 202
        inbound = chat.engine.inbounds[0]
        assert inbound.text == "good morning"
        assert inbound.event_key == inbound.message.platform_id == "a-1"
        assert inbound.address == chat.address(client.visitor)
        assert inbound.sender.id == client.visitor
        assert inbound.direct


async def test_a_pressed_button_names_the_answer_that_it_stands_under() -> None:
    async with site.running() as chat, visiting(chat) as client:
        assert await client.post("a", "Yes", under="7/0") == 202
        assert await client.post("b", "Yes") == 202
        assert await client.post("c", "Yes", under="somewhere else") == 400
        told = [(inbound.kind, inbound.reply_to) for inbound in chat.engine.inbounds]
        assert told == [(Kind.BUTTON, "7/0"), (Kind.MESSAGE, None)]


async def test_a_message_that_cannot_be_stored_is_not_acknowledged() -> None:
    async with site.running() as chat, visiting(chat) as client:
        chat.engine.refusing = True
        status, answer = await client.send("/messages", '{"id": "a", "text": "hello"}')
        assert status == 503
        assert int(answer.headers["Retry-After"]) > 0
        chat.engine.refusing = False
        assert await client.post("a", "hello") == 202
        assert [inbound.text for inbound in chat.engine.inbounds] == ["hello"]


async def test_the_same_id_is_accepted_once_and_acknowledged_every_time() -> None:
    async with site.running() as chat, visiting(chat) as client:
        async with client.reading() as reader:
            assert [await client.post("same", "once") for _ in range(3)] == [202, 202, 202]
            events = await reader.until("ended")
        assert len(chat.engine.inbounds) == 1
        assert [event.name for event in events].count("accepted") == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("no json", 400),
        ('{"id": ' + "[" * 1_900, 400),
        ('{"text": "no id"}', 400),
        ('{"id": "spaces are no id", "text": "x"}', 400),
        ('{"id": 7, "text": "x"}', 400),
        ('{"id": "a", "text": " \\n "}', 400),
        ('{"id": "a", "text": "\\ud800"}', 400),
        (b'{"id": "a", "text": "\xff"}', 400),
        ('{"id": "a", "text": "' + "x" * 101 + '"}', 413),
        ('{"id": "a", "text": "' + "x" * 3000 + '"}', 413),
    ],
)
async def test_what_is_not_a_message_is_refused_and_stored_nowhere(
    body: str | bytes, status: int
) -> None:
    settings = {"max_length": 100}
    async with site.running(settings=settings, max_size=2000) as chat, visiting(chat) as client:
        assert (await client.send("/messages", body))[0] == status
        assert not chat.engine.inbounds
        assert len(chat.observer.named("rejected")) == 1


async def test_a_body_that_does_not_say_its_length_is_cut_off_all_the_same() -> None:
    async with site.running(max_size=2000) as chat, visiting(chat) as client:

        async def endless() -> object:
            for _ in range(100):
                yield b"x" * 100

        async with client.session.post(
            chat.api + "/messages", data=endless(), headers={"Content-Type": "application/json"}
        ) as answer:
            assert answer.status == 413


async def test_only_json_is_read() -> None:
    async with site.running() as chat, visiting(chat) as client:
        form = {"Content-Type": "text/plain"}
        assert (await client.send("/messages", '{"id": "a", "text": "x"}', form))[0] == 415
        assert not chat.engine.inbounds


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 202),
        ({"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"}, 202),
        ({"Origin": "https://chat.example"}, 202),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Host": "["}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        # A stranger's name that points at this machine
        ({"Origin": "http://rebound.example", "Host": "rebound.example"}, 403),
        ({"Origin": "https://chat.example", "Host": "chat.example"}, 202),
    ],
)
async def test_only_our_own_page_may_write(headers: dict[str, str], status: int) -> None:
    settings, public_url = {"public": True}, "https://chat.example"
    async with (
        site.running(settings=settings, public_url=public_url) as chat,
        visiting(chat) as client,
    ):
        filled = {name: value.format(port=chat.port) for name, value in headers.items()}
        for path in ("/messages", "/stop"):
            got, _ = await client.send(path, '{"id": "a", "text": "x"}', filled)
            assert got == status


async def test_a_message_that_begins_with_a_slash_is_a_command() -> None:
    async with site.running() as chat, visiting(chat) as client:
        for n, text in enumerate(("/new", "/ 2 is a half", "1/2")):
            await client.post(f"m{n}", text)
        kinds = [inbound.kind for inbound in chat.engine.inbounds]
        assert kinds == [Kind.COMMAND, Kind.MESSAGE, Kind.MESSAGE]


async def test_the_stop_button_is_the_stop_command_and_is_not_shown_as_something_said() -> None:
    async with site.running() as chat, visiting(chat) as client:
        assert await client.post("s1", "", "/stop") == 202
        assert await client.post("s1", "", "/stop") == 202
        (inbound,) = chat.engine.inbounds
        assert (inbound.kind, inbound.text) == (Kind.COMMAND, "/stop")
        assert (await client.history())["messages"] == []


@pytest.mark.parametrize(
    ("chosen", "accepted", "locale"),
    [
        ("zh", "en-GB", "zh"),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, "fr-FR,en-US;q=0.8", "en"),
        (None, "fr-FR", None),
        ("fr", "", None),
    ],
)
async def test_the_language_is_the_page_s_then_the_browser_s(
    chosen: str | None, accepted: str, locale: str | None
) -> None:
    body = '{"id": "a", "text": "x"' + (f', "lang": "{chosen}"' if chosen else "") + "}"
    async with site.running() as chat, visiting(chat) as client:
        await client.send("/messages", body, {"Accept-Language": accepted})
        assert chat.engine.inbounds[0].sender.locale == locale


async def test_a_visitor_who_sends_too_much_at_once_is_told_to_wait() -> None:
    async with site.running(settings={"rate": 2}) as chat, visiting(chat) as client:
        assert [await client.post(f"m{n}", "x") for n in range(2)] == [202, 202]
        status, answer = await client.send("/messages", '{"id": "m3", "text": "x"}')
        assert status == 429
        assert 0 < int(answer.headers["Retry-After"]) <= 30
        async with visiting(chat) as other:
            assert await other.post("m1", "x") == 202


async def test_all_who_show_no_cookie_share_what_one_visitor_may_send() -> None:
    async with site.running(settings={"rate": 2}) as chat, visiting(chat) as client:
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            nobody = Client(chat, session)
            sent = [await nobody.post(f"m{n}", "x") for n in range(4)]
        assert sent == [202, 202, 429, 429]
        assert len({inbound.sender.id for inbound in chat.engine.inbounds}) == 2
        assert await client.post("m1", "x") == 202


@pytest.mark.parametrize(
    ("path", "text"),
    [("/stop", ""), ("/messages", "/stop"), ("/messages", " /STOP now"), ("/messages", "停止")],
)
async def test_who_has_sent_too_much_can_still_stop_the_answer(path: str, text: str) -> None:
    async with site.running(settings={"rate": 1}) as chat, visiting(chat) as client:
        assert await client.post("m1", "x") == 202
        assert await client.post("m2", "x") == 429
        assert await client.post("s1", text, path) == 202
        assert await client.post("m3", "/stopping") == 429
        assert len(chat.engine.inbounds) == 2


async def test_stops_have_an_end_too_and_cost_no_messages() -> None:
    async with site.running(settings={"rate": 1}) as chat, visiting(chat) as client:
        stops = [await client.post(f"s{n}", "", "/stop") for n in range(20)]
        assert stops[:10] == [202] * 10
        assert stops[-1] == 429
        assert await client.post("m1", "x") == 202


async def test_a_wrong_method_is_told_which_one_is_right() -> None:
    async with site.running() as chat, visiting(chat) as client:
        async with client.session.put(chat.api + "/messages") as answer:
            assert answer.status == 405
            assert answer.headers["Allow"] == "POST, GET"
        assert (await client.get("/nothing")).status == 404
