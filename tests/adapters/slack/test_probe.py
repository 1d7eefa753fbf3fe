"""The commonest mistakes, each made for real and each said in words that tell where to mend it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.slack.manifest import SCOPES
from bot import Health, Permanent, Transient
from tests.adapters.slack.line import FastClock, Line, http, line, listen, settings, sockets
from tests.fakes import until
from tests.peers.faults import hang, page
from tests.peers.slack import SlackPeer
from tests.peers.slack_delivery import signed
from tests.peers.slack_events import DIRECT, RANDOM
from tests.peers.slack_faults import limited


async def said(made: Line) -> str:
    """What is wrong, as a person reads it; no secret is in it."""
    health = await made.adapter.probe()
    assert not health.ok, health.detail
    for secret in (made.peer.bot_token, made.peer.app_token, made.peer.signing_secret):
        assert secret not in health.detail
    return health.detail


async def well(made: Line) -> Health:
    health = await made.adapter.probe()
    assert health.ok, health.detail
    return health


# ---- all is well -------------------------------------------------------------------------


async def test_a_working_app_says_who_it_is() -> None:
    async with sockets() as made:
        await until(lambda: made.adapter._watch.connected)
        assert (await well(made)).detail == "@parley in Example by socket"
    async with http() as made:
        await made.peer.post(made.peer.events.message("hello"))
        assert (await well(made)).detail == "@parley in Example by http"


async def test_a_check_without_a_server_asks_for_a_socket_and_opens_none() -> None:
    async with line() as made:
        await well(made)
        assert made.peer.calls("apps.connections.open")
        assert not made.peer.sockets.opened


async def test_a_probe_beside_the_first_socket_waits_for_it_and_asks_for_none_of_its_own() -> None:
    async with line() as made:
        listen(made)
        await well(made)
        assert len(made.peer.calls("apps.connections.open")) == 1
        assert made.adapter._watch.connected


async def test_a_probe_between_two_sockets_asks_for_none_of_its_own() -> None:
    async with sockets() as made:
        await until(lambda: made.adapter._watch.connected)
        await made.peer.sockets.disconnect("refresh_requested", close=False)
        await until(lambda: not made.adapter._watch.connected)
        await well(made)
        assert len(made.peer.calls("apps.connections.open")) == 2


async def test_a_probe_beside_a_socket_that_says_nothing_says_so() -> None:
    async with line() as made:
        made.peer.sockets.silent = True
        listen(made)
        assert "no socket to Slack yet" in await said(made)
        assert len(made.peer.calls("apps.connections.open")) == 1


# ---- in the configuration ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bot_token": "xapp-1-A1-2-abc"}, "this is an app-level token; write the Bot User"),
        ({"bot_token": "xoxp-1-2-abc"}, "this is a user token"),
        ({"bot_token": "hello"}, "begins with xoxb-"),
        ({"app_token": "xoxb-1-2-abc"}, "this is a bot token; write a token from Basic"),
        ({"app_token": None}, "mode socket needs app_token"),
        ({"mode": "http", "signing_secret": None}, "mode http needs signing_secret"),
        ({"signing_secret": "xapp-1-A1-2-abc"}, "this is a token; write Basic Information"),
        ({"signing_secret": "1234567890.1234567890"}, "this is the Client ID"),
        ({"signing_secret": "abc" * 8}, "this is the Verification Token"),
        ({"signing_secret": "A0123456789"}, "this is the App ID"),
        ({"signing_secret": " "}, "32 letters and digits"),
    ],
)
def test_a_token_of_the_wrong_kind_or_none_is_found_when_the_file_is_read(
    changes: dict[str, str], words: str
) -> None:
    with pytest.raises(ValidationError) as error:
        settings(SlackPeer(), **changes)
    assert words in str(error.value)
    assert "abc" not in "".join(str(problem["msg"]) for problem in error.value.errors())


# ---- tokens and scopes -------------------------------------------------------------------


async def test_a_missing_scope_is_named() -> None:
    lacking = " ".join(sorted(SCOPES.keys() - {"im:history", "chat:write"}))
    async with line(peer={"scopes": lacking}) as made:
        detail = await said(made)
        assert "chat:write, im:history" in detail
        assert "OAuth & Permissions > Bot Token Scopes" in detail
        assert "reinstall" in detail


async def test_a_token_that_is_not_known_may_also_be_an_address_that_is_not_allowed() -> None:
    async with line(peer={"bot_token": "xoxb-another-one"}) as made:
        detail = await said(made)
        assert "adapters.slack.bot_token (invalid_auth)" in detail
        assert "Restrict API Token Usage" in detail


async def test_a_persons_token_behind_a_bots_prefix_is_noticed() -> None:
    async with line() as made:
        made.peer.bot["bot_id"] = ""
        assert "a person's token" in await said(made)


@pytest.mark.parametrize("code", ["account_inactive", "token_revoked"])
async def test_an_uninstalled_app_is_said_and_nothing_crashes(code: str) -> None:
    async with sockets() as made:
        await until(lambda: made.adapter._watch.connected)
        made.peer.push(made.peer.events.uninstalled())
        await until(lambda: made.adapter._watch.revoked)
        made.peer.revoked = code
        assert not made.adapter.watched(made.address(DIRECT))
        with pytest.raises(Permanent):
            await made.adapter.send(made.out(DIRECT, "hi"))
        detail = await said(made)
        assert "Install App" in detail
        assert f"({code})" in detail.replace("adapters.slack.bot_token: ", "")
        assert not made.tasks[0].done()
        made.peer.revoked = ""
        await well(made)
        assert made.adapter.watched(made.address(DIRECT))


async def test_a_wrong_token_does_not_keep_us_from_starting() -> None:
    async with line(peer={"bot_token": "xoxb-another-one"}) as made:
        await made.adapter.open()
        await made.peer.wait_for(lambda: len(made.peer.calls("auth.test")) >= 2)
        assert "bot_token" in await said(made)


async def test_tokens_of_two_apps_are_noticed_by_whom_an_event_is_meant_for() -> None:
    async with sockets(peer={"echo": False}) as made:
        await until(lambda: made.adapter._watch.connected)
        await well(made)
        event = made.peer.events.message("hello")
        event["authorizations"][0]["user_id"] = "U0ANOTHER"
        made.peer.push(event)
        await until(lambda: made.adapter._watch.misdirected)
        assert "adapters.slack.bot_token belongs to another app" in await said(made)
        made.peer.say("hello again")
        await until(lambda: not made.adapter._watch.misdirected)
        await well(made)


# ---- Socket Mode -------------------------------------------------------------------------


@pytest.mark.parametrize("serving", [True, False])
async def test_an_app_token_without_its_scope_is_named(serving: bool) -> None:
    async with line(peer={"app_scopes": ""}) as made:
        if serving:
            listen(made)
            await until(lambda: made.adapter._watch.socket)
        assert "app_token lacks the scope connections:write" in await said(made)


async def test_an_app_token_of_another_app_is_named() -> None:
    async with line(peer={"app_token": "xapp-another-one"}) as made:
        assert "does not take app_token (invalid_auth)" in await said(made)


async def test_socket_mode_that_is_off_is_named() -> None:
    async with line(peer={"socket_mode": False}) as made:
        assert "Socket Mode was switched off" in await said(made)


@pytest.mark.parametrize(
    ("comes", "lacking"), [(1, "message.channels"), (0, "app_mention")], ids=["mention", "message"]
)
async def test_an_event_that_never_comes_is_named(comes: int, lacking: str) -> None:
    async with http() as made:
        for number in range(10):
            await made.peer.post(made.peer.events.mention(f"question {number}")[comes])
        detail = await said(made)
        assert lacking in detail
        assert "Event Subscriptions" in detail
        for event in made.peer.events.mention("both"):
            await made.peer.post(event)
        await well(made)


class LeapingClock(FastClock):
    """Whoever sleeps on it wakes at once, that much later."""

    def __init__(self) -> None:
        super().__init__()
        self._at = 0.0

    def monotonic(self) -> float:
        return self._at

    async def sleep(self, seconds: float) -> None:
        self._at += seconds
        await asyncio.sleep(0)


@pytest.mark.parametrize("peer", [{"app_token": "xapp-another-one"}, {"socket_mode": False}])
async def test_a_socket_that_stays_refused_is_tried_once_a_minute(peer: dict[str, Any]) -> None:
    clock = LeapingClock()
    async with line(peer=peer, clock=clock) as made:
        listen(made)
        await until(lambda: clock.monotonic() >= 3600)
        assert 50 <= len(made.peer.calls("apps.connections.open")) <= 61
        assert not made.tasks[0].done()


async def test_a_token_that_opens_nothing_is_tried_once_a_minute() -> None:
    clock = LeapingClock()
    async with line(peer={"bot_token": "xoxb-another-one"}, clock=clock) as made:
        await made.adapter.open()
        await until(lambda: clock.monotonic() >= 3600)
        assert 50 <= len(made.peer.calls("auth.test")) <= 61


# ---- HTTP --------------------------------------------------------------------------------


async def test_a_signing_secret_of_another_app_is_suspected() -> None:
    async with http(signing_secret="another-apps") as made:
        assert (await made.peer.post(made.peer.events.message("hello"))).status == 401
        detail = await said(made)
        assert "adapters.slack.signing_secret is another app's" in detail


async def test_a_passer_by_with_a_wrong_signature_is_no_alarm() -> None:
    async with http() as made:
        await made.peer.post(made.peer.events.message("hello"))
        headers = signed("somebody's", b"{}", int(made.clock.now().timestamp()))
        await made.peer.courier.send(b"{}", headers)
        await well(made)


async def test_an_address_that_leads_nowhere_is_named() -> None:
    async with line(mode="http", public_url="http://127.0.0.1:9") as made:
        assert "http://127.0.0.1:9/in/slack does not lead to this server" in await said(made)
    async with line(mode="http") as made:
        assert "server.public_url is not set" in await said(made)


async def test_our_own_address_is_asked_as_slack_asks_it() -> None:
    async with http() as made:
        assert made.adapter._watch.signed == 0
        await well(made)
        assert made.adapter._watch.signed == 0


@asynccontextmanager
async def off_by(seconds: float) -> AsyncIterator[Line]:
    """An adapter whose clock is wrong by so much."""
    clock = FastClock()
    ours = FastClock()

    def theirs() -> float:
        return (clock.now() + timedelta(seconds=seconds)).timestamp()

    async with http(clock=ours, peer={"now": theirs}) as made:
        yield made


@pytest.mark.parametrize(("seconds", "way"), [(120, "slow"), (-120, "fast"), (600, "slow")])
async def test_a_clock_that_is_off_is_named(seconds: float, way: str) -> None:
    async with off_by(seconds) as made:
        detail = await said(made)
        assert "this machine's clock is" in detail
        assert f"seconds {way}" in detail


async def test_a_request_that_is_stale_and_right_tells_about_the_clock() -> None:
    async with http() as made:
        raw = json.dumps(made.peer.events.message("hello")).encode()
        stamp = int(made.clock.now().timestamp()) + 400
        headers = signed(made.peer.signing_secret, raw, stamp)
        assert (await made.peer.courier.send(raw, headers)).status == 401
        assert "seconds slow" in await said(made)


# ---- speaking ----------------------------------------------------------------------------


async def test_a_channel_without_an_invitation_is_named_until_it_works() -> None:
    async with line() as made:
        with pytest.raises(Permanent):
            await made.adapter.send(made.out(RANDOM, "hi"))
        detail = await said(made)
        assert f"{RANDOM}: the bot is not in it" in detail
        assert "/invite" in detail
        channel = made.peer.channels.get(RANDOM)
        assert channel is not None
        channel.joined = True
        await made.adapter.send(made.out(RANDOM, "hi"))
        await well(made)


async def test_a_limit_is_said_while_it_lasts() -> None:
    async with line() as made:
        made.peer.faults.plan(limited(40), method="chat.postMessage")
        with pytest.raises(Transient):
            await made.adapter.send(made.out(DIRECT, "hi"))
        assert "Slack limits chat.postMessage" in await said(made)
        await made.passes(41)
        await well(made)
        made.peer.faults.plan(limited(40), method="auth.test")
        assert "Slack limits auth.test" in await said(made)


async def test_a_platform_that_is_away_is_said() -> None:
    async with line(timeout="200ms") as made:
        for fault in (page(503), hang()):
            made.peer.faults.plan(fault, method="auth.test")
            assert "Slack cannot be reached" in await said(made)
    async with line(base_url="http://127.0.0.1:9/api/") as made:
        assert "adapters.slack.base_url" in await said(made)
