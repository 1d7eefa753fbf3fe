"""Being called by Slack, over a real wire: what is checked, what is acknowledged, and when."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlencode

import aiohttp
import pytest

from adapters.slack import HttpAdapter
from adapters.slack.dispatch import Dispatcher
from bot import Address, Choice, Inbound, Kind, TurnId
from tests.adapters.slack.line import TEAM, Line, http
from tests.adapters.telegram.line import NewReceipt
from tests.asgi import Caller
from tests.fakes import until
from tests.peers.slack import BOT, SIGNING_SECRET
from tests.peers.slack_delivery import Redelivery, signed
from tests.peers.slack_events import ANN, BO, DIRECT, GENERAL, OTHERS, RANDOM


async def post(made: Line, raw: bytes, headers: Mapping[str, str] | None = None) -> int:
    """Bytes that are signed, unless headers are given."""
    stamp = int(made.clock.now().timestamp())
    given = signed(SIGNING_SECRET, raw, stamp) if headers is None else headers
    kind = {"Content-Type": "application/json"}
    return (await made.peer.courier.send(raw, {**kind, **given})).status


def why(made: Line) -> list[str]:
    return made.facts("rejected", "why")


# ---- what is checked ---------------------------------------------------------------------


async def test_the_address_is_verified_by_its_challenge() -> None:
    async with http() as made:
        body = {"type": "url_verification", "token": "x", "challenge": "say-this-back"}
        answer = await made.peer.post(body)
        assert (answer.status, json.loads(answer.body)) == (200, {"challenge": "say-this-back"})
        raw = json.dumps(body).encode()
        assert await post(made, raw, {}) == 401


async def test_an_unsigned_forged_stale_or_changed_request_is_refused_and_not_read() -> None:
    async with http() as made:
        raw = json.dumps(made.peer.events.message("let me in")).encode()
        now = int(made.clock.now().timestamp())
        good = signed(SIGNING_SECRET, raw, now)
        refusals: list[tuple[str, bytes, dict[str, str]]] = [
            ("unsigned", raw, {}),
            ("unsigned", raw, {**good, "X-Slack-Request-Timestamp": "now"}),
            ("signature", raw, {"X-Slack-Request-Timestamp": str(now)}),
            ("signature", raw, {**good, "X-Slack-Signature": "v0=" + "0" * 64}),
            ("signature", raw, {**good, "X-Slack-Signature": "v0=ünïcode"}),
            ("signature", raw + b" ", good),
            ("signature", raw, signed("another app's", raw, now)),
            ("stale", raw, signed(SIGNING_SECRET, raw, now - 360)),
            ("stale", raw, signed(SIGNING_SECRET, raw, now + 360)),
        ]
        for expected, body, headers in refusals:
            assert await post(made, body, headers) == 401, expected
            assert why(made)[-1] == expected
        assert made.desk.attempts == 0
        assert await post(made, raw, good) == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b'{"type": "event_callback"',
        b"[" * 20_000,
        b'{"a":' * 20_000,
        b"payload={",
        b"payload=" + b"%5B" * 9000,
        b"payload=[]",
        b"\xff\xfe\xff",
        b"&".join(b"a%d=1" % number for number in range(500)),
    ],
)
async def test_what_slack_could_not_have_written_is_refused_although_it_is_signed(
    raw: bytes,
) -> None:
    async with http() as made:
        assert await post(made, raw) in (200, 400)
        assert made.desk.attempts == 0
        assert not made.observer.named("failed")


@pytest.mark.parametrize("raw", [b"{", b"[]", b"payload={", b"[" * 20_000])
async def test_a_body_that_is_none_is_a_400(raw: bytes) -> None:
    async with http() as made:
        assert await post(made, raw) == 400
        assert why(made) == ["unreadable"]


@pytest.mark.parametrize("kind", ["text/plain", "text/xml", "multipart/form-data; boundary=x"])
async def test_a_body_of_a_kind_that_slack_does_not_send_is_a_415(kind: str) -> None:
    async with http() as made:
        raw = json.dumps(made.peer.events.message("let me in")).encode()
        stamp = int(made.clock.now().timestamp())
        headers = {**signed(SIGNING_SECRET, raw, stamp), "Content-Type": kind}
        assert await post(made, raw, headers) == 415
        assert why(made) == ["content type"]
        assert made.desk.attempts == 0


async def test_what_is_too_large_is_refused_before_it_is_read() -> None:
    async with http(max_size=2000) as made:
        assert await post(made, b"x" * 2001) == 413

        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 500

        async with aiohttp.ClientSession() as session:
            try:
                async with session.post(made.url, data=endless()) as answer:
                    assert answer.status == 413
            except aiohttp.ClientError:
                pass  # it may have stopped listening before it answered
        assert why(made) == ["size", "size"]


async def test_only_posts_are_taken_and_slack_may_look_at_our_certificate() -> None:
    async with http() as made, aiohttp.ClientSession() as session:
        for method in ("GET", "PUT", "DELETE"):
            async with session.request(method, made.url) as answer:
                assert answer.status == 405
        async with session.get(made.url, params={"ssl_check": "1", "token": "x"}) as answer:
            assert answer.status == 200
        async with session.post(made.url, data={"token": "x", "ssl_check": "1"}) as answer:
            assert (answer.status, await answer.read()) == (200, b"")
        assert made.desk.attempts == 0


async def test_an_event_that_speaks_of_a_certificate_is_no_look_at_ours() -> None:
    async with http() as made:
        text = "see https://e.example/?a=1&ssl_check=1&b=2"
        raw = json.dumps(made.peer.events.message(text)).encode()
        assert b"&ssl_check=1&" in raw
        assert await post(made, raw) == 200
        assert made.desk.texts == [text]


async def test_bolts_own_headers_are_not_obeyed() -> None:
    async with http() as made:
        raw = json.dumps(made.peer.events.message("hello")).encode()
        stamp = int(made.clock.now().timestamp())
        orders = {"X-Slack-Bolt-Lazy-Only": "1", "X-Slack-Bolt-Lazy-Function-Name": "x"}
        assert await post(made, raw, {**signed(SIGNING_SECRET, raw, stamp), **orders}) == 200
        assert made.desk.texts == ["hello"]


# ---- what is acknowledged ----------------------------------------------------------------


async def test_nothing_is_answered_404() -> None:
    async with http() as made:
        for body in (
            made.peer.events.envelope({"type": "something_new"}),
            {"type": "something_new", "team": {"id": TEAM}},
            {"command": "/other", "text": ""},
            made.peer.events.envelope({"type": "message", "text": 7}),
            {"type": "event_callback", "authorizations": [7], "event": {"type": "message"}},
        ):
            assert (await made.peer.post(body)).status == 200
        assert not made.desk.inbounds


async def test_it_is_acknowledged_only_once_it_is_stored() -> None:
    async with http() as made:
        made.desk.shut = 2
        answer = await made.peer.deliver(made.peer.events.message("hello"))
        assert answer.status == 200
        assert (made.desk.attempts, made.desk.texts) == (3, ["hello"])
        statuses = [entry.fields["status"] for entry in made.peer.log.of("delivered")]
        assert statuses == [503, 503, 200]


async def test_a_retry_is_never_a_reason_to_drop_it() -> None:
    async with http() as made:
        body = made.peer.events.message("hello")
        headers = {"X-Slack-Retry-Num": "3", "X-Slack-Retry-Reason": "http_timeout"}
        assert (await made.peer.post(body, **headers)).status == 200
        assert (await made.peer.post(body, **headers)).status == 200
        assert (made.desk.attempts, made.desk.texts) == (2, ["hello"])


async def test_a_slow_disk_brings_the_same_event_twice_and_it_stays_one() -> None:
    async with http(peer={"redelivery": Redelivery(pauses=(0.0,), patience=0.2)}) as made:
        gate = asyncio.Event()

        async def slow(inbound: Inbound, open_for: object = None, /) -> NewReceipt:
            await gate.wait()
            return await made.desk(inbound)

        dispatcher: Dispatcher = made.adapter._dispatcher(slow)
        assert isinstance(made.adapter, HttpAdapter)
        caller = Caller(made.adapter._webhook.app(dispatcher))
        raw = json.dumps(made.peer.events.message("hello")).encode()
        stamp = int(made.clock.now().timestamp())
        headers = signed(SIGNING_SECRET, raw, stamp)
        asked = [
            asyncio.create_task(caller.ask("POST", "/", headers=headers, body=[raw]))
            for _ in range(2)
        ]
        await asyncio.sleep(0)
        gate.set()
        assert [(await one).status for one in asked] == [200, 200]
        assert made.desk.texts == ["hello"]


async def test_what_nobody_expected_is_the_servers_to_report() -> None:
    async with http() as made:

        async def broken(inbound: Inbound, open_for: object = None, /) -> NewReceipt:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await made.adapter._dispatcher(broken).dispatch(made.peer.events.message("x"))


# ---- who is answered ---------------------------------------------------------------------


async def test_a_mention_comes_twice_and_is_stored_once() -> None:
    async with http() as made:
        said = made.peer.ask("what is up?")
        await until(lambda: made.desk.attempts == 2 and made.desk.inbounds)
        (inbound,) = made.desk.inbounds
        ts = said["event"]["ts"]
        assert inbound.address == Address("slack", TEAM, GENERAL, ts)
        assert (inbound.event_key, inbound.text) == (ts, "what is up?")


async def test_a_thread_that_began_with_us_goes_on_without_our_name() -> None:
    async with http() as made:
        root = made.peer.ask("what is up?")["event"]["ts"]
        await made.desk.has(1)
        await made.peer.post(made.peer.events.message("and?", channel=GENERAL, thread=root))
        await made.peer.post(made.peer.events.message("aside", channel=GENERAL))
        await made.peer.post(made.peer.events.message("theirs", channel=GENERAL, thread="1.2"))
        assert made.desk.texts == ["what is up?", "and?"]
        assert made.desk.inbounds[1].addressed
        assert made.facts("discarded", "why") == ["unaddressed", "unaddressed"]


async def test_after_a_restart_the_transcript_knows_our_threads() -> None:
    async with http() as made:
        made.pages.remember(made.address(GENERAL, "5.6"))
        body = made.peer.events.message("still there?", channel=GENERAL, thread="5.6", user=BO)
        await made.peer.post(body)
        await made.peer.post(
            made.peer.events.message("yes?", channel=GENERAL, thread="5.6", user=BO)
        )
        assert made.desk.texts == ["still there?", "yes?"]
        assert made.pages.asked == [made.address(GENERAL, "5.6")]


async def test_a_thread_that_cannot_be_looked_up_comes_again() -> None:
    async with http() as made:
        made.pages.away = True
        body = made.peer.events.message("hm", channel=GENERAL, thread="5.6")
        assert (await made.peer.post(body)).status == 503


async def test_where_we_have_spoken_we_take_part() -> None:
    async with http() as made:
        root = made.peer.say("look", channel=GENERAL)["event"]["ts"]
        await made.adapter.send(made.out(GENERAL, "I see", root))
        await made.peer.post(made.peer.events.message("and?", channel=GENERAL, thread=root))
        assert made.desk.texts == ["and?"]


async def test_our_own_messages_and_edits_come_back_and_are_ignored() -> None:
    async with http() as made:
        draft = await made.adapter.draft(
            made.address(DIRECT), turn=TurnId(7), reply_to=None, resume=None
        )
        await draft.show("growing")
        await draft.finish(made.out(DIRECT, "done"))
        await until(lambda: made.facts("discarded", "why").count("own") == 3)
        assert not made.desk.inbounds


async def test_edits_and_deletions_reach_what_we_were_told() -> None:
    async with http() as made:
        direct = made.peer.say("helo")
        asked = made.peer.ask("wat?")
        await made.desk.has(2)
        await made.peer.post(made.peer.events.edited(direct, "hello"))
        await made.peer.post(made.peer.events.edited(asked, "what?"))
        await made.peer.post(made.peer.events.deleted(asked))
        aside = made.peer.events.message("aside", channel=GENERAL)
        await made.peer.post(made.peer.events.edited(aside, "another aside"))
        await made.peer.post(made.peer.events.deleted(aside))
        kinds = [inbound.kind for inbound in made.desk.inbounds[2:]]
        assert kinds == [Kind.EDITED, Kind.EDITED, Kind.RECALLED]
        assert made.desk.inbounds[3].address == made.desk.inbounds[4].address


# ---- commands and buttons ----------------------------------------------------------------


async def test_a_slash_command_is_acknowledged_with_nothing_and_answered_in_private() -> None:
    async with http() as made:
        answer = await made.peer.post(made.peer.command_body("help"))
        assert (answer.status, answer.body) == (200, "")
        (inbound,) = made.desk.inbounds
        assert (inbound.kind, inbound.text) == (Kind.COMMAND, "/help")
        await made.adapter.send(made.out(GENERAL, "This can be asked.", ANN))
        assert [w.text for w in made.peer.whispers] == ["This can be asked."]
        assert not made.peer.texts(GENERAL)


async def test_in_our_direct_chat_a_slash_command_is_about_that_chat() -> None:
    async with http() as made:
        made.peer.say("hello")
        await made.desk.has(1)
        await made.peer.post(made.peer.command_body("new", channel=DIRECT))
        await made.peer.post(made.peer.command_body("new", channel=OTHERS))
        assert [i.address for i in made.desk.inbounds[1:]] == [
            made.address(DIRECT),
            made.address(OTHERS, ANN),
        ]


async def test_stop_means_the_thread_in_which_this_person_spoke_to_us_last() -> None:
    async with http() as made:
        root = made.peer.ask("a long story")["event"]["ts"]
        await made.desk.has(1)
        await made.peer.post(made.peer.command_body("stop"))
        await made.peer.post(made.peer.command_body("stop", user=BO))
        await made.peer.post(made.peer.command_body("stop", channel=RANDOM))
        assert [(i.address, i.direct) for i in made.desk.inbounds[1:]] == [
            (made.address(GENERAL, root), False),
            (made.address(GENERAL, BO), True),
            (made.address(RANDOM, ANN), True),
        ]


async def test_stop_means_the_thread_that_another_node_has_heard_of() -> None:
    async with http() as made:
        thread, elsewhere = made.address(GENERAL, "1.2"), made.address(RANDOM, "1.3")
        made.pages.waiting[ANN] = [elsewhere, made.address(GENERAL, ANN), thread]
        await made.peer.post(made.peer.command_body("stop"))
        await made.peer.post(made.peer.command_body("stop", user=BO))
        assert [(i.address, i.direct) for i in made.desk.inbounds] == [
            (thread, False),
            (made.address(GENERAL, BO), True),
        ]


async def test_stop_means_what_waits_elsewhere_before_what_was_heard_here() -> None:
    async with http() as made:
        made.peer.ask("the first story")
        await made.desk.has(1)
        later = made.address(GENERAL, "1.2")
        made.pages.waiting[ANN] = [later]
        await made.peer.post(made.peer.command_body("stop"))
        assert made.desk.inbounds[1].address == later


async def test_stop_in_our_direct_chat_means_the_thread_of_it_that_was_written_in_last() -> None:
    async with http() as made:
        root = made.peer.say("hello")["event"]["ts"]
        await made.desk.has(1)
        made.peer.say("a long story", thread=root)
        await made.desk.has(2)
        await made.peer.post(made.peer.command_body("stop", channel=DIRECT))
        stop = made.desk.inbounds[2]
        assert (stop.address, stop.direct) == (made.address(DIRECT, root), True)


async def test_a_press_is_taken_once_and_the_buttons_go_away() -> None:
    async with http() as made:
        choices = (Choice("Yes", "yes"), Choice("No", "no"))
        await made.adapter.send(made.out(DIRECT, "Really?", choices=choices))
        (shown,) = made.peer.messages(DIRECT)
        blocks = list(shown.versions[-1].blocks)
        for _ in range(2):
            await made.peer.post(made.peer.events.press(shown, blocks))
        await made.peer.wait_for(lambda: not shown.buttons)
        assert [(i.kind, i.text) for i in made.desk.inbounds] == [(Kind.BUTTON, "yes")]
        assert shown.text == "Really?"


async def test_in_a_channel_only_who_asked_takes_the_buttons_away() -> None:
    async with http() as made:
        root = made.peer.ask("order it")["event"]["ts"]
        await made.desk.has(1)
        made.pages.remember(made.address(GENERAL, root), root, ANN)
        choices = (Choice("Yes", "yes"), Choice("No", "no"))
        answer = made.out(GENERAL, "Shall I?", root, reply_to=root, choices=choices)
        await made.adapter.send(answer)
        (shown,) = made.peer.messages(GENERAL)
        blocks = list(shown.versions[-1].blocks)
        for _ in range(2):
            await made.peer.post(made.peer.events.press(shown, blocks, user=BO))
        await until(lambda: not made.adapter._reception._errands)
        assert shown.buttons
        await made.peer.post(made.peer.events.press(shown, blocks, user=ANN))
        await made.peer.wait_for(lambda: not shown.buttons)
        presses = [(inbound.kind, inbound.sender.id) for inbound in made.desk.inbounds[1:]]
        assert presses == [(Kind.BUTTON, BO), (Kind.BUTTON, ANN)]


async def test_buttons_under_what_answers_nobody_stay_in_a_channel() -> None:
    async with http() as made:
        await made.adapter.send(made.out(GENERAL, "Who is in?", choices=(Choice("I", "me"),)))
        (shown,) = made.peer.messages(GENERAL)
        for user in (ANN, BO):
            body = made.peer.events.press(shown, list(shown.versions[-1].blocks), user=user)
            await made.peer.post(body)
        await until(lambda: not made.adapter._reception._errands)
        assert shown.buttons
        assert [inbound.sender.id for inbound in made.desk.inbounds] == [ANN, BO]


async def test_a_removed_bot_says_so_until_somebody_speaks_to_it_there_again() -> None:
    async with http() as made:
        await made.peer.post(made.peer.events.left())
        assert not made.adapter.watched(made.address(GENERAL, "1.2"))
        made.peer.ask("back again")
        await made.desk.has(1)
        assert made.adapter.watched(made.address(GENERAL, "1.2"))


async def test_strangers_are_answered_only_where_that_is_wanted() -> None:
    for external, texts in ((False, []), (True, ["who earns what?"])):
        async with http(external=external) as made:
            body = made.peer.events.mention("who earns what?")[1]
            event = {**body["event"], "user_team": "T0THEIRS"}
            shared = {**body, "event": event, "is_ext_shared_channel": True}
            assert (await made.peer.post(shared)).status == 200
            assert made.desk.texts == texts


async def test_an_old_environment_of_bolts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLIENT_ID", "CLIENT_SECRET", "SIGNING_SECRET", "BOT_TOKEN"):
        monkeypatch.setenv(f"SLACK_{name}", "of another app")
    async with http() as made:
        assert (await made.peer.post(made.peer.events.message("hello"))).status == 200
        assert made.desk.texts == ["hello"]
        form = urlencode({"payload": json.dumps({"type": "shortcut", "team": {"id": TEAM}})})
        assert await post(made, form.encode()) == 200
        assert made.peer.bot["user_id"] == BOT
