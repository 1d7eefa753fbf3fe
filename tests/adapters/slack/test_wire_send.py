"""Sending over the real wire: what arrives, what was refused, what nobody knows."""

import inspect
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from slack_sdk import errors as slack_errors
from slack_sdk.errors import SlackApiError, SlackClientError

from adapters.slack.failures import CallFailed, Declined, MissingScope, WrongToken, translate
from bot import Ambiguous, Choice, Outbound, ParleyError, Permanent, Sent, Transient, TurnId
from tests.adapters.slack.line import FastClock, Line, http, line
from tests.peers.faults import Fault, cut, garbage, hang, page
from tests.peers.slack_events import ANN, DIRECT, GENERAL, OTHERS, RANDOM
from tests.peers.slack_faults import limited, refused


def root(made: Line, channel: str = GENERAL) -> str:
    """A message that a thread can begin with."""
    ts: str = made.peer.say("look", channel=channel)["event"]["ts"]
    return ts


async def test_an_answer_arrives_in_its_thread_with_plain_words_for_notifications() -> None:
    async with line() as made:
        thread = root(made)
        said = "**Hi** [there](https://e.example)"
        sent = await made.adapter.send(made.out(GENERAL, said, thread))
        (shown,) = made.peer.messages(GENERAL, thread)
        assert shown.text == said
        assert shown.notice == "Hi there"
        assert sent == Sent(shown.ts, (("channel", GENERAL),))
        body = made.peer.calls("chat.postMessage")[0].body
        assert (body["unfurl_links"], body["unfurl_media"]) == (False, False)
        assert body["metadata"]["event_payload"] == {"key": "7/0"}


async def test_a_direct_chat_is_answered_outside_of_threads() -> None:
    async with line() as made:
        await made.adapter.send(made.out(DIRECT, "hi"))
        assert made.peer.messages(DIRECT)[0].thread is None


async def test_choices_are_buttons() -> None:
    async with line() as made:
        choices = (Choice("Yes", "yes"), Choice("No" * 50, "no"))
        await made.adapter.send(made.out(DIRECT, "Really?", choices=choices))
        first, second = made.peer.messages(DIRECT)[0].buttons
        assert (first["text"]["text"], first["value"]) == ("Yes", "yes")
        assert len(second["text"]["text"]) == 75


async def test_a_model_wakes_nobody() -> None:
    async with line() as made:
        await made.adapter.send(made.out(DIRECT, "<!channel> <@U0BO> <#C1> a < b"))
        (shown,) = made.peer.messages(DIRECT)
        assert shown.text == "&lt;!channel> &lt;@U0BO> &lt;#C1> a < b"
        assert "<" not in shown.notice


async def test_every_piece_of_a_long_answer_is_taken() -> None:
    async with line(channel_per_second=0) as made:
        text = "# Long\n\n" + "A sentence with **bold** 😀 words, `code` and 中文。 " * 800
        for piece in made.adapter.pieces(made.out(DIRECT, text)):
            await made.adapter.send(piece)
        assert len(made.peer.messages(DIRECT)) > 3


async def test_words_arrive_where_the_layout_is_not_understood() -> None:
    async with line() as made:
        made.peer.faults.plan(refused("invalid_blocks"), method="chat.postMessage")
        await made.adapter.send(made.out(DIRECT, "- [ ] a **task** <x>"))
        assert made.peer.texts(DIRECT) == ["- [ ] a task &lt;x&gt;"]


# ---- refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "code"),
    [(RANDOM, "not_in_channel"), ("C0NOWHERE", "channel_not_found"), (OTHERS, "channel_not_found")],
)
async def test_where_we_were_not_invited_nothing_can_be_said(channel: str, code: str) -> None:
    async with line() as made:
        with pytest.raises(Declined) as error:
            await made.adapter.send(made.out(channel, "hi"))
        assert (error.value.code, error.value.is_outside) == (code, True)
        assert not made.adapter.watched(made.address(channel))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("invalid_auth", WrongToken),
        ("account_inactive", WrongToken),
        ("token_revoked", WrongToken),
        ("missing_scope", MissingScope),
        ("msg_too_long", Declined),
        ("is_archived", Declined),
        ("service_unavailable", Transient),
        ("request_timeout", Transient),
    ],
)
async def test_a_refusal_is_one_of_ours(code: str, kind: type[Exception]) -> None:
    async with line() as made:
        made.peer.faults.plan(refused(code), method="chat.postMessage")
        with pytest.raises(kind):
            await made.adapter.send(made.out(DIRECT, "hi"))
        assert len(made.peer.calls("chat.postMessage")) == 1


async def test_a_limit_pauses_this_channel_and_no_other() -> None:
    async with line() as made:
        made.peer.faults.plan(limited(30), method="chat.postMessage")
        thread = root(made)
        with pytest.raises(Transient) as error:
            await made.adapter.send(made.out(GENERAL, "one", thread))
        assert error.value.retry_after == timedelta(seconds=30)
        with pytest.raises(Transient):
            await made.adapter.send(made.out(GENERAL, "two", thread))
        await made.adapter.send(made.out(DIRECT, "elsewhere"))
        assert len(made.peer.calls("chat.postMessage")) == 2
        assert made.peer.texts(DIRECT) == ["elsewhere"]


async def test_nobody_there_is_only_a_delay() -> None:
    async with line(base_url="http://127.0.0.1:9/api/") as made:
        with pytest.raises(Transient):
            await made.adapter.send(made.out(DIRECT, "hi"))


# ---- what nobody knows -------------------------------------------------------------------


@pytest.mark.parametrize("fault", [cut(effect=True), garbage(effect=True), hang(effect=True)])
@pytest.mark.parametrize("channel", [GENERAL, DIRECT])
async def test_a_post_whose_answer_was_lost_is_found_by_its_key(fault: Fault, channel: str) -> None:
    async with line(timeout="300ms") as made:
        thread = root(made) if channel == GENERAL else None
        made.peer.faults.plan(fault, method="chat.postMessage")
        sent = await made.adapter.send(made.out(channel, "once", thread))
        (shown,) = made.peer.messages(channel)
        assert sent.platform_id == shown.ts
        assert len(made.peer.calls("chat.postMessage")) == 1


async def test_the_error_that_may_have_succeeded_is_looked_into() -> None:
    async with line() as made:
        made.peer.faults.plan(refused("internal_error", effect=True), method="chat.postMessage")
        await made.adapter.send(made.out(DIRECT, "once"))
        assert made.peer.texts(DIRECT) == ["once"]


@pytest.mark.parametrize("fault", [cut(), garbage(), hang(), page(502), refused("fatal_error")])
async def test_a_post_that_is_not_there_may_be_sent_again(fault: Fault) -> None:
    async with line(timeout="300ms") as made:
        made.peer.faults.plan(fault, method="chat.postMessage")
        with pytest.raises(Transient):
            await made.adapter.send(made.out(DIRECT, "once"))
        await made.adapter.send(made.out(DIRECT, "once"))
        assert made.peer.texts(DIRECT) == ["once"]


async def test_what_lands_late_is_found_before_it_is_sent_again() -> None:
    async with line(timeout="300ms") as made:
        made.peer.faults.plan(cut(), method="chat.postMessage")
        with pytest.raises(Transient):
            await made.adapter.send(made.out(DIRECT, "late"))
        body = made.peer.calls("chat.postMessage")[0].body
        made.peer.methods.post_message(dict(body))
        sent = await made.adapter.send(made.out(DIRECT, "late"))
        (shown,) = made.peer.messages(DIRECT)
        assert sent.platform_id == shown.ts


async def lost_on_the_way(made: Line, text: str) -> None:
    """Send it; Slack is still at work when we have given up, and it is not to be seen yet."""
    made.peer.faults.plan(hang(), method="chat.postMessage")
    with pytest.raises(Transient):
        await made.adapter.send(made.out(DIRECT, text))
    assert len(made.peer.calls("conversations.history")) == 2
    made.peer.methods.post_message(dict(made.peer.calls("chat.postMessage")[0].body))


@pytest.mark.parametrize("away", [limited(1), page(503), hang(), refused("fatal_error")])
async def test_what_cannot_be_looked_for_now_is_not_sent_again_now(away: Fault) -> None:
    async with line(timeout="300ms") as made:
        await lost_on_the_way(made, "late")
        made.peer.faults.plan(away, method="conversations.history")
        with pytest.raises(Transient):
            await made.adapter.send(made.out(DIRECT, "late"))
        sent = await made.adapter.send(made.out(DIRECT, "late"))
        (shown,) = made.peer.messages(DIRECT)
        assert sent.platform_id == shown.ts


async def test_what_can_never_be_looked_for_is_sent_again_only_once_that_is_said() -> None:
    async with line(timeout="300ms") as made:
        await lost_on_the_way(made, "late")
        made.peer.faults.plan(refused("missing_scope"), method="conversations.history", times=9)
        with pytest.raises(Ambiguous):
            await made.adapter.send(made.out(DIRECT, "late"))
        assert made.peer.texts(DIRECT) == ["late"]
        await made.adapter.send(made.out(DIRECT, "(sent again) late"))
        assert made.peer.texts(DIRECT) == ["late", "(sent again) late"]


async def test_what_was_said_to_be_doubtful_is_sent_again_where_it_can_never_be_looked_for() -> (
    None
):
    async with line(timeout="300ms") as made:
        made.peer.faults.plan(cut(), method="chat.postMessage")
        made.peer.faults.plan(page(503), method="conversations.history")
        with pytest.raises(Ambiguous):
            await made.adapter.send(made.out(DIRECT, "perhaps"))
        made.peer.faults.plan(limited(1), method="conversations.history")
        with pytest.raises(Transient):
            await made.adapter.send(made.out(DIRECT, "(sent again) perhaps"))
        made.peer.faults.plan(refused("missing_scope"), method="conversations.history")
        await made.adapter.send(made.out(DIRECT, "(sent again) perhaps"))
        assert made.peer.texts(DIRECT) == ["(sent again) perhaps"]


@pytest.mark.parametrize("away", [refused("missing_scope"), page(503), limited(60)])
async def test_where_nothing_can_be_read_back_nobody_knows(away: Fault) -> None:
    async with line(timeout="300ms") as made:
        made.peer.faults.plan(cut(), method="chat.postMessage")
        made.peer.faults.plan(away, method="conversations.history")
        with pytest.raises(Ambiguous):
            await made.adapter.send(made.out(DIRECT, "perhaps"))


async def test_an_older_message_of_the_same_key_is_not_taken_for_it() -> None:
    async with line(clock=FastClock(1000)) as made:
        await made.adapter.send(made.out(DIRECT, "an answer of another time"))
        await made.passes(300)
        made.peer.faults.plan(cut(), method="chat.postMessage")
        with pytest.raises(Transient):
            await made.adapter.send(made.out(DIRECT, "once"))


# ---- between the two of us ---------------------------------------------------------------


def whispered(made: Line, text: str, channel: str = GENERAL) -> Outbound:
    return Outbound("7/0", made.address(channel, ANN), text)


async def test_without_a_commands_address_a_whisper_is_heard_in_the_channel() -> None:
    async with line() as made:
        await made.adapter.send(whispered(made, "psst"))
        assert [(w.channel, w.user, w.text) for w in made.peer.whispers] == [(GENERAL, ANN, "psst")]


async def test_where_the_bot_is_not_in_the_channel_the_answer_comes_in_a_direct_chat() -> None:
    async with line() as made:
        await made.adapter.send(whispered(made, "psst", RANDOM))
        assert made.peer.texts(DIRECT) == ["psst"]


async def test_a_commands_address_takes_five_answers_and_then_the_channel_does() -> None:
    async with http() as made:
        await made.peer.post(made.peer.command_body("new", channel=RANDOM))
        (inbound,) = made.desk.inbounds
        for number in range(6):
            await made.adapter.send(Outbound(f"7/{number}", inbound.address, str(number)))
        assert [w.text for w in made.peer.whispers] == ["0", "1", "2", "3", "4"]
        assert made.peer.texts(DIRECT) == ["5"]


async def test_a_whisper_is_no_place_for_a_growing_answer() -> None:
    async with line() as made:
        address = made.address(GENERAL, ANN)
        assert not made.adapter.watched(address)
        with pytest.raises(Permanent):
            await made.adapter.draft(address, turn=TurnId(1), reply_to=None, resume=None)


# ---- nothing leaks -----------------------------------------------------------------------


def vendor_errors() -> Iterator[type[SlackClientError]]:
    for _, found in inspect.getmembers(slack_errors, inspect.isclass):
        if issubclass(found, SlackClientError):
            yield found


def api_error(response: object) -> SlackApiError:
    return SlackApiError("x", response)  # type: ignore[no-untyped-call]  # it has no types


def made_of(kind: type[SlackClientError]) -> SlackClientError:
    if kind is SlackApiError:
        return api_error({"ok": False, "error": "not_in_channel"})
    if kind is slack_errors.SlackTokenRotationError:
        return slack_errors.SlackTokenRotationError(api_error({"ok": False}))
    return kind("x")


@pytest.mark.parametrize("kind", tuple(vendor_errors()), ids=lambda kind: kind.__name__)
def test_no_error_of_the_library_travels_on(kind: type[SlackClientError]) -> None:
    assert isinstance(translate(made_of(kind)), ParleyError)


def test_an_answer_without_a_code_says_nothing() -> None:
    assert isinstance(translate(api_error("<html>")), Ambiguous)
    assert isinstance(translate(CallFailed(Transient("x"))), Transient)


async def test_no_library_logs_what_is_said_or_a_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("slack_sdk", "slack_bolt", "slack_bolt.AsyncApp", "slack_sdk.web.async_client"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    async with http() as made:
        await made.peer.post(made.peer.events.message("canary4711"))
        headers = {"X-Slack-Request-Timestamp": "1", "X-Slack-Signature": "v0=canary4711"}
        await made.peer.courier.send(b"canary4711=1", headers)
        await made.adapter.send(made.out(DIRECT, "canary4711"))
        made.peer.faults.plan(garbage(), method="chat.postMessage")
        with pytest.raises(Transient):
            await made.adapter.send(made.out(DIRECT, "canary4711", key="8/0"))
    ours = [r for r in caplog.records if not r.name.startswith(("asyncio", "aiohttp"))]
    written = "\n".join(f"{record.name} {record.getMessage()}" for record in ours)
    for secret in ("canary4711", "xoxb-", "signing-secret"):
        assert secret not in written


async def test_the_one_session_is_used_and_never_closed() -> None:
    async with line() as made:
        session: Any = made.adapter._client.web._http()
        assert isinstance(session, aiohttp.ClientSession)
        await made.adapter.send(made.out(DIRECT, "hi"))
        await made.adapter.close()
        assert not session.closed
