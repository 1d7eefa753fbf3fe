"""`parley check` and the commonest mistakes with an official account: each made, each said."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.checking import CHINESE, check, wechat_config
from tests.journeys.program import running
from tests.peers.wechat import ANN, TOKEN, WeChatPeer
from tests.peers.wechat_courier import with_console
from tests.peers.wechat_rules import errcode

pytestmark = pytest.mark.slow

Json = dict[str, Any]


@dataclass(frozen=True)
class Mistake:
    """What somebody has done, and the words that must be in the line about it."""

    english: tuple[str, ...]
    chinese: tuple[str, ...]
    peer: Json = field(default_factory=dict)
    adapter: Json = field(default_factory=dict)
    server: Json = field(default_factory=dict)
    spoil: Callable[[WeChatPeer], object] = lambda peer: None


def not_listed(peer: WeChatPeer) -> None:
    peer.refused_ip = "203.0.113.77"


def quota_used(peer: WeChatPeer) -> None:
    peer.faults.plan(errcode(45009), method="stable_token", times=9)


def secret_reset(peer: WeChatPeer) -> None:
    peer.faults.plan(errcode(40001), method="customservice/getkflist", times=9)


def clock_ahead(peer: WeChatPeer) -> None:
    peer.courier.skew = 200


MISTAKES = {
    "the app id is another": Mistake(
        ("does not know this app_id (40013)", "copy the AppID", "设置与开发 → 基本配置"),
        ("不认识这个 app_id(40013)", "复制 AppID"),
        adapter={"app_id": "wxsomebodyelse00"},
    ),
    "the app secret is another": Mistake(
        ("the app_secret is not the one of this app_id (40125)", "reset it"),
        ("app_secret 与这个 app_id 不符(40125)", "重置"),
        adapter={"app_secret": "f" * 32},
    ),
    "the app secret was reset": Mistake(
        ("refuses every access token (40001)", "write the new one"),
        ("拒绝了所有 access token(40001)", "填写新的值"),
        spoil=secret_reset,
    ),
    "the address is not on the list": Mistake(
        ("does not take calls from 203.0.113.77 (40164)", "IP白名单"),
        ("不接受来自 203.0.113.77 的调用(40164)", "IP白名单"),
        spoil=not_listed,
    ),
    "the day's calls are used up": Mistake(
        ("quota of calls is used up (45009)", "midnight in China"),
        ("次数已用完(45009)", "零点恢复"),
        spoil=quota_used,
    ),
    "the account may not send service messages": Mistake(
        ("may not send customer-service messages (48001)", "adapters.wechat.customer_service"),
        ("没有客服消息权限(48001)", "adapters.wechat.customer_service"),
        peer={"may_send": False},
        adapter={"customer_service": True},
    ),
    "this machine's clock is wrong": Mistake(
        ("this machine's clock is", "behind WeChat's", "NTP"),
        ("本机时钟比微信慢", "NTP"),
        spoil=clock_ahead,
    ),
    "the base URL leads nowhere": Mistake(
        ("cannot be reached", "adapters.wechat.base_url"),
        ("无法连接微信", "adapters.wechat.base_url"),
        adapter={"base_url": "http://127.0.0.1:9"},
    ),
    "there is no public address": Mistake(
        ("`server: {public_url: https://bot.example.com}`", "服务器地址"),
        ("`server: {public_url: https://bot.example.com}`", "服务器地址"),
        server={"public_url": None},
    ),
    "the server URL leads nowhere": Mistake(
        ("/in/wechat does not lead to this server", "cannot verify it", "port 80 or 443"),
        ("没有通向本服务", "无法验证", "80 或 443"),
    ),
}


@pytest.mark.parametrize("locale", ["en", "zh"])
@pytest.mark.parametrize("name", MISTAKES)
async def test_it_says_what_is_wrong_and_what_to_do(name: str, locale: str, tmp_path: Path) -> None:
    mistake = MISTAKES[name]
    async with WeChatPeer(**mistake.peer) as peer:
        mistake.spoil(peer)
        config = wechat_config(tmp_path, peer, **mistake.adapter)
        config["server"] |= mistake.server
        found = await check(tmp_path, {**config, "locale": locale})
        assert found.code == 1
        line = found.wrong("wechat")
        for words in mistake.english if locale == "en" else mistake.chinese:
            assert words in line
        if locale == "zh":
            assert CHINESE.search(found.output.splitlines()[-1])


# ---- what stands wrong in the file ---------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"app_id": "gh_0123456789ab"}, 'adapters.wechat.app_id is "gh_0123456789ab"'),
        ({"app_id": "gh_0123456789ab"}, "original id; write the AppID, which begins wx"),
        ({"aes_key": "canary" * 7}, "has 43 characters and this one has 42; copy it again"),
        ({"aes_key": None}, "aes_key is missing: choose safe mode (安全模式)"),
        ({"token": "canary with spaces"}, "a Token has 3 to 32 letters and digits; write the one"),
    ],
)
async def test_a_value_of_the_wrong_form_is_told_by_its_place(
    changes: Json, words: str, tmp_path: Path
) -> None:
    async with WeChatPeer() as peer:
        found = await check(tmp_path, wechat_config(tmp_path, peer, **changes))
        assert found.code == 2
        assert words in found.output
        assert "adapters.wechat" in found.output
        assert "config.json" in found.output
        assert "canary" not in found.output
        assert not peer.exchanges


async def test_the_same_account_twice_is_refused_by_name(tmp_path: Path) -> None:
    async with WeChatPeer() as peer:
        config = wechat_config(tmp_path, peer)
        config["adapters"]["again"] = config["adapters"]["wechat"]
        found = await check(tmp_path, config)
        assert found.code == 2
        assert "adapters.again: it is the same wechat account as adapters.wechat" in found.output
        assert "remove one of them" in found.output


# ---- what only a server that runs can have seen --------------------------------------------


def another_token(peer: WeChatPeer) -> None:
    peer.courier.console = with_console(peer.courier.console, token="guessed")


def another_key(peer: WeChatPeer) -> None:
    peer.courier.console = with_console(peer.courier.console, aes_key="Z" * 42 + "E")


def plaintext(peer: WeChatPeer) -> None:
    peer.courier.console = with_console(peer.courier.console, mode="plaintext")


SEEN = {
    "the token is not the console's": (
        another_token,
        "adapters.wechat.token is not the Token (令牌)",
    ),
    "the key is another account's": (
        another_key,
        "adapters.wechat.aes_key is not the EncodingAESKey",
    ),
    "plaintext mode is chosen": (plaintext, "choose safe mode (安全模式)"),
}


@pytest.mark.parametrize("name", SEEN)
async def test_beside_a_server_it_tells_what_the_server_has_turned_away(
    name: str, tmp_path: Path
) -> None:
    spoil, words = SEEN[name]
    async with WeChatPeer() as peer, running(tmp_path, wechat_config(tmp_path, peer)) as program:
        peer.aim(f"{program.url}/in/wechat")
        spoil(peer)
        attempt = await peer.courier.post(peer.courier.signed(peer.text(ANN, "hello").xml))
        assert attempt.status == 403
        found = await check(tmp_path, program.config)
        assert found.code == 1
        assert words in found.wrong("wechat (server)")


async def test_an_account_that_works_is_well_before_and_after_its_url_is_verified(
    tmp_path: Path,
) -> None:
    async with (
        WeChatPeer(may_send=False) as peer,
        running(tmp_path, wechat_config(tmp_path, peer)) as program,
    ):
        found = await check(tmp_path, program.config)
        assert found.code == 0
        said = found.well("wechat")
        assert "has not called since the start" in said
        assert f"{program.url}/in/wechat" in said
        assert "no customer-service messages (48001)" in said
        # our own call has not been taken for the platform's
        another_token(peer)
        assert (await peer.courier.verify(f"{program.url}/in/wechat"))[0] == 403
        assert (await check(tmp_path, program.config)).code == 1
        peer.courier.console = with_console(peer.courier.console, token=TOKEN)
        assert (await peer.courier.verify(f"{program.url}/in/wechat"))[0] == 200
        assert (await check(tmp_path, program.config)).code == 0
