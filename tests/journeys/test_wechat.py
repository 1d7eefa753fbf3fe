"""WeChat over the real wire: replies, messages, what is held, quota, windows, tokens."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.journeys.databases import KINDS
from tests.journeys.databases import database as any_database
from tests.journeys.wechat_house import DAY, House, house
from tests.peers.model_answers import Answer, Script, by_words, echo, in_turn
from tests.peers.wechat import ANN, BEN
from tests.peers.wechat_rules import errcode

pytestmark = pytest.mark.slow

SEND, TOKENS = "message/custom/send", "stable_token"
CUT_MARK = "(The answer was too long; its end was left out.)"


@pytest_asyncio.fixture(params=KINDS)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[str, None]:
    """Both, one after the other."""
    async with any_database(request, tmp_path) as found:
        yield found


def when_told(**answers: tuple[str, asyncio.Event]) -> Script:
    """For each word an answer that waits for its event; an echo to everything else."""
    table = {word: Answer(text=text, waits={0: go}) for word, (text, go) in answers.items()}
    return by_words(table, echo())


def sentences(number: int) -> str:
    """A long answer: some fifty of these fill a message."""
    return " ".join(f"Sentence {n:03} is said in so many words." for n in range(number))


# ---- the ways of an answer ---------------------------------------------------------------


async def test_a_text_is_answered_in_its_own_call_encrypted_by_an_unstreamed_model_call(
    tmp_path: Path, database: str
) -> None:
    async with house(tmp_path, echo(), database=database) as found:
        done = await found.peer.say(ANN, "hello there")
        assert (done.statuses, done.said) == ([200], "You said: hello there [answer-1]")
        body = done.attempts[0].body
        assert b"<Encrypt>" in body
        assert b"hello" not in body
        assert [asked.streamed for asked in found.model.asked] == [False]
        assert found.peer.calls(SEND) == []


async def test_a_slow_answer_is_a_customer_service_message(tmp_path: Path, database: str) -> None:
    go = asyncio.Event()
    script = when_told(hard=("It took a while.", go))
    async with house(tmp_path, script, database=database) as found:
        done = await found.peer.say(ANN, "a hard one")
        assert (done.statuses, done.said) == ([200], None)
        assert found.peer.person(ANN).typings == 1
        go.set()
        await found.sees("It took a while.")
        assert [shown.by for shown in found.peer.screen(ANN)] == ["message"]
        assert found.refusals == []


async def test_without_permission_it_is_held_and_leaves_with_the_next_message_which_is_answered(
    tmp_path: Path, database: str
) -> None:
    go = asyncio.Event()
    script = when_told(hard=("It took a while.", go))
    async with house(tmp_path, script, database=database, may_send=False) as found:
        done = await found.peer.say(ANN, "a hard one")
        assert done.statuses == [0, 0, 200]
        assert done.said is not None
        assert len(done.said.splitlines()) == 2
        assert "still working" in done.said
        go.set()
        await found.has_counted(1, "sends_total", adapter="wechat", outcome="held")
        done = await found.peer.say(ANN, "and now?")
        assert (done.statuses, done.said) == (
            [200],
            "It took a while.\n\nYou said: and now? [answer-1]",
        )
        assert found.asked("a hard one") == 1
        assert found.peer.out_of_order(ANN) == 0


@pytest.mark.parametrize("calls", [2, 3])
async def test_an_answer_in_a_later_call_is_its_reply_without_a_working_text(
    tmp_path: Path, calls: int
) -> None:
    go = asyncio.Event()
    script = when_told(hard=("Just in time.", go))
    async with house(tmp_path, script, may_send=False) as found:
        push = found.peer.push(found.peer.text(ANN, "a hard one"))
        await found.peer.wait_for(lambda: len(found.peer.log.of("delivery")) == calls, 30)
        go.set()
        assert (await push).statuses == [0] * (calls - 1) + [200]
        assert found.peer.texts(ANN) == ["Just in time."]


async def test_a_long_answer_is_one_reply_and_the_rest_as_messages_in_order(tmp_path: Path) -> None:
    text = sentences(120)
    async with house(tmp_path, by_words({"all": Answer(text=text)}, echo())) as found:
        await found.peer.say(ANN, "tell me all")
        await found.peer.wait_for(lambda: len(found.peer.screen(ANN)) == 3, 30)
        assert " ".join(found.peer.texts(ANN)) == text
        assert all(shown.text.endswith(".") for shown in found.peer.screen(ANN))
        assert [shown.by for shown in found.peer.screen(ANN)] == ["reply", "message", "message"]


async def test_without_permission_a_long_answer_is_one_reply_that_says_that_it_was_cut(
    tmp_path: Path,
) -> None:
    answer = Answer(text=sentences(120))
    async with house(tmp_path, by_words({"all": answer}, echo()), may_send=False) as found:
        await found.peer.say(BEN, "whether I may is known after one message")
        done = await found.peer.say(ANN, "tell me all")
        assert done.said is not None
        assert done.said.endswith(CUT_MARK)
        assert len(done.said.encode()) <= 2048
        assert (await found.peer.say(ANN, "thanks")).said == "You said: thanks [answer-2]"
        assert len(found.peer.screen(ANN)) == 2


# ---- what people do ----------------------------------------------------------------------


async def test_what_the_platform_understood_of_a_recording_is_answered(tmp_path: Path) -> None:
    async with house(tmp_path, echo()) as found:
        fields = {"MediaId": "media-9", "Format": "amr", "Recognition": "what is the weather"}
        done = await found.peer.push(found.peer.event(ANN, "voice", fields))
        assert done.said == "You said: what is the weather [answer-1]"


async def test_a_new_follower_is_greeted_and_other_events_are_acknowledged(tmp_path: Path) -> None:
    async with house(tmp_path, echo(), account={"greeting": "Welcome, stranger."}) as found:
        peer = found.peer
        assert (await peer.touch(ANN, "subscribe")).said == "Welcome, stranger."
        assert (await peer.touch(BEN, "subscribe", "qrscene_door")).said == "Welcome, stranger."
        for event in ("VIEW", "TEMPLATESENDJOBFINISH", "LOCATION", "hologram", "unsubscribe"):
            done = await peer.touch(ANN, event)
            assert [(one.status, one.body) for one in done.attempts] == [(200, b"success")]
        assert found.model.asked == []
        assert await found.counted("sends_total", adapter="wechat") == 0


async def test_the_same_message_over_three_connections_at_once_is_answered_once(
    tmp_path: Path, database: str
) -> None:
    async with house(tmp_path, echo(), database=database) as found:
        event = found.peer.text(ANN, "only once")
        attempts = await found.peer.courier.twins(event, 3)
        assert [attempt.status for attempt in attempts] == [200] * 3
        said = [attempt.body for attempt in attempts if attempt.body != b"success"]
        assert len(said) == 1
        assert len(found.model.asked) == 1


# ---- what may be sent --------------------------------------------------------------------


async def both_are_taken(found: House) -> None:
    """Two messages, each a turn of its own, whose calls are over before either has its answer."""
    one = found.peer.push(found.peer.text(ANN, "the first"))
    await found.model.wait_for(lambda: found.asked("first"), 30)
    two = found.peer.push(found.peer.text(ANN, "the second"))
    assert [(await push).said for push in (one, two)] == [None, None]


async def test_what_is_beyond_the_five_is_held_without_a_try_and_leaves_with_the_next_message(
    tmp_path: Path,
) -> None:
    go = asyncio.Event()
    script = when_told(first=(sentences(240), go), second=("Short.", go))
    async with house(tmp_path, script, account={"max_pieces": 5}) as found:
        await both_are_taken(found)
        go.set()
        await found.has_counted(1, "sends_total", adapter="wechat", outcome="held")
        assert " ".join(found.peer.texts(ANN)) == sentences(240)
        assert len(found.peer.calls(SEND)) == 5
        assert (await found.peer.say(ANN, "go on")).said == "Short.\n\nYou said: go on [answer-1]"
        assert found.refusals == []


async def test_after_a_restart_the_platform_counts_the_five_and_what_is_beyond_is_held(
    tmp_path: Path,
) -> None:
    go, later = asyncio.Event(), asyncio.Event()
    script = when_told(first=(sentences(240), go), second=("Short.", later))
    async with house(tmp_path, script, account={"max_pieces": 5}) as found:
        await both_are_taken(found)
        go.set()
        await found.peer.wait_for(lambda: len(found.peer.screen(ANN)) == 5, 30)
        await found.model.wait_for(lambda: found.asked("second"), 30)
        await found.program.kill()
        later.set()
        await found.program.start()
        await found.has_counted(1, "sends_total", adapter="wechat", outcome="held")
        assert found.refusals == [45047]
        assert (await found.peer.say(ANN, "go on")).said == "Short.\n\nYou said: go on [answer-1]"
        assert len(found.peer.screen(ANN)) == 6


async def test_what_of_a_long_answer_goes_beyond_the_five_waits_for_the_person(
    tmp_path: Path,
) -> None:
    go, later = asyncio.Event(), asyncio.Event()
    script = when_told(first=(sentences(120), go), second=(sentences(300), later))
    async with house(tmp_path, script) as found:
        await both_are_taken(found)
        go.set()
        await found.peer.wait_for(lambda: len(found.peer.screen(ANN)) == 3, 30)
        later.set()
        await found.peer.wait_for(lambda: len(found.peer.screen(ANN)) == 5, 30)
        texts = found.peer.texts(ANN)
        assert " ".join(texts[:3]) == sentences(120)
        await found.has_counted(1, "sends_total", adapter="wechat", outcome="held")
        assert found.refusals == []
        rest = (await found.peer.say(ANN, "and then?")).said
        assert rest is not None
        assert rest.startswith("Sentence ")


async def test_after_48_hours_it_is_held_until_the_person_writes(tmp_path: Path) -> None:
    go = asyncio.Event()
    script = when_told(hard=("It took two days.", go))
    async with house(tmp_path, script) as found:
        assert (await found.peer.say(ANN, "a hard one")).said is None
        found.time.passes(2 * DAY)
        go.set()
        await found.has_counted(1, "sends_total", adapter="wechat", outcome="held")
        assert found.peer.texts(ANN) == []
        # the token had ended with the window: one refresh, and then the platform's word
        assert found.refusals == [42001, 45015]
        assert (await found.peer.say(ANN, "well?")).said == (
            "It took two days.\n\nYou said: well? [answer-1]"
        )


# ---- tokens ------------------------------------------------------------------------------


async def test_a_token_that_was_revoked_in_the_middle_is_fetched_anew_once(tmp_path: Path) -> None:
    go = asyncio.Event()
    async with house(tmp_path, when_told(hard=("It took a while.", go))) as found:
        await found.peer.say(ANN, "a hard one")
        found.peer.tokens.revoke()
        go.set()
        await found.sees("It took a while.")
        assert len(found.peer.calls(TOKENS)) == 2
        # Whatever was called under the old token: the message, that somebody types, or both.
        assert set(found.refusals) == {40001}


async def test_a_token_that_the_platform_goes_on_refusing_costs_one_forced_refresh_for_the_error(
    tmp_path: Path,
) -> None:
    go = asyncio.Event()
    async with house(tmp_path, when_told(hard=("It took a while.", go))) as found:
        await found.peer.say(ANN, "a hard one")
        found.peer.faults.plan(errcode(40001), method=SEND)
        go.set()
        await found.sees("It took a while.")
        assert [call.body.get("force_refresh") for call in found.peer.calls(TOKENS)] == [
            *(False, False, True)
        ]
        assert len(found.peer.calls(SEND)) == 2


# ---- more than one process, and its end --------------------------------------------------


@pytest.mark.postgres
async def test_the_second_delivery_may_reach_another_process_and_the_answer_is_its_reply(
    tmp_path: Path, postgres_url: str
) -> None:
    go = asyncio.Event()
    script = when_told(hard=("From wherever.", go))
    async with house(tmp_path, script, database=postgres_url, may_send=False, nodes=2) as found:
        one, two = found.programs
        found.aim(one, two)
        push = found.peer.push(found.peer.text(ANN, "a hard one"))
        await found.peer.wait_for(lambda: len(found.peer.log.of("delivery")) == 2, 30)
        go.set()
        done = await push
        assert (done.statuses, done.said) == ([0, 200], "From wherever.")
        assert [f":{one.config['server']['port']}/" in done.attempts[0].url] == [True]
        assert [f":{two.config['server']['port']}/" in done.attempts[1].url] == [True]
        assert (await found.peer.say(ANN, "and?")).said == "You said: and? [answer-1]"
        assert found.asked("a hard one") == 1
        assert found.peer.texts(ANN) == ["From wherever.", "You said: and? [answer-1]"]


@pytest.mark.postgres
async def test_three_deliveries_to_two_processes_end_in_the_working_text(
    tmp_path: Path, postgres_url: str
) -> None:
    go = asyncio.Event()
    script = when_told(hard=("Late.", go))
    async with house(tmp_path, script, database=postgres_url, may_send=False, nodes=2) as found:
        one, two = found.programs
        found.aim(one, two, two)
        done = await found.peer.say(ANN, "a hard one")
        assert done.statuses == [0, 0, 200]
        assert done.said is not None
        assert "still working" in done.said
        found.aim(two)
        go.set()
        await found.has_counted(1, "sends_total", adapter="wechat", outcome="held")
        assert (await found.peer.say(ANN, "and?")).said == "Late.\n\nYou said: and? [answer-1]"
        assert found.asked("a hard one") == 1


def once_hanging() -> Script:
    """The first call about something hard hangs; the second does not."""
    hanging = Answer(text="Never.", waits={0: asyncio.Event()})
    return by_words({"hard": in_turn(hanging, Answer(text="After all."))}, echo())


@pytest.mark.parametrize("killed", [pytest.param(True, id="kill"), pytest.param(False, id="term")])
async def test_a_restart_between_two_of_the_three_deliveries_loses_nothing_and_answers_once(
    tmp_path: Path, database: str, killed: bool
) -> None:
    changes: dict[str, Any] = {"may_send": False, "speed": 1.0, "server": {"grace": "0s"}}
    async with house(tmp_path, once_hanging(), database=database, **changes) as found:
        # A start may take longer than three times the real five seconds on a machine that is full.
        found.peer.courier.paced, found.peer.courier.patience = True, 10.0
        push = found.peer.push(found.peer.text(ANN, "a hard one"))
        await found.model.wait_for(lambda: found.asked("hard"), 30)
        await (found.program.kill() if killed else found.program.stop())
        await found.program.start()
        done = await push
        assert (done.said, done.failed) == ("After all.", False)
        assert (await found.peer.say(ANN, "and?")).said == "You said: and? [answer-1]"
        assert found.peer.texts(ANN) == ["After all.", "You said: and? [answer-1]"]
        assert found.asked("hard") == 2
        assert "Traceback" not in found.program.output


async def test_an_answer_that_comes_while_the_server_drains_is_still_put_into_its_call(
    tmp_path: Path,
) -> None:
    go = asyncio.Event()
    async with house(tmp_path, when_told(hard=("Just in time.", go)), speed=1.0) as found:
        push = found.peer.push(found.peer.text(ANN, "a hard one"))
        await found.model.wait_for(lambda: found.asked("hard"), 30)
        stopping = asyncio.create_task(found.program.stop())
        go.set()
        done = await push
        assert (done.statuses, done.said) == ([200], "Just in time.")
        assert await stopping == 0
        await found.program.start()
        assert (await found.peer.say(ANN, "and?")).said == "You said: and? [answer-1]"
        assert len(found.peer.screen(ANN)) == 2
