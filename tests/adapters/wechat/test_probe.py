"""What `check` and `/status` say about the commonest mistakes, in words."""

from collections.abc import Callable

import aiohttp
import pytest

from adapters.wechat.api import Client
from adapters.wechat.failures import Misconfigured
from tests.adapters.wechat.line import Line, line, settings
from tests.fakes import FakeClock
from tests.peers.faults import cut
from tests.peers.log import Log
from tests.peers.wechat import ANN, WeChatPeer
from tests.peers.wechat_courier import with_console
from tests.peers.wechat_rules import errcode


async def test_an_account_that_works_says_what_it_is() -> None:
    async with line() as made:
        await made.peer.courier.verify(made.url)
        health = await made.health()
        assert health.ok
        assert health.detail == "wx0123456789abcdef in safe mode"


async def test_an_account_whose_url_is_not_verified_is_told_what_to_enter() -> None:
    async with line() as made:
        health = await made.health()
        assert health.ok
        assert "has not called since the start" in health.detail
        assert f"enter {made.url} with" in health.detail


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (40013, "does not know this app_id"),
        (40125, "the app_secret is not the one"),
        (45009, "the day's quota of calls is used up"),
    ],
)
async def test_a_refused_token_says_which_setting_is_wrong(code: int, words: str) -> None:
    async with line() as made:
        made.peer.faults.plan(errcode(code), method="stable_token")
        health = await made.health()
        assert not health.ok
        assert words in health.detail
        assert str(code) in health.detail


async def test_an_address_that_is_not_on_the_list_is_named() -> None:
    async with line() as made:
        made.peer.refused_ip = "203.0.113.77"
        health = await made.health()
        assert not health.ok
        assert "203.0.113.77" in health.detail
        assert "IP白名单" in health.detail


async def test_a_secret_that_was_reset_is_named() -> None:
    async with line() as made:
        made.peer.faults.plan(errcode(40001), method="customservice/getkflist", times=2)
        health = await made.health()
        assert "the app_secret was probably reset" in health.detail


async def test_a_platform_that_is_away_is_named() -> None:
    async with line() as made:
        made.peer.faults.plan(cut(), method="stable_token")
        health = await made.health()
        assert not health.ok
        assert "cannot be reached" in health.detail


async def test_an_account_without_permission_is_well_and_knows_it() -> None:
    async with line(may_send=False) as made:
        health = await made.health()
        assert health.ok
        assert "48001" in health.detail
    async with line(may_send=False, customer_service=True) as made:
        health = await made.health()
        assert not health.ok
        assert "verified service accounts" in health.detail


async def test_a_test_account_without_customer_service_is_no_account_out_of_reach() -> None:
    async with line() as made:
        made.peer.faults.plan(errcode(65400), method="customservice/getkflist")
        health = await made.health()
        assert health.ok
        assert "is not switched on (65400)" in health.detail
        await made.peer.say(ANN, "hello")
        await made.adapter.send(made.out("late"))
        assert made.peer.texts(ANN)[-1] == "late"


async def test_without_a_public_address_the_line_to_write_is_shown() -> None:
    async with line(public_url=None) as made:
        health = await made.health()
        assert not health.ok
        assert "server: {public_url: https://bot.example.com}" in health.detail


def another_token(made: Line) -> None:
    courier = made.peer.courier
    courier.console = with_console(courier.console, token="guessed")


def another_key(made: Line) -> None:
    courier = made.peer.courier
    courier.console = with_console(courier.console, aes_key="Z" * 42 + "E")


def another_account(made: Line) -> None:
    courier = made.peer.courier
    courier.console = with_console(courier.console, app_id="wxsomebodyelse00")


def plain(made: Line) -> None:
    courier = made.peer.courier
    courier.console = with_console(courier.console, mode="plaintext")


def behind(made: Line) -> None:
    made.peer.courier.skew = 400


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (another_token, "adapters.wechat.token is not the Token"),
        (another_key, "adapters.wechat.aes_key is not the EncodingAESKey"),
        (another_account, "adapters.wechat.app_id is another account's"),
        (plain, "choose safe mode (安全模式)"),
        (behind, "switch on NTP"),
    ],
)
async def test_calls_that_were_turned_away_say_what_is_wrong(
    spoil: Callable[[Line], None], words: str
) -> None:
    async with line() as made:
        spoil(made)
        await made.peer.say(ANN, "hello")
        health = await made.health()
        assert not health.ok
        assert words in health.detail


async def test_once_a_call_was_good_strangers_are_no_mistake_of_ours() -> None:
    async with line() as made:
        await made.peer.say(ANN, "hello")
        another_token(made)
        await made.peer.say(ANN, "hello?")
        assert (await made.health()).ok


async def test_a_clock_that_is_wrong_is_told_by_the_platforms_own() -> None:
    async with line() as made:
        made.peer.courier.skew = 200
        health = await made.health()
        assert not health.ok
        assert "this machine's clock is" in health.detail
        assert "behind WeChat's" in health.detail


async def test_an_address_that_leads_elsewhere_is_told_until_the_platform_calls() -> None:
    async with line(public_url="http://127.0.0.1:9") as made:
        health = await made.health()
        assert not health.ok
        assert "http://127.0.0.1:9/in/wechat does not lead to this server" in health.detail
        await made.peer.courier.verify(made.url)
        assert (await made.health()).ok


async def test_our_own_call_is_not_taken_for_the_platforms() -> None:
    async with line() as made:
        assert (await made.health()).ok
        another_token(made)
        await made.peer.say(ANN, "hello")
        assert "is not the Token" in (await made.health()).detail


async def test_a_token_that_stays_refused_does_not_use_up_the_days_forced_ones() -> None:
    clock = FakeClock()
    log = Log(now=lambda: int(clock.monotonic() * 1_000_000))
    async with WeChatPeer(log=log) as peer, aiohttp.ClientSession() as http:
        client = Client(settings(base_url=peer.url), lambda: http, clock)
        peer.faults.plan(errcode(40001), method="customservice/getkflist", times=10_000)
        for _ in range(24 * 12):
            with pytest.raises(Misconfigured):
                await client.may_send()
            clock.advance(300)
        forced = [call for call in peer.calls("stable_token") if call.body["force_refresh"]]
        assert 5 <= len(forced) <= 20
        peer.faults.clear()
        assert await client.may_send()
