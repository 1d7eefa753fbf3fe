"""`parley check` and the commonest mistakes with a Slack app: each made, each said in words."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.checking import CHINESE, check, slack_config
from tests.journeys.program import Program, a_moment, running
from tests.peers.slack import SlackPeer
from tests.peers.slack_delivery import signed
from tests.peers.slack_events import ANN, DIRECT, GENERAL
from tests.peers.slack_faults import limited, refused

pytestmark = pytest.mark.slow

Json = dict[str, Any]


@dataclass(frozen=True)
class Mistake:
    """What somebody has done, and the words that must be in the line about it."""

    english: tuple[str, ...]
    chinese: tuple[str, ...]
    peer: Json = field(default_factory=dict)
    adapter: Json = field(default_factory=dict)
    spoil: Callable[[SlackPeer], object] = lambda peer: None


def revoke(code: str) -> Callable[[SlackPeer], object]:
    def spoil(peer: SlackPeer) -> None:
        peer.revoked = code

    return spoil


MISTAKES = {
    "scopes are missing": Mistake(
        ("lacks groups:read, im:history", "Bot Token Scopes", "reinstall"),
        ("缺少权限 groups:read, im:history", "Bot Token Scopes", "重新安装"),
        peer={
            "scopes": "app_mentions:read channels:history channels:read chat:write commands "
            "groups:history mpim:history"
        },
    ),
    "the token was revoked": Mistake(
        ("the token was revoked", "Install App", "adapters.slack.bot_token"),
        ("令牌已被吊销", "Install App", "adapters.slack.bot_token"),
        spoil=revoke("token_revoked"),
    ),
    "the app was deleted": Mistake(
        ("uninstalled", "account_inactive", "copy the new token"),
        ("卸载", "account_inactive", "复制新的令牌"),
        spoil=revoke("account_inactive"),
    ),
    "the token is not one of Slack's": Mistake(
        ("does not take adapters.slack.bot_token (invalid_auth)", "copy the Bot User OAuth Token"),
        ("不接受 adapters.slack.bot_token(invalid_auth)", "重新复制"),
        peer={"bot_token": "xoxb-another-one"},
    ),
    "the token is a person's": Mistake(
        ("a person's token", "begins with xoxb-"),
        ("个人令牌", "xoxb-"),
        spoil=lambda peer: peer.bot.update(bot_id=""),
    ),
    "the app-level token may not connect": Mistake(
        ("app_token lacks the scope connections:write", "App-Level Tokens"),
        ("app_token 缺少权限 connections:write", "App-Level Tokens"),
        peer={"app_scopes": ""},
    ),
    "the app-level token is another app's": Mistake(
        ("does not take app_token (invalid_auth)", "make a new one"),
        ("不接受 app_token(invalid_auth)", "新建一个"),
        peer={"app_token": "xapp-another-one"},
    ),
    "Socket Mode is off": Mistake(
        ("Socket Mode was switched off", "Settings > Socket Mode"),
        ("Socket Mode 已关闭", "Settings > Socket Mode"),
        peer={"socket_mode": False},
    ),
    "the request URL leads nowhere": Mistake(
        ("/in/slack does not lead to this server", "Request URL under Event Subscriptions"),
        ("没有通向本服务", "Request URL"),
        adapter={"mode": "http"},
    ),
    "the base URL leads nowhere": Mistake(
        ("cannot be reached", "adapters.slack.base_url"),
        ("无法连接 Slack", "adapters.slack.base_url"),
        adapter={"base_url": "http://127.0.0.1:9/api/"},
    ),
    "this machine's clock is wrong": Mistake(
        ("this machine's clock is", "seconds slow", "NTP"),
        ("本机时钟慢了", "NTP"),
        peer={"now": lambda: time.time() + 200},
    ),
    "too many calls are made": Mistake(
        ("Slack limits auth.test", "another program"),
        ("Slack 正在限制 auth.test", "其他程序"),
        spoil=lambda peer: peer.faults.plan(limited(40), method="auth.test"),
    ),
}


@pytest.mark.parametrize("locale", ["en", "zh"])
@pytest.mark.parametrize("name", MISTAKES)
async def test_it_says_what_is_wrong_and_what_to_do(name: str, locale: str, tmp_path: Path) -> None:
    mistake = MISTAKES[name]
    async with SlackPeer(**mistake.peer) as peer:
        mistake.spoil(peer)
        config = slack_config(tmp_path, peer, **mistake.adapter)
        found = await check(tmp_path, {**config, "locale": locale})
        assert found.code == 1
        line = found.wrong("slack")
        for words in mistake.english if locale == "en" else mistake.chinese:
            assert words in line
        assert bool(CHINESE.search(found.output)) is (locale == "zh")


async def test_an_app_that_works_is_well_in_either_language(tmp_path: Path) -> None:
    async with SlackPeer() as peer:
        config = slack_config(tmp_path, peer)
        found = await check(tmp_path, config)
        assert (found.code, found.well("slack")) == (0, "@parley in Example by socket")
        found = await check(tmp_path, {**config, "locale": "zh"})
        assert found.code == 0
        assert "工作区 Example" in found.well("slack")
        assert "一切正常" in found.output


# ---- what stands wrong in the file ---------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bot_token": "xoxp-1-2-canary"}, "this is a user token; write the Bot User OAuth Token"),
        ({"bot_token": "xapp-1-A1-canary"}, "this is an app-level token; write the Bot User"),
        ({"app_token": "xoxb-1-2-canary"}, "this is a bot token; write a token from Basic"),
        ({"mode": "http", "signing_secret": None}, "mode http needs signing_secret: copy it"),
        ({"app_token": None}, "mode socket needs app_token: make one under Basic Information"),
        ({"signing_secret": "xoxb-1-2-canary"}, "this is a token; write Basic Information"),
        ({"signing_secret": "1234567890.0123456789"}, "this is the Client ID; write Basic"),
        ({"signing_secret": "canary78901234567890abcd"}, "this is the Verification Token"),
    ],
)
async def test_a_value_of_another_kind_is_told_by_its_place(
    changes: Json, words: str, tmp_path: Path
) -> None:
    async with SlackPeer() as peer:
        found = await check(tmp_path, slack_config(tmp_path, peer, **changes))
        assert found.code == 2
        assert words in found.output
        assert "adapters.slack" in found.output
        assert "config.json" in found.output
        assert "canary" not in found.output
        assert not peer.exchanges


# ---- what only a server that runs can have seen --------------------------------------------


async def found_by_server(program: Program, words: str) -> str:
    """Check until the server has seen it; the line about it."""
    async with asyncio.timeout(30.0):
        while words not in (found := await check(program.folder, program.config)).output:
            await a_moment()
    assert found.code == 1
    return found.wrong("slack (server)")


async def test_beside_a_server_it_tells_what_the_server_has_seen(tmp_path: Path) -> None:
    async with (
        SlackPeer(echo=False) as peer,
        running(tmp_path, slack_config(tmp_path, peer)) as program,
    ):
        await peer.wait_for(lambda: peer.sockets.open)
        found = await check(tmp_path, program.config)
        assert (found.code, found.well("slack")) == (0, "@parley in Example by socket")

        # the bot was not invited to the channel in which it is asked
        peer.faults.plan(refused("not_in_channel"), method="chat.postMessage")
        peer.ask("hello?")
        line = await found_by_server(program, "cannot write in")
        assert f"{GENERAL}: the bot is not in it" in line
        assert "/invite @" in line
        peer.ask("and now?")
        await peer.wait_for(lambda: peer.texts(GENERAL))

        # the messages tab of the app is off
        peer.faults.plan(refused("messages_tab_disabled"), method="chat.postMessage")
        peer.say("hello?")
        line = await found_by_server(program, "App Home")
        assert "messages tab is off" in line
        assert "/invite" not in line
        peer.say("and now?")
        await peer.wait_for(lambda: peer.texts(DIRECT))

        # the tokens are those of two apps
        said = peer.events.message("whose are you?", channel=DIRECT, user=ANN)
        said["authorizations"][0]["user_id"] = "U0ANOTHER"
        peer.push(said)
        line = await found_by_server(program, "meant for another bot")
        assert "adapters.slack.bot_token belongs to another app" in line


async def test_a_signing_secret_of_another_app_is_told_by_what_was_turned_away(
    tmp_path: Path,
) -> None:
    async with (
        SlackPeer(signing_secret="another-apps-secret") as peer,
        running(tmp_path, slack_config(tmp_path, peer, mode="http")) as program,
    ):
        peer.courier.url = f"{program.url}/in/slack"
        # the address is right: nobody has called yet, and our own call arrives
        assert (await check(tmp_path, program.config)).code == 0
        assert (await peer.post(peer.events.message("hello?"))).status == 401
        line = await found_by_server(program, "signature")
        assert "adapters.slack.signing_secret is another app's" in line
        assert "Basic Information > Signing Secret" in line
        # our own call, rightly signed, does not make it forget
        assert "signing_secret" in await found_by_server(program, "signature")


async def test_a_server_of_another_clock_is_told_by_a_request_that_is_right_and_stale(
    tmp_path: Path,
) -> None:
    async with (
        SlackPeer() as peer,
        running(tmp_path, slack_config(tmp_path, peer, mode="http")) as program,
    ):
        peer.courier.url = f"{program.url}/in/slack"
        body = b"{}"
        headers = signed(peer.signing_secret, body, int(time.time()) + 400)
        assert (await peer.courier.send(body, headers)).status == 401
        assert "seconds slow" in await found_by_server(program, "this machine's clock is")
