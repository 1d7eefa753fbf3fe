"""Customer-service messages: quotas, windows, tokens, and what an errcode means."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from adapters.wechat.api import Client
from adapters.wechat.failures import (
    Declined,
    Misconfigured,
    NotPermitted,
    QuotaUsed,
    Unfollowed,
    WindowClosed,
    outcome_of,
)
from adapters.wechat.normalise import Opens
from bot import Ambiguous, Audio, Held, Image, Permanent, Text, Transient
from tests.adapters.telegram.line import FastClock
from tests.adapters.wechat.line import Line, line, settings
from tests.peers.faults import Fault, cut, garbage, hang, page
from tests.peers.wechat import ANN
from tests.peers.wechat_rules import WORDS, errcode

SEND = "message/custom/send"


async def test_a_node_that_lost_its_lease_sends_nothing_and_counts_nothing() -> None:
    sure = [False]
    async with line(sure=lambda: sure[0]) as made:
        await made.peer.say(ANN, "hello")
        with pytest.raises(Transient):
            await made.adapter.send(made.out("late"))
        assert made.peer.calls(SEND) == []
        sure[0] = True
        for number in range(5):
            await made.adapter.send(made.out(str(number)))


async def test_what_waited_for_its_token_is_not_said_by_a_node_that_lost_its_lease() -> None:
    lines: list[Line] = []
    async with line(sure=lambda: not any(one.peer.calls("stable_token") for one in lines)) as made:
        made.peer.people.did(ANN, "message")
        made.adapter._windows.open(ANN, Opens.MESSAGE)
        assert made.peer.calls("stable_token") == []
        lines.append(made)
        with pytest.raises(Transient):
            await made.adapter.send(made.out("late"))
        assert made.peer.calls(SEND) == []
        assert made.adapter._windows.left(ANN) == 5


async def test_a_second_try_under_another_token_is_not_made_by_it_either() -> None:
    lines: list[Line] = []
    async with line(sure=lambda: not any(one.peer.calls(SEND) for one in lines)) as made:
        await made.peer.say(ANN, "hello")
        lines.append(made)
        made.peer.faults.plan(errcode(40001), method=SEND)
        with pytest.raises(Transient):
            await made.adapter.send(made.out("late"))
        assert len(made.peer.calls(SEND)) == 1


async def test_five_messages_and_no_sixth_until_the_person_writes() -> None:
    async with line() as made:
        await made.peer.say(ANN, "hello")
        for number in range(5):
            await made.adapter.send(made.out(str(number)))
        with pytest.raises(Held):
            await made.adapter.send(made.out("a sixth"))
        assert made.peer.refusals() == [], "the platform never had to say no"
        assert len(made.peer.calls(SEND)) == 5
        await made.peer.say(ANN, "go on")
        await made.adapter.send(made.out("a sixth"))
        assert made.peer.texts(ANN)[-1] == "a sixth"


async def test_replies_cost_nothing_of_the_five() -> None:
    async with line() as made:
        for _ in range(3):
            await made.peer.say(ANN, "hello")
        for number in range(5):
            await made.adapter.send(made.out(str(number)))
        assert made.peer.refusals() == []


async def test_after_two_days_nothing_is_tried() -> None:
    async with line() as made:
        await made.peer.say(ANN, "hello")
        made.adapter._windows.open(ANN, Opens.MESSAGE, made.clock.now() - timedelta(hours=48))
        with pytest.raises(Held):
            await made.adapter.send(made.out("too late"))
        assert made.peer.calls(SEND) == []


async def test_a_touch_allows_three() -> None:
    async with line() as made:
        await made.peer.touch(ANN, "subscribe")
        for number in range(3):
            await made.adapter.send(made.out(str(number)))
        with pytest.raises(Held):
            await made.adapter.send(made.out("a fourth"))
        assert made.peer.refusals() == []


async def test_what_another_node_has_seen_counts_too() -> None:
    async with line() as made:
        await made.peer.say(ANN, "hello")
        for number in range(5):
            await made.adapter.send(made.out(str(number)))
        made.peer.people.did(ANN, "message")
        made.pages.wrote(made.address(), made.clock)
        await made.adapter.send(made.out("the person wrote to another node"))
        assert made.peer.refusals() == []
        assert made.pages.asked == 1


async def test_after_a_restart_the_platform_counts_and_its_no_is_kept() -> None:
    async with line() as made:
        made.peer.person(ANN)
        with pytest.raises(WindowClosed):
            await made.adapter.send(made.out("nobody has written"))
        with pytest.raises(Held):
            await made.adapter.send(made.out("nor since"))
        assert made.peer.refusals() == [45015]
        made.peer.people.did(ANN, "message")
        window = made.peer.person(ANN).window
        assert window is not None
        window.left = 0
        made.pages.wrote(made.address(), made.clock)
        with pytest.raises(QuotaUsed):
            await made.adapter.send(made.out("the former process has used them up"))
        assert made.peer.refusals() == [45015, 45047]


async def test_what_is_left_cuts_nothing_off_and_the_rest_waits_for_the_person() -> None:
    async with line() as made:
        await made.peer.say(ANN, "hello")
        for number in range(4):
            await made.adapter.send(made.out(str(number)))
        pieces = made.adapter.pieces(made.out("这是很长的一段话。" * 600))
        assert len(pieces) == 3
        await made.adapter.send(pieces[0])
        with pytest.raises(Held):
            await made.adapter.send(pieces[1])
        await made.peer.say(ANN, "go on")
        for piece in pieces[1:]:
            await made.adapter.send(piece)
        assert made.peer.refusals() == []


async def test_a_touch_does_not_close_a_window_that_a_restart_has_forgotten() -> None:
    async with line() as made:
        made.peer.people.did(ANN, "message")
        await made.peer.touch(ANN, "subscribe")
        made.adapter._windows.open(ANN, Opens.TOUCH, made.clock.now() - timedelta(minutes=1))
        await made.adapter.send(made.out("late"))
        assert made.peer.texts(ANN)[-1] == "late"


async def test_a_message_that_another_node_was_told_of_first_opens_a_window_here_too() -> None:
    async with line() as made, line(receive=made.desk, beside=made) as other:
        event = made.peer.text(ANN, "hello")
        made.peer.people.did(ANN, "message")
        await made.peer.courier.post(made.peer.courier.signed(event.xml), url=made.url)
        assert other.adapter._windows.left(ANN) is None
        await made.peer.courier.post(made.peer.courier.signed(event.xml), url=other.url)
        await other.adapter.send(other.out("late"))
        await made.peer.courier.post(made.peer.courier.signed(event.xml), url=other.url)
        assert other.adapter._windows.left(ANN) == 4


async def test_an_account_without_the_new_customer_service_holds_what_it_may_not_send() -> None:
    async with line() as made:
        await made.peer.say(ANN, "hello")
        made.peer.faults.plan(errcode(65400), method=SEND)
        with pytest.raises(Held):
            await made.adapter.send(made.out("late"))


async def test_permission_is_found_out_before_anything_depends_on_it() -> None:
    async with line(may_send=False) as made:
        await made.peer.say(ANN, "hello")
        await made.peer.wait_for(lambda: made.peer.refusals() == [48001])
        with pytest.raises(Held):
            await made.adapter.send(made.out("late"))
        assert made.peer.calls(SEND) == []
        assert len(made.adapter.pieces(made.out("很长。" * 2000))) == 1


async def test_a_refusal_is_doubted_after_a_while() -> None:
    async with line(may_send=False) as made:
        made.peer.people.did(ANN, "message")
        with pytest.raises(NotPermitted):
            await made.adapter.send(made.out("late"))
        made.peer.people.may_send = True
        with pytest.raises(Held):
            await made.adapter.send(made.out("late"))
        made.adapter._permission._found_at -= 600
        await made.adapter.send(made.out("late"))
        assert made.peer.texts(ANN) == ["late"]


async def test_without_customer_service_by_configuration_nothing_is_asked() -> None:
    async with line(customer_service=False) as made:
        await made.peer.say(ANN, "hello")
        with pytest.raises(Held):
            await made.adapter.send(made.out("late"))
        assert made.peer.exchanges == []


async def test_pictures_and_recordings_go_by_their_ids() -> None:
    async with line() as made:
        made.peer.people.did(ANN, "message")
        whole = made.out("look", attachments=(Image("media-1"), Audio("media-2")))
        for piece in made.adapter.pieces(whole):
            await made.adapter.send(piece)
        shown = [(shown.text, shown.media) for shown in made.peer.screen(ANN)]
        assert shown == [("look", ""), ("", "media-1"), ("", "media-2")]


async def test_a_person_who_left_gets_nothing_more() -> None:
    async with line() as made:
        await made.peer.say(ANN, "hello")
        made.peer.person(ANN).follows = False
        with pytest.raises(Unfollowed):
            await made.adapter.send(made.out("still there?"))
        await made.peer.touch(ANN, "subscribe")
        await made.peer.say(ANN, "I am back")
        await made.adapter.send(made.out("welcome back"))
        assert made.peer.texts(ANN)[-1] == "welcome back"


async def test_files_come_down_up_to_a_size() -> None:
    async with line(max_file="1kB") as made:
        made.peer.files["m1"] = b"x" * 1000
        made.peer.files["m2"] = b"x" * 1001
        assert await made.adapter.fetch(Image("m1")) == b"x" * 1000
        for part in (Image("m2"), Image("gone"), Image(""), Text("no file")):
            with pytest.raises(Permanent):
                await made.adapter.fetch(part)


# ---- tokens ----------------------------------------------------------------------------------


async def test_one_token_serves_many_calls_at_once() -> None:
    async with line() as made:
        made.peer.people.did(ANN, "message")
        await asyncio.gather(*(made.adapter.send(made.out(str(n))) for n in range(5)))
        assert len(made.peer.calls("stable_token")) == 1


async def test_a_token_is_fetched_again_before_it_ends() -> None:
    async with line() as made:
        made.peer.people.did(ANN, "message")
        await made.adapter.send(made.out("one"))
        assert 6800 < made.adapter._client._ends_at - made.clock.monotonic() < 6900
        made.adapter._client._ends_at = made.clock.monotonic()
        await made.adapter.send(made.out("two"))
        assert len(made.peer.calls("stable_token")) == 2
        assert made.peer.refusals() == []


@pytest.mark.parametrize("code", [40001, 40014, 42001])
async def test_a_refused_token_is_fetched_once_more_and_the_call_made_once_more(code: int) -> None:
    WORDS.setdefault(40014, "invalid access_token")
    async with line() as made:
        made.peer.people.did(ANN, "message")
        made.peer.faults.plan(errcode(code), method=SEND)
        await made.adapter.send(made.out("hello"))
        assert made.peer.texts(ANN) == ["hello"]
        # The platform repeats the token that it still holds for good: then it is forced, once.
        forced = [call.body["force_refresh"] for call in made.peer.calls("stable_token")]
        assert forced == [False, False, True]


async def test_a_token_that_is_refused_for_ever_ends_after_two_calls() -> None:
    async with line() as made:
        made.peer.people.did(ANN, "message")
        made.peer.faults.plan(errcode(40001), method=SEND, times=100)
        for _ in range(3):
            with pytest.raises(Misconfigured):
                await made.adapter.send(made.out("hello"))
        assert len(made.peer.calls(SEND)) == 6
        assert sum(call.body["force_refresh"] for call in made.peer.calls("stable_token")) == 1


async def test_a_token_that_another_process_has_renewed_is_found_without_force() -> None:
    async with line() as made:
        made.peer.people.did(ANN, "message")
        await made.adapter.send(made.out("one"))
        made.peer.tokens.revoke()
        await made.adapter.send(made.out("two"))
        assert [call.body["force_refresh"] for call in made.peer.calls("stable_token")] == [
            False,
            False,
        ]


# ---- what goes wrong -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (-1, Transient),
        (40003, Declined),
        (45002, Declined),
        (43004, Unfollowed),
        (45009, Misconfigured),
        (45011, Transient),
        (45015, WindowClosed),
        (45047, QuotaUsed),
        (48001, NotPermitted),
        (40164, Misconfigured),
        (99999, Declined),
    ],
)
def test_an_errcode_says_what_to_do_next(code: int, kind: type[Exception]) -> None:
    assert type(outcome_of(code, "invalid ip 1.2.3.4, not in whitelist")) is kind


@pytest.mark.parametrize(
    ("fault", "kind", "timeout"),
    [
        (page(502), Ambiguous, "10s"),
        (page(503), Ambiguous, "10s"),
        (garbage(effect=True), Ambiguous, "10s"),
        (cut(effect=True), Ambiguous, "10s"),
        (hang(effect=True), Ambiguous, "300ms"),
    ],
)
async def test_an_answer_that_is_lost_is_ambiguous_and_counts(
    fault: Fault, kind: type[Exception], timeout: str
) -> None:
    async with line(timeout=timeout) as made:
        await made.peer.say(ANN, "hello")
        made.peer.faults.plan(fault, method=SEND)
        with pytest.raises(kind):
            await made.adapter.send(made.out("did it arrive?"))
        assert made.adapter._windows.left(ANN) == (4 if kind is Ambiguous else 5)


@pytest.mark.parametrize(
    ("status", "kind"), [(429, Transient), (302, Permanent), (403, Permanent), (413, Permanent)]
)
async def test_a_page_that_has_kept_a_message_to_itself_costs_none_of_the_five(
    status: int, kind: type[Exception]
) -> None:
    async with line() as made:
        await made.peer.say(ANN, "hello")
        made.peer.faults.plan(page(status), method=SEND)
        with pytest.raises(kind):
            await made.adapter.send(made.out("it did not arrive"))
        assert made.adapter._windows.left(ANN) == 5


@pytest.mark.parametrize("status", [302, 403, 429, 502, 503])
async def test_what_waits_for_a_token_may_leave_later_whatever_page_came_instead(
    status: int,
) -> None:
    async with line() as made:
        made.peer.people.did(ANN, "message")
        made.peer.faults.plan(page(status), method="stable_token")
        with pytest.raises(Transient):
            await made.adapter.send(made.out("hello"))
        await made.adapter.send(made.out("hello"))
        assert made.peer.texts(ANN) == ["hello"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(302, Permanent), (403, Permanent), (429, Transient), (502, Transient), (503, Transient)],
)
async def test_a_page_is_no_file_and_asking_is_never_ambiguous(
    status: int, kind: type[Exception]
) -> None:
    async with line() as made:
        made.peer.files["m1"] = b"picture"
        asking: Mapping[str, Callable[[], Awaitable[object]]] = {
            "media/get": lambda: made.adapter.fetch(Image("m1")),
            "customservice/getkflist": made.adapter._client.may_send,
            "message/custom/typing": lambda: made.adapter._client.typing(ANN),
        }
        for method, ask in asking.items():
            made.peer.faults.plan(page(status), method=method)
            with pytest.raises(kind):
                await ask()


async def test_a_platform_that_is_away_is_transient() -> None:
    async with line() as made:
        await made.peer.say(ANN, "hello")
        await made.peer.stop()
        with pytest.raises(Transient) as refused:
            await made.adapter.send(made.out("hello?"))
        assert "token" not in str(refused.value)
        assert refused.value.__cause__ is None


@pytest.mark.parametrize("error", [*aiohttp.ClientError.__subclasses__(), TimeoutError, OSError])
async def test_no_error_of_the_transport_travels_on(error: type[Exception]) -> None:
    class Failing:
        def request(self, *_: Any, **__: Any) -> Any:
            raise error.__new__(error)

    client = Client(settings(), Failing, FastClock())  # type: ignore[arg-type]  # fails anyhow
    with pytest.raises((Transient, Ambiguous)):
        await client.send(ANN, {})
