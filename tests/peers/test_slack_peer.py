"""The Slack stand-in behaves like Slack towards slack_sdk's own clients."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.signature import Clock, SignatureVerifier
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes import until
from tests.peers.faults import cut, garbage, hang, page
from tests.peers.log import Json, Log
from tests.peers.process import running
from tests.peers.slack import APP_TOKEN, BOT, SIGNING_SECRET, SlackPeer
from tests.peers.slack_delivery import Redelivery
from tests.peers.slack_events import ANN, DIRECT, GENERAL, OTHERS, RANDOM
from tests.peers.slack_faults import limited, refused
from tests.peers.slack_rules import MARKDOWN_LIMIT, UPDATE_LIMIT, Tiers


@pytest.fixture
async def peer() -> AsyncIterator[SlackPeer]:
    async with SlackPeer() as peer:
        yield peer


@pytest.fixture
async def web_client(peer: SlackPeer) -> AsyncIterator[AsyncWebClient]:
    async with aiohttp.ClientSession() as session:
        yield AsyncWebClient(
            peer.bot_token, base_url=peer.api_url, session=session, retry_handlers=[]
        )


async def error_of(call: Awaitable[Any]) -> str:
    with pytest.raises(SlackApiError) as refused:
        await call
    return str(refused.value.response["error"])


def markdown(text: str) -> list[Json]:
    return [{"type": "markdown", "text": text}]


# ---- the Web API -------------------------------------------------------------------------


async def test_it_says_who_the_token_is_and_what_it_may_do(web_client: AsyncWebClient) -> None:
    answer = await web_client.auth_test()
    assert (answer["user_id"], answer["team_id"]) == (BOT, "T0TEAM")
    assert "chat:write" in answer.headers["x-oauth-scopes"].split(",")
    assert answer.headers["Date"].endswith("GMT")


async def test_a_post_is_seen_and_an_edit_replaces_it(
    peer: SlackPeer, web_client: AsyncWebClient
) -> None:
    sent = await web_client.chat_postMessage(
        channel=GENERAL, text="plain", blocks=markdown("**bold**")
    )
    assert peer.texts(GENERAL) == ["**bold**"]
    assert peer.messages(GENERAL)[0].notice == "plain"
    await web_client.chat_update(channel=GENERAL, ts=sent["ts"], text="new", blocks=markdown("_n_"))
    assert peer.messages(GENERAL)[0].texts == ["**bold**", "_n_"]
    await web_client.chat_update(channel=GENERAL, ts=sent["ts"], text="the blocks stay")
    assert peer.texts(GENERAL) == ["_n_"]
    await web_client.chat_delete(channel=GENERAL, ts=sent["ts"])
    assert peer.texts(GENERAL) == []


async def test_a_thread_is_read_with_the_metadata_of_its_messages(
    peer: SlackPeer, web_client: AsyncWebClient
) -> None:
    root = peer.say("look", channel=GENERAL)["event"]["ts"]
    metadata = {"event_type": "kind", "event_payload": {"key": "1/0"}}
    sent = await web_client.chat_postMessage(
        channel=GENERAL, thread_ts=root, text="here", metadata=metadata
    )
    found = await web_client.conversations_replies(
        channel=GENERAL, ts=root, include_all_metadata=True
    )
    assert [message["ts"] for message in found["messages"]] == [root, sent["ts"]]
    assert found["messages"][1]["metadata"] == metadata
    bare = await web_client.conversations_replies(channel=GENERAL, ts=root)
    assert "metadata" not in bare["messages"][1]
    top = await web_client.conversations_history(channel=GENERAL)
    assert [message["ts"] for message in top["messages"]] == [root]
    later = await web_client.conversations_history(channel=GENERAL, oldest=root)
    assert later["messages"] == []


async def test_it_refuses_what_slack_refuses(peer: SlackPeer, web_client: AsyncWebClient) -> None:
    theirs = peer.say("mine", channel=GENERAL)["event"]["ts"]
    ours = (await web_client.chat_postMessage(channel=GENERAL, text="ours"))["ts"]
    long = "x" * (MARKDOWN_LIMIT + 1)
    button = {"type": "button", "text": {"type": "plain_text", "text": "y" * 76}}
    actions = [{"type": "actions", "elements": [button]}]
    here, post, update = {"channel": GENERAL, "text": "x"}, "chat.postMessage", "chat.update"
    refusals: list[tuple[str, str, Json]] = [
        ("channel_not_found", post, {**here, "channel": "C0NOWHERE"}),
        ("channel_not_found", post, {**here, "channel": OTHERS}),
        ("not_in_channel", post, {**here, "channel": RANDOM}),
        ("no_text", post, {**here, "text": " ", "blocks": []}),
        ("markdown_text_conflict", post, {**here, "markdown_text": "x"}),
        ("msg_too_long", post, {"channel": GENERAL, "markdown_text": long}),
        ("msg_blocks_too_long", post, {**here, "blocks": markdown(long)}),
        ("invalid_blocks", post, {**here, "blocks": actions}),
        ("invalid_blocks", post, {**here, "blocks": [{"type": "hologram"}]}),
        ("invalid_blocks_format", post, {**here, "blocks": "7"}),
        ("invalid_metadata_format", post, {**here, "metadata": {"event_type": "a"}}),
        ("thread_not_found", post, {**here, "thread_ts": "1.2"}),
        ("message_not_found", update, {**here, "ts": "1.2"}),
        ("cant_update_message", update, {**here, "ts": theirs}),
        ("cant_delete_message", "chat.delete", {"channel": GENERAL, "ts": theirs}),
        ("msg_too_long", update, {**here, "ts": ours, "text": "x" * (UPDATE_LIMIT + 1)}),
        ("user_not_in_channel", "chat.postEphemeral", {**here, "user": "U0NOBODY"}),
        ("unknown_method", "chat.unheardOf", {}),
    ]
    for error, method, params in refusals:
        assert await error_of(web_client.api_call(method, json=params)) == error, params
    assert peer.texts(GENERAL) == ["ours"]


async def test_it_refuses_tokens_that_are_wrong_of_another_kind_or_revoked(peer: SlackPeer) -> None:
    def client(token: str | None) -> AsyncWebClient:
        return AsyncWebClient(token, base_url=peer.api_url, retry_handlers=[])

    assert await error_of(client("xoxb-wrong").auth_test()) == "invalid_auth"
    assert await error_of(client(None).auth_test()) == "not_authed"
    assert await error_of(client(APP_TOKEN).auth_test()) == "not_allowed_token_type"
    right = client(peer.bot_token)
    connect = right.apps_connections_open
    assert await error_of(connect(app_token="xapp-wrong")) == "invalid_auth"
    assert await error_of(connect(app_token=peer.bot_token)) == "not_allowed_token_type"
    peer.app_scopes.clear()
    assert await error_of(connect(app_token=APP_TOKEN)) == "missing_scope"
    peer.app_scopes.add("connections:write")
    peer.socket_mode = False
    assert await error_of(connect(app_token=APP_TOKEN)) == "socket_mode_not_enabled"
    peer.scopes.discard("chat:write")
    with pytest.raises(SlackApiError) as refused:
        await right.chat_postMessage(channel=GENERAL, text="x")
    assert refused.value.response["needed"] == "chat:write"
    peer.revoked = "account_inactive"
    assert await error_of(right.auth_test()) == "account_inactive"


async def test_faults_are_what_the_library_knows_them_as(
    peer: SlackPeer, web_client: AsyncWebClient
) -> None:
    peer.faults.plan(limited(7), method="chat.postMessage")
    with pytest.raises(SlackApiError) as refusal:
        await web_client.chat_postMessage(channel=GENERAL, text="x")
    assert refusal.value.response.headers["Retry-After"] == "7"
    assert refusal.value.response.status_code == 429
    peer.faults.plan(limited(1), method="chat.postMessage")
    web_client.retry_handlers = [AsyncRateLimitErrorRetryHandler()]
    await web_client.chat_postMessage(channel=GENERAL, text="patient")
    web_client.retry_handlers = []
    peer.faults.plan(refused("internal_error", effect=True), method="chat.postMessage")
    assert await error_of(web_client.chat_postMessage(channel=GENERAL, text="done")) == (
        "internal_error"
    )
    assert peer.texts(GENERAL) == ["patient", "done"]
    web_client.timeout = 1
    for fault in (cut(), garbage(), page(502)):
        peer.faults.plan(fault)
        with pytest.raises((aiohttp.ClientError, SlackApiError, msgspec.DecodeError)):
            await web_client.auth_test()
    peer.faults.plan(hang(0.01))
    with pytest.raises(aiohttp.ClientError):
        await web_client.auth_test()


async def test_the_pace_of_a_workspace_is_kept() -> None:
    seconds = [0]
    log = Log(now=lambda: seconds[0] * 1_000_000)
    async with SlackPeer(tiers=Tiers(), log=log) as peer:
        client = AsyncWebClient(peer.bot_token, base_url=peer.api_url, retry_handlers=[])
        post = client.chat_postMessage
        sent = [await post(channel=GENERAL, text=str(number)) for number in range(4)]
        assert await error_of(post(channel=GENERAL, text="fast")) == "ratelimited"
        await post(channel=DIRECT, text="elsewhere")
        seconds[0] = 1
        await post(channel=GENERAL, text="later")
        edit = client.chat_update
        for number in range(50):
            await edit(channel=GENERAL, ts=sent[0]["ts"], text=str(number))
        assert await error_of(edit(channel=GENERAL, ts=sent[0]["ts"], text="x")) == "ratelimited"


async def test_a_person_gets_a_whisper_and_a_direct_chat_by_their_id(
    peer: SlackPeer, web_client: AsyncWebClient
) -> None:
    await web_client.chat_postEphemeral(channel=GENERAL, user=ANN, text="psst")
    assert [(w.user, w.text) for w in peer.whispers] == [(ANN, "psst")]
    sent = await web_client.chat_postMessage(channel=ANN, text="hello")
    assert sent["channel"] == DIRECT


async def test_a_slash_commands_address_takes_five_answers(peer: SlackPeer) -> None:
    url = peer.command_body("help")["response_url"]
    async with aiohttp.ClientSession() as session:
        statuses = [(await session.post(url, json={"text": str(n)})).status for n in range(6)]
    assert statuses == [200] * 5 + [404]
    assert [whisper.text for whisper in peer.whispers] == ["0", "1", "2", "3", "4"]


# ---- delivery by HTTP --------------------------------------------------------------------


class Receiver:
    """A request URL that answers what it is told to and keeps what it got."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.url = ""

    async def handle(self, request: web.BaseRequest) -> web.Response:
        self.requests.append((dict(request.headers), await request.read()))
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 0:
            await asyncio.Event().wait()
        return web.Response(status=status)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    runner = web.ServerRunner(web.Server(receiver.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/in/slack"
    yield receiver
    await runner.cleanup()


class At(Clock):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def now(self) -> float:
        return self._seconds


async def test_requests_are_signed_as_the_library_verifies_them() -> None:
    async with receiving() as receiver, SlackPeer(now=lambda: 1_700_000_000.0) as peer:
        peer.courier.url = receiver.url
        await peer.post(peer.events.message("hello"))
        await peer.post(peer.command_body("help"))
        verifier = SignatureVerifier(SIGNING_SECRET, At(1_700_000_001))
        stale = SignatureVerifier(SIGNING_SECRET, At(1_700_000_301))
        for headers, body in receiver.requests:
            assert verifier.is_valid_request(body, headers)
            assert not verifier.is_valid_request(body + b" ", headers)
            assert not stale.is_valid_request(body, headers)
        kinds = [headers["Content-Type"] for headers, _ in receiver.requests]
        assert kinds == ["application/json", "application/x-www-form-urlencoded"]


async def test_an_event_comes_again_three_times_and_says_so() -> None:
    redelivery = Redelivery(pauses=(0.0, 0.0, 0.0), patience=0.5)
    async with receiving() as receiver, SlackPeer(redelivery=redelivery) as peer:
        peer.courier.url = receiver.url
        receiver.statuses = [500, 0, 404, 503]
        answer = await peer.deliver(peer.events.message("hello"))
        assert answer.status == 503
        numbers = [headers.get("X-Slack-Retry-Num") for headers, _ in receiver.requests]
        reasons = [headers.get("X-Slack-Retry-Reason") for headers, _ in receiver.requests]
        assert numbers == [None, "1", "2", "3"]
        assert reasons == [None, "http_error", "http_timeout", "http_error"]
        assert len({body for _, body in receiver.requests}) == 1
        assert [entry.fields["status"] for entry in peer.log.of("given_up")] == [503]


async def test_a_command_is_tried_once() -> None:
    async with receiving() as receiver, SlackPeer() as peer:
        peer.courier.url = receiver.url
        receiver.statuses = [500]
        await peer.deliver(peer.command_body("help"))
        assert len(receiver.requests) == 1


# ---- Socket Mode -------------------------------------------------------------------------


@asynccontextmanager
async def socket_client(peer: SlackPeer, *, acks: bool = True) -> AsyncIterator[list[Json]]:
    """The library's own client, and the payloads that it got."""
    taken: list[Json] = []

    async def take(client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        taken.append({"retry": request.retry_attempt, "type": request.type, **request.payload})
        peer.tell()
        if acks:
            await client.send_socket_mode_response(SocketModeResponse(request.envelope_id))

    async with aiohttp.ClientSession() as session:
        web_client = AsyncWebClient(peer.bot_token, base_url=peer.api_url, session=session)
        client = SocketModeClient(APP_TOKEN, web_client=web_client, ping_interval=0.2)
        client.socket_mode_request_listeners.append(take)
        await client.connect()  # type: ignore[no-untyped-call]  # the library's has no types
        try:
            yield taken
        finally:
            tasks = [client.message_processor, client.current_session_monitor]
            tasks.append(client.message_receiver)
            await client.close()  # type: ignore[no-untyped-call]  # the library's has no types
            await asyncio.gather(*[task for task in tasks if task], return_exceptions=True)


async def test_an_envelope_is_taken_and_acknowledged(peer: SlackPeer) -> None:
    async with socket_client(peer) as taken:
        said = peer.say("hello")
        await peer.wait_for(lambda: peer.log.of("acknowledged"))
        assert taken == [{"retry": 0, "type": "events_api", **said}]
        peer.command("help")
        await peer.wait_for(lambda: len(taken) == 2)
        assert (taken[1]["type"], taken[1]["command"]) == ("slash_commands", "/parley")


async def test_what_is_said_before_a_socket_is_open_waits_for_it(peer: SlackPeer) -> None:
    peer.say("early")
    async with socket_client(peer) as taken:
        await peer.wait_for(lambda: taken)
        assert taken[0]["event"]["text"] == "early"


async def test_an_envelope_without_an_answer_comes_again() -> None:
    async with (
        SlackPeer(redelivery=Redelivery(patience=0.05)) as peer,
        socket_client(peer, acks=False) as taken,
    ):
        peer.say("hello")
        # It is given up by the clock, whether the client has read the last one by then or not
        await peer.wait_for(lambda: peer.log.of("given_up") and len(taken) == 4)
        assert [payload["retry"] for payload in taken] == [0, 1, 2, 3]


async def test_a_refreshed_socket_is_followed_by_another(peer: SlackPeer) -> None:
    async with socket_client(peer) as taken:
        await peer.sockets.disconnect("refresh_requested")
        await peer.wait_for(lambda: peer.sockets.opened == 2)
        peer.say("after")
        await peer.wait_for(lambda: taken)
        assert taken[0]["event"]["text"] == "after"


async def test_a_ticket_opens_one_socket_and_ten_are_the_most(peer: SlackPeer) -> None:
    client = AsyncWebClient(base_url=peer.api_url)
    async with aiohttp.ClientSession() as session:

        async def opened() -> str:
            answer = await client.apps_connections_open(app_token=APP_TOKEN)
            return str(answer["url"])

        url = await opened()
        first = await session.ws_connect(url)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url)
        hello = await first.receive_json()
        assert (hello["type"], hello["num_connections"]) == ("hello", 1)
        more = [await session.ws_connect(await opened()) for _ in range(10)]
        goodbye = await more[-1].receive_json()
        assert (goodbye["type"], goodbye["reason"]) == ("disconnect", "too_many_websockets")
        for socket in (first, *more):
            await socket.close()


async def test_the_bot_hears_its_own_voice(peer: SlackPeer, web_client: AsyncWebClient) -> None:
    async with socket_client(peer) as taken:
        sent = await web_client.chat_postMessage(channel=GENERAL, text="me")
        await web_client.chat_update(channel=GENERAL, ts=sent["ts"], text="me again")
        await until(lambda: len(taken) == 2)
        events = sorted((payload["event"] for payload in taken), key=lambda e: e["event_ts"])
        assert [event.get("subtype") for event in events] == [None, "message_changed"]
        assert events[0]["bot_id"] == events[1]["message"]["bot_id"] == "B0PARLEY"


async def test_the_log_has_every_call_and_its_outcome(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    async with SlackPeer(log=Log(file)) as peer:
        client = AsyncWebClient(peer.bot_token, base_url=peer.api_url)
        await client.chat_postMessage(channel=GENERAL, text="x")
    entries = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
    assert [entry["kind"] for entry in entries] == ["request", "shown", "outcome"]


@pytest.mark.slow
async def test_a_driver_in_another_process_says_reads_and_cuts() -> None:
    async with running("slack", "--bot-token", "xoxb-other", "--no-echo") as remote:
        said = await remote.tell("say", text="hi", channel="D0NEW")
        assert said["event"]["channel"] == "D0NEW"
        headers = {"Authorization": "Bearer xoxb-other"}
        body = {"channel": "D0NEW", "text": "hello"}
        url = f"{remote.url}/api/chat.postMessage"
        async with remote.session.post(url, json=body, headers=headers) as answer:
            assert (await answer.json())["ok"]
        assert await remote.tell("texts", channel="D0NEW") == ["hello"]
        assert await remote.tell("sockets") == {"open": 0, "opened": 0}
        await remote.tell("revoke")
        async with remote.session.post(url, json=body, headers=headers) as answer:
            assert (await answer.json())["error"] == "token_revoked"
        assert "shown" in [entry["kind"] for entry in await remote.log()]
