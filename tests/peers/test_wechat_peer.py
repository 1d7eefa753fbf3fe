"""The WeChat stand-in behaves like the platform towards wechatpy's own client and crypto."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from wechatpy import WeChatClient, parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.exceptions import (
    APILimitedException,
    InvalidSignatureException,
    WeChatClientException,
)
from wechatpy.replies import ImageReply, create_reply
from wechatpy.utils import check_signature

from tests.peers.log import Log
from tests.peers.server import Peer
from tests.peers.wechat import (
    AES_KEY,
    ANN,
    APP_ID,
    BEN,
    ORIGINAL_ID,
    SECRET,
    TOKEN,
    WeChatPeer,
)
from tests.peers.wechat_courier import with_console
from tests.peers.wechat_rules import Refusal, errcode

Answering = Callable[[Any], Awaitable[Any]]
HUNDRED_YUAN = "一百元整。"


class Clock:
    """The peer's time, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1_790_000_000.0

    def micros(self) -> int:
        return int(self.seconds * 1_000_000)


class OnLoopback(WeChatClient):  # type: ignore[misc]  # wechatpy has no types
    """The library's client; only its hard-coded token address is another."""

    def __init__(self, peer: WeChatPeer, **values: Any) -> None:
        self.API_BASE_URL = f"{peer.url}/cgi-bin/"
        super().__init__(APP_ID, SECRET, timeout=5, auto_retry=False, **values)

    def fetch_access_token(self) -> Any:
        """As the library does it, from another host."""
        wanted = {"grant_type": "client_credential", "appid": self.appid, "secret": self.secret}
        return self._fetch_access_token(f"{self.API_BASE_URL}token", wanted)

    def stable(self, **changes: Any) -> Any:
        """The endpoint that the library does not know."""
        wanted = {"grant_type": "client_credential", "appid": APP_ID, "secret": SECRET, **changes}
        return self.post("stable_token", data=wanted, params={"access_token": ""})


class LibraryServer(Peer):
    """A server as the library's guide writes it."""

    name = "wechatpy"

    def __init__(self, answering: Answering) -> None:
        super().__init__()
        self.messages: list[Any] = []
        self.queries: list[dict[str, str]] = []
        self._answering = answering
        self._crypto = WeChatCrypto(TOKEN, AES_KEY, APP_ID)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        query = dict(request.query)
        self.queries.append(query)
        try:
            check_signature(TOKEN, query["signature"], query["timestamp"], query["nonce"])
            if request.method == "GET":
                return web.Response(text=query["echostr"])
            body = await request.read()
            if query.get("encrypt_type") == "aes":
                body = self._crypto.decrypt_message(
                    body, query["msg_signature"], query["timestamp"], query["nonce"]
                )
        except InvalidSignatureException:
            return web.Response(status=403)
        message = parse_message(body)
        self.messages.append(message)
        said = await self._answering(message)
        if not isinstance(said, str):
            said = said.render()
        elif said not in ("", "success"):
            said = create_reply(said, message, render=True)
        if said not in ("", "success") and query.get("encrypt_type") == "aes":
            said = self._crypto.encrypt_message(said, query["nonce"], query["timestamp"])
        return web.Response(text=said)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def peer(clock: Clock) -> AsyncIterator[WeChatPeer]:
    async with WeChatPeer(log=Log(now=clock.micros), patience=5) as peer:
        yield peer


@asynccontextmanager
async def answered_by(peer: WeChatPeer, answering: Answering) -> AsyncIterator[LibraryServer]:
    async with LibraryServer(answering) as server:
        peer.aim(f"{server.url}/")
        yield server


async def echo(message: Any) -> str:
    return f"{message.type}: {message.content}"


async def code_of(call: Callable[[], Any]) -> int:
    with pytest.raises(WeChatClientException) as refused:
        await asyncio.to_thread(call)
    return int(refused.value.errcode)


# ---- callbacks -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["safe", "plaintext", "both"])
async def test_the_librarys_server_reads_and_answers_in_every_mode(mode: str) -> None:
    async with WeChatPeer(mode=mode) as peer, answered_by(peer, echo) as server:
        done = await peer.say(ANN, "你好 <b> & 再见")
        assert done.said == "text: 你好 <b> & 再见"
        assert peer.texts(ANN) == [done.said]
        (message,) = server.messages
        assert (message.source, message.target) == (ANN, ORIGINAL_ID)
        assert message.id > 0


async def test_saving_the_url_sends_an_echo_that_the_library_verifies(peer: WeChatPeer) -> None:
    async with answered_by(peer, echo) as server:
        status, body = await peer.courier.verify(f"{server.url}/")
        assert status == 200
        assert body.decode() == server.queries[-1]["echostr"]
        assert peer.log.of("verified")[-1].fields["ok"] is True
        peer.courier.console = with_console(peer.courier.console, token="another")
        assert (await peer.courier.verify(f"{server.url}/"))[0] == 403


async def test_events_carry_no_message_id_and_expect_nothing(peer: WeChatPeer) -> None:
    async def welcome(message: Any) -> str:
        return "welcome" if message.event == "subscribe_scan" else "success"

    async with answered_by(peer, welcome) as server:
        assert (await peer.touch(ANN, "subscribe", "qrscene_7")).said == "welcome"
        assert (await peer.touch(ANN, "CLICK", "MENU_1")).said is None
        assert [message.id for message in server.messages] == [0, 0]
        assert server.messages[0].scene_id == "7"


@pytest.mark.slow
async def test_who_does_not_answer_in_time_is_asked_three_times_then_the_person_is_told() -> None:
    never = asyncio.Event()

    async def silent(message: Any) -> str:
        await never.wait()
        return ""

    async with WeChatPeer(patience=0.5) as peer, answered_by(peer, silent) as server:
        done = await peer.say(ANN, "hello?")
        assert done.statuses == [0, 0, 0]
        assert done.failed
        assert peer.out_of_order(ANN) == 1
        assert len({message.id for message in server.messages}) == 1
        assert len({query["nonce"] for query in server.queries}) == 3
        peer.courier.fresh = False
        await peer.say(ANN, "hello again?")
        assert len({query["nonce"] for query in server.queries[3:]}) == 1


@pytest.mark.slow
async def test_an_answer_to_a_later_try_is_shown_and_one_to_a_closed_call_is_not() -> None:
    tries = 0

    async def third(message: Any) -> str:
        nonlocal tries
        tries += 1
        if tries < 3:
            await asyncio.Event().wait()
        return "at last"

    async with WeChatPeer(patience=0.5) as peer, answered_by(peer, third):
        done = await peer.say(ANN, "hello?")
        assert (done.statuses, done.said) == ([0, 0, 200], "at last")


@pytest.mark.parametrize("said", ["", "success"])
async def test_an_acknowledgement_shows_nothing(peer: WeChatPeer, said: str) -> None:
    async def acknowledge(message: Any) -> str:
        return said

    async with answered_by(peer, acknowledge):
        done = await peer.say(ANN, "hello")
        assert (done.said, done.failed, len(done.attempts)) == (None, False, 1)
        assert peer.screen(ANN) == []


async def test_a_reply_that_is_none_shows_that_the_service_is_out_of_order(
    peer: WeChatPeer,
) -> None:
    answers = iter(["字" * 683, "<xml>", "]]></Content><MsgType>x</MsgType><Content><![CDATA["])

    async def wrong(message: Any) -> Any:
        said = next(answers)
        return said if said != "<xml>" else type("Broken", (), {"render": lambda self: "<xml>"})()

    async with answered_by(peer, wrong):
        for _ in range(3):
            assert (await peer.say(ANN, "hello")).failed
        assert peer.out_of_order(ANN) == 3


async def test_a_picture_can_be_the_reply(peer: WeChatPeer) -> None:
    async def picture(message: Any) -> Any:
        return ImageReply(message=message, image="media-7")

    async with answered_by(peer, picture):
        assert (await peer.say(ANN, "a cat please")).media == "media-7"


# ---- tokens ----------------------------------------------------------------------------------


async def test_the_stable_token_repeats_itself_and_both_are_good_at_its_end(
    peer: WeChatPeer, clock: Clock
) -> None:
    client = OnLoopback(peer)
    first = await asyncio.to_thread(client.stable)
    assert first["expires_in"] == 7200
    clock.seconds += 6000
    assert (await asyncio.to_thread(client.stable))["access_token"] == first["access_token"]
    clock.seconds += 1000
    second = await asyncio.to_thread(client.stable)
    assert second["access_token"] != first["access_token"]
    peer.tokens.check(first["access_token"])
    clock.seconds += 300
    with pytest.raises(Refusal):
        peer.tokens.check(first["access_token"])


async def test_forcing_a_token_kills_the_last_and_may_not_be_done_often(
    peer: WeChatPeer, clock: Clock
) -> None:
    client = OnLoopback(peer)
    first = (await asyncio.to_thread(client.stable))["access_token"]
    assert (await asyncio.to_thread(lambda: client.stable(force_refresh=True)))["access_token"]
    with pytest.raises(Refusal):
        peer.tokens.check(first)
    assert await code_of(lambda: client.stable(force_refresh=True)) == 45011
    for _ in range(19):
        clock.seconds += 31
        await asyncio.to_thread(lambda: client.stable(force_refresh=True))
    clock.seconds += 31
    with pytest.raises(APILimitedException, match="45009"):
        await asyncio.to_thread(lambda: client.stable(force_refresh=True))


async def test_the_old_endpoint_kills_the_token_before(peer: WeChatPeer) -> None:
    client = OnLoopback(peer)
    assert await asyncio.to_thread(lambda: client.access_token)
    other = OnLoopback(peer)
    assert await asyncio.to_thread(lambda: other.access_token)
    assert await code_of(client.customservice.get_accounts) == 40001
    assert await asyncio.to_thread(other.customservice.get_accounts) == []


async def test_tokens_are_refused_by_their_own_numbers(peer: WeChatPeer, clock: Clock) -> None:
    client = OnLoopback(peer)
    assert await code_of(lambda: client.stable(appid="wxother")) == 40013
    assert await code_of(lambda: client.stable(secret="other")) == 40125
    assert await code_of(lambda: client.stable(grant_type="password")) == 40002
    assert await asyncio.to_thread(lambda: client.access_token)
    clock.seconds += 7200
    client.expires_at = None
    assert await code_of(client.customservice.get_accounts) == 42001
    peer.refused_ip = "203.0.113.9"
    with pytest.raises(WeChatClientException, match=r"203\.0\.113\.9"):
        await asyncio.to_thread(client.stable)


# ---- messages --------------------------------------------------------------------------------


async def test_five_messages_follow_one_of_the_persons_within_two_days(
    peer: WeChatPeer, clock: Clock
) -> None:
    client = OnLoopback(peer)
    peer.person(ANN)
    assert await code_of(lambda: client.message.send_text(ANN, "too soon")) == 45015
    peer.people.did(ANN, "message")
    for number in range(5):
        await asyncio.to_thread(client.message.send_text, ANN, f"{number} {HUNDRED_YUAN}")
    assert await code_of(lambda: client.message.send_text(ANN, "a sixth")) == 45047
    assert peer.texts(ANN) == [f"{number} {HUNDRED_YUAN}" for number in range(5)]
    peer.people.did(ANN, "message")
    clock.seconds += 48 * 3600
    later = OnLoopback(peer)
    assert await code_of(lambda: later.message.send_text(ANN, "too late")) == 45015


async def test_a_touch_allows_three_for_a_minute(peer: WeChatPeer, clock: Clock) -> None:
    client = OnLoopback(peer)
    peer.people.did(ANN, "touch")
    for _ in range(3):
        await asyncio.to_thread(client.message.send_text, ANN, "hello")
    assert await code_of(lambda: client.message.send_text(ANN, "hello")) == 45047
    clock.seconds += 61
    assert await code_of(lambda: client.message.send_text(ANN, "hello")) == 45015


async def test_messages_are_refused_by_their_own_numbers(peer: WeChatPeer) -> None:
    client = OnLoopback(peer)
    peer.people.did(ANN, "message")
    assert await code_of(lambda: client.message.send_text(BEN, "hello")) == 40003
    assert await code_of(lambda: client.message.send_text(ANN, " ")) == 44004
    assert await code_of(lambda: client.message.send_text(ANN, "字" * 683)) == 45002
    peer.person(ANN).follows = False
    assert await code_of(lambda: client.message.send_text(ANN, "hello")) == 43004
    peer.people.may_send = False
    assert await code_of(lambda: client.message.send_text(ANN, "hello")) == 48001
    assert await code_of(client.customservice.get_accounts) == 48001


async def test_typing_is_shown_soon_after_a_message_and_once(
    peer: WeChatPeer, clock: Clock
) -> None:
    client = OnLoopback(peer)

    def typing() -> Any:
        body = {"touser": ANN, "command": "Typing"}
        return client.post("message/custom/typing", data=body)

    peer.person(ANN)
    assert await code_of(typing) == 45080
    peer.people.did(ANN, "message")
    await asyncio.to_thread(typing)
    assert await code_of(typing) == 45081
    clock.seconds += 31
    assert await code_of(typing) == 45080


async def test_files_go_up_and_come_down(peer: WeChatPeer) -> None:
    client = OnLoopback(peer)
    kept = await asyncio.to_thread(client.media.upload, "image", io.BytesIO(b"a picture"))
    found = await asyncio.to_thread(client.media.download, kept["media_id"])
    assert found.status_code == 200
    assert len(found.content) >= len(b"a picture")
    assert await code_of(lambda: client.media.download("gone")) == 40007


async def test_a_planned_fault_is_used_up_by_the_call_that_it_fits(peer: WeChatPeer) -> None:
    client = OnLoopback(peer)
    peer.people.did(ANN, "message")
    peer.faults.plan(errcode(-1), method="message/custom/send")
    assert await code_of(lambda: client.message.send_text(ANN, "hello")) == -1
    await asyncio.to_thread(client.message.send_text, ANN, "hello")
    assert peer.refusals() == [-1]
