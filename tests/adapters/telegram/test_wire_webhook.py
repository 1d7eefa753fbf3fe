"""The webhook over a real server: who may call, what is answered, and when."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
import pytest

from adapters.telegram import Settings, build
from adapters.telegram.updates import ALLOWED
from bot import ConfigError
from tests.adapters.telegram.line import Line, Rows, context, line, webhook
from tests.fakes import FakeClock, RecordingObserver, until
from tests.peers.faults import cut
from tests.peers.telegram_delivery import SECRET_HEADER, Webhook
from tests.peers.telegram_faults import failure
from tests.peers.telegram_updates import GROUP

UPDATE = (
    b'{"update_id": 7, "message": {"message_id": 1, "date": 1790000000, "text": "hello",'
    b' "chat": {"id": 9, "type": "private"}, "from": {"id": 9, "first_name": "Ann"}}}'
)


async def call(
    made: Line,
    body: bytes | AsyncIterator[bytes] = UPDATE,
    *,
    method: str = "POST",
    secret: str | None = None,
) -> aiohttp.ClientResponse:
    """One call, with the right secret unless another is given."""
    right = made.peer.courier.webhook.secret or ""
    given = {SECRET_HEADER: right if secret is None else secret}
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, made.url, data=body, headers=given) as answer,
    ):
        await answer.read()
        return answer


async def test_it_is_registered_with_its_secret_and_its_kinds() -> None:
    async with webhook() as made:
        body = made.peer.calls("setWebhook")[0].body
        assert body["url"] == made.url
        assert body["allowed_updates"] == list(ALLOWED)
        assert body.get("drop_pending_updates") is not True
        assert 1 <= len(body["secret_token"]) <= 256
        assert (await made.adapter.probe()).ok


async def test_the_secret_is_the_configured_one_or_made_alike_by_every_node() -> None:
    async with webhook(webhook_secret="our-own_secret") as made:
        assert made.peer.courier.webhook.secret == "our-own_secret"
    async with webhook() as one, webhook() as two:
        assert one.peer.courier.webhook.secret == two.peer.courier.webhook.secret


async def test_an_update_is_answered_once_it_is_stored() -> None:
    async with webhook() as made:
        assert await made.peer.deliver(made.peer.updates.text("hello")) == 200
        assert made.desk.texts == ["hello"]


async def test_a_mention_in_a_group_arrives() -> None:
    async with webhook() as made:
        assert await made.peer.deliver(made.peer.updates.mention("and you?")) == 200
        assert made.desk.texts == ["👋 and you?"]


async def test_five_identical_deliveries_are_one_message() -> None:
    async with webhook() as made:
        assert await made.peer.twins(made.peer.updates.text("once"), copies=5) == [200] * 5
        assert made.desk.texts == ["once"]


async def test_while_it_cannot_be_stored_the_platform_keeps_it() -> None:
    async with webhook() as made:
        made.desk.shut = 1
        answer = await call(made)
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert (await call(made)).status == 200
        assert made.desk.texts == ["hello"]


@pytest.mark.parametrize("header", ["", "wrong", "ü"])
async def test_a_wrong_secret_is_turned_away(header: str) -> None:
    async with webhook() as made:
        assert (await call(made, secret=header)).status == 401
        assert made.desk.attempts == 0
        assert made.facts("rejected", "why") == ["secret"]


async def test_without_the_header_it_is_turned_away() -> None:
    async with webhook() as made:
        stranger = Webhook(made.url)
        assert await made.peer.post(made.peer.updates.text("hello"), stranger) == 401
        assert made.desk.attempts == 0


async def test_only_posts_are_taken() -> None:
    async with webhook() as made:
        answer = await call(made, method="GET")
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def test_what_is_too_large_is_refused_by_its_length_or_while_it_is_read() -> None:
    async with webhook(max_size=2000) as made:
        large = UPDATE + b" " * 2000
        assert (await call(made, large)).status == 413

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(40):
                yield b" " * 100

        assert (await call(made, chunks())).status == 413
        assert made.facts("rejected", "why") == ["size", "size"]
        assert (await call(made)).status == 200


async def test_what_is_no_json_is_refused_and_what_is_unknown_is_acknowledged() -> None:
    async with webhook() as made:
        assert (await call(made, b"<html>")).status == 400
        assert (await call(made, b'{"update_id": 1, ')).status == 400
        for known in (b"[]", b'{"ok": true}', b'{"update_id": 1, "telepathy": {}}'):
            assert (await call(made, known)).status == 200
        assert await made.peer.post(made.peer.updates.undecodable()) == 200
        assert made.facts("rejected", "why") == ["unreadable"] * 2
        assert made.facts("discarded", "why") == ["malformed", "malformed", "unknown", "malformed"]
        assert made.desk.attempts == 0


async def test_while_our_own_name_is_unknown_a_mention_is_asked_for_again() -> None:
    async with line(mode="webhook", public_url="http://127.0.0.1:9") as made:
        reception = made.adapter._reception
        update = made.peer.updates.mention("well?")
        made.peer.note(update)
        answers: list[int] = []

        async def deliver() -> None:
            body = msgspec.json.encode(update)
            secret = await made.adapter._secret()  # type: ignore[union-attr]  # a webhook adapter
            scope = {
                "type": "http",
                "method": "POST",
                "headers": [(SECRET_HEADER.lower().encode(), secret)],
            }

            async def incoming() -> dict[str, Any]:
                return {"type": "http.request", "body": body, "more_body": False}

            async def outgoing(message: Any) -> None:
                if message["type"] == "http.response.start":
                    answers.append(message["status"])

            await made.adapter.asgi(made.desk)(scope, incoming, outgoing)  # type: ignore[union-attr]

        await deliver()
        await made.adapter.open()
        await until(lambda: reception.me.username)
        await deliver()
        assert answers == [503, 200]
        assert made.desk.texts == ["👋 well?"]


async def test_registering_is_tried_until_the_platform_is_there() -> None:
    async with line(mode="webhook", public_url="http://127.0.0.1:9") as made:
        made.peer.faults.plan(cut(), method="setWebhook", times=2)
        await made.adapter.open()
        await made.peer.wait_for(lambda: made.peer.courier.webhook.url)
        await until(lambda: made.facts("listening", "alive") == [False, False, True])


async def test_a_probe_says_what_keeps_updates_away() -> None:
    async with webhook() as made:
        made.peer.courier.last_error = "Connection refused"
        made.peer.waiting.updates.append(made.peer.updates.text("x", chat=GROUP))
        stuck = await made.adapter.probe()
        assert not stuck.ok
        assert "Connection refused" in stuck.detail
        made.peer.courier.webhook = Webhook("http://127.0.0.1:9/elsewhere")
        assert "another address" in (await made.adapter.probe()).detail
        made.peer.faults.plan(failure(502), method="getMe")
        assert "cannot be reached" in (await made.adapter.probe()).detail


async def test_without_a_public_address_a_webhook_is_a_mistake_with_the_line_to_write() -> None:
    settings = Settings.model_validate(
        {"use": "adapters.telegram", "token": "1:abcdef", "mode": "webhook"}
    )
    async with aiohttp.ClientSession() as http:
        given = context(http, FakeClock(), Rows(), RecordingObserver())
        with pytest.raises(ConfigError, match=r"server: \{public_url: https://bot\.example\.com\}"):
            build(settings, given)


async def test_a_caller_who_hangs_up_is_forgotten() -> None:
    async with webhook() as made:
        _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(made.url).port)
        secret = made.peer.courier.webhook.secret
        head = f"POST /in/telegram HTTP/1.1\r\nHost: x\r\n{SECRET_HEADER}: {secret}\r\n"
        writer.write(f"{head}Content-Length: 500\r\n\r\nhalf".encode())
        await writer.drain()
        writer.close()
        assert (await call(made)).status == 200
        assert made.desk.texts == ["hello"]
