"""Slack over the real wire: threads, sockets, edits, repeats, growing answers, restarts, nodes."""

import asyncio
from pathlib import Path

import pytest

from tests.journeys.killing import held
from tests.journeys.slack_house import PATIENCE, House, house, named
from tests.peers.log import Json
from tests.peers.model_answers import Answer, Script, by_words, echo, words
from tests.peers.slack_delivery import Redelivery
from tests.peers.slack_events import ANN, DIRECT, GENERAL, RANDOM
from tests.peers.slack_faults import limited
from tests.peers.slack_rules import Tiers

pytestmark = pytest.mark.slow

SOCKET = {"mode": "socket", "channel_per_second": 0}
HTTP = {"mode": "http", "channel_per_second": 0}
QUIET = {**HTTP, "stream": "off"}
QUIET_SOCKET = {**SOCKET, "stream": "off"}


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    """A file of this test's own."""
    return f"sqlite:///{tmp_path}/parley.db"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, sqlite: str) -> str:
    """Both databases, one after the other."""
    if request.param == "sqlite":
        return sqlite
    url: str = request.getfixturevalue("postgres_url")
    return url


def waiting(what: str, let_go: asyncio.Event) -> Script:
    """Holds back the answer to this, and echoes the rest."""
    return by_words({what: Answer(text="that took a while", waits={0: let_go})}, echo())


def prompts(found: House) -> str:
    """Everything that the model was ever told."""
    return str([asked.body for asked in found.model.asked])


# ---- where people write ----------------------------------------------------------------------


@pytest.mark.parametrize("adapter", [HTTP, SOCKET], ids=["http", "socket"])
async def test_a_mention_is_answered_in_its_thread_which_goes_on_without_our_name(
    tmp_path: Path, database: str, adapter: dict[str, object]
) -> None:
    async with house(tmp_path, database, adapter=adapter) as found:
        thread = await found.ask("what is up?")
        await found.reads("what is up?", channel=GENERAL, thread=thread)
        found.slack.say("and then?", channel=GENERAL, thread=thread)
        await found.reads("what is up?", "and then?", channel=GENERAL, thread=thread)
        found.slack.say("nobody asked us", channel=GENERAL)
        found.slack.say("hello")
        await found.reads("hello")
        assert len(found.slack.texts(GENERAL)) == 2
        assert len(found.model.asked) == 3


async def test_a_slash_command_answers_its_person_alone_wherever_it_is_given(
    tmp_path: Path, sqlite: str
) -> None:
    async with house(tmp_path, sqlite, adapter=HTTP) as found:
        slack = found.slack
        slack.command("help")
        await slack.wait_for(lambda: slack.whispers, PATIENCE)
        assert "/parley new" in slack.whispers[0].text
        slack.command("what is a fish?", channel=RANDOM)
        await slack.wait_for(lambda: len(slack.whispers) == 2, PATIENCE)
        assert "what is a fish?" in slack.whispers[1].text
        assert {whisper.user for whisper in slack.whispers} == {ANN}
        assert slack.texts(GENERAL) == slack.texts(RANDOM) == []


async def test_stop_in_mid_stream_closes_the_models_connection(tmp_path: Path, sqlite: str) -> None:
    long = Answer(text="so far and no further", chunks=4, waits={2: asyncio.Event()})
    script = by_words({"long": long}, echo())
    async with house(tmp_path, sqlite, script, adapter=HTTP) as found:
        found.slack.say("a long story please")
        await found.slack.wait_for(lambda: "so f" in str(found.slack.texts(DIRECT)), PATIENCE)
        found.slack.command("stop", channel=DIRECT)
        await found.reads("(stopped)")
        await found.model.wait_for(lambda: not found.model.open)
        assert found.model.asked[0].closed_at is not None


# ---- what comes twice ------------------------------------------------------------------------


async def test_both_events_of_a_mention_and_their_retries_at_once_are_answered_once(
    tmp_path: Path, database: str
) -> None:
    async with house(tmp_path, database, adapter=QUIET) as found:
        slack = found.slack
        said, twin = named(slack, "only once")
        retries = [
            {"X-Slack-Retry-Num": str(n), "X-Slack-Retry-Reason": "http_timeout"} for n in (1, 2, 3)
        ]
        posts = [
            slack.courier.post(body, retry) for body in (said, twin) for retry in ({}, *retries)
        ]
        answers = await asyncio.gather(*posts)
        assert [answer.status for answer in answers] == [200] * 8
        thread = said["event"]["ts"]
        await found.reads("only once", channel=GENERAL, thread=thread)
        slack.say("and after", channel=GENERAL, thread=thread)
        await found.reads("only once", "and after", channel=GENERAL, thread=thread)
        assert len(found.model.asked) == 2


@pytest.mark.postgres
@pytest.mark.parametrize("adapter", [QUIET, QUIET_SOCKET], ids=["http", "socket"])
async def test_two_nodes_that_get_the_same_events_answer_them_once_and_in_order(
    tmp_path: Path, postgres_url: str, adapter: dict[str, object]
) -> None:
    async with house(tmp_path, postgres_url, nodes=2, adapter=adapter) as found:
        said, twin = named(found.slack, "question 0")
        thread = said["event"]["ts"]
        await to_every_node(found, said, twin)
        asked = ["question 0"]
        for number in range(1, 4):
            await found.reads(*asked, channel=GENERAL, thread=thread)
            said, twin = named(found.slack, f"question {number}", thread=thread)
            await to_every_node(found, said, twin)
            asked.append(f"question {number}")
        await found.reads(*asked, channel=GENERAL, thread=thread)
        assert len(found.model.asked) == len(asked)


async def to_every_node(found: House, *bodies: Json) -> None:
    """The same events at the same time, each to both nodes."""
    if found.slack.sockets.open:
        for body in bodies:
            found.slack.push(body, body)  # each time on the next socket
        return
    posts = [courier.post(body) for courier in found.couriers for body in bodies]
    assert {answer.status for answer in await asyncio.gather(*posts)} == {200}


# ---- a socket that comes and goes --------------------------------------------------------------


@pytest.mark.parametrize("how", ["refresh", "drop"])
async def test_while_a_socket_is_replaced_nothing_is_lost_and_nothing_comes_twice(
    tmp_path: Path, sqlite: str, how: str
) -> None:
    let_go = asyncio.Event()
    script = waiting("before", let_go)
    async with house(tmp_path, sqlite, script, adapter=SOCKET) as found:
        slack, sockets = found.slack, found.slack.sockets
        thread = await found.ask("before")
        await found.model.wait_for(lambda: found.model.asked)
        if how == "refresh":
            await sockets.disconnect()
        else:
            await sockets.drop()
        slack.say("in between")
        others = [await found.ask(f"and question {number}") for number in range(5)]
        let_go.set()
        await found.reads("that took a while", channel=GENERAL, thread=thread)
        await found.reads("in between")
        for number, other in enumerate(others):
            await found.reads(f"question {number}", channel=GENERAL, thread=other)
        await slack.wait_for(lambda: len(sockets.open) == 1 and sockets.opened >= 2, PATIENCE)
        slack.say("afterwards")
        await found.reads("in between", "afterwards")
        assert len(found.model.asked) == 8


# ---- what is changed before it is answered -----------------------------------------------------


async def test_what_is_edited_before_its_turn_is_answered_as_it_stands_then(
    tmp_path: Path, database: str
) -> None:
    let_go = asyncio.Event()
    async with house(tmp_path, database, waiting("first", let_go), adapter=QUIET) as found:
        slack = found.slack
        await slack.deliver(slack.events.message("first"))
        await found.model.wait_for(lambda: found.model.asked)
        said = slack.events.message("how tall is the tower of Pixa?")
        await slack.deliver(said)
        edited = slack.events.edited(said, "how tall is the tower of Pisa?")
        assert (await slack.deliver(edited)).status == 200
        let_go.set()
        await found.reads("that took a while", "tower of Pisa")
        assert "Pixa" not in prompts(found)
        assert len(found.model.asked) == 2


async def test_what_is_deleted_before_its_turn_is_neither_answered_nor_told_to_the_model(
    tmp_path: Path, database: str
) -> None:
    let_go = asyncio.Event()
    async with house(tmp_path, database, waiting("first", let_go), adapter=QUIET) as found:
        slack = found.slack
        await slack.deliver(slack.events.message("first"))
        await found.model.wait_for(lambda: found.model.asked)
        said = slack.events.message("my password is swordfish")
        await slack.deliver(said)
        assert (await slack.deliver(slack.events.deleted(said))).status == 200
        let_go.set()
        await found.reads("that took a while")
        slack.say("what do you know?")
        await found.reads("that took a while", "what do you know?")
        assert "swordfish" not in prompts(found)
        assert len(found.model.asked) == 2


async def test_what_is_edited_or_deleted_after_its_answer_changes_what_the_model_is_told_next(
    tmp_path: Path, sqlite: str
) -> None:
    async with house(tmp_path, sqlite, by_words({"I": Answer(text="I see")}, echo())) as found:
        slack = found.slack
        one, two = (slack.events.message(text) for text in ("I am Al Wrong", "I am Bea Secret"))
        await slack.deliver(one)
        await found.reads("I see")
        await slack.deliver(two)
        await found.reads("I see", "I see")
        await slack.deliver(slack.events.edited(one, "I am Al Right"))
        await slack.deliver(slack.events.deleted(two))
        slack.say("who am I?")
        await found.reads("I see", "I see", "I see")
        told = str(found.model.asked[-1].messages)
        assert "Al Right" in told
        assert "Wrong" not in told
        assert "Secret" not in told


# ---- growing, and Slack's own pace -------------------------------------------------------------


async def test_an_answer_grows_in_one_message_and_its_last_text_arrives(
    tmp_path: Path, sqlite: str
) -> None:
    long = Answer(text=words(60), chunks=60, pace=0.07)
    async with house(tmp_path, sqlite, by_words({"long": long}, echo())) as found:
        found.slack.say("a long story")
        await found.reads(words(60))
        (shown,) = found.slack.messages(DIRECT)
        grown = [text for text in shown.texts if text not in ("…", words(60))]
        assert len(grown) >= 2
        assert all(words(60).startswith(text.removesuffix("…").strip()) for text in grown)


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_where_slack_refuses_a_method_for_a_while_it_rests_and_the_last_text_arrives(
    tmp_path: Path, sqlite: str, method: str
) -> None:
    long = Answer(text=words(40), chunks=40, pace=0.05)
    async with house(tmp_path, sqlite, by_words({"long": long}, echo())) as found:
        slack = found.slack
        slack.faults.plan(limited(2), method=method, times=2)
        slack.say("a long story")
        await found.reads(words(40))
        refused = [call for call in slack.calls(method) if call.fault == "limited"]
        assert len(refused) == 2
        for call in refused:
            later = [other.at for other in slack.calls(method) if other.at > call.at]
            assert min(later) - call.at > 1_900_000
        assert len(slack.messages(DIRECT)) == 1


async def test_with_slacks_real_limits_many_growing_answers_all_arrive_whole(
    tmp_path: Path, sqlite: str
) -> None:
    answer = Answer(text=words(30), chunks=30, pace=0.05)
    async with house(tmp_path, sqlite, by_words({"long": answer}, echo()), tiers=Tiers()) as found:
        threads = [await found.ask(f"a long story, number {number}") for number in range(6)]
        for thread in threads:
            await found.reads(words(30), channel=GENERAL, thread=thread)
        assert not [call for call in found.slack.exchanges if call.status == 429]


# ---- the program goes and comes back -----------------------------------------------------------


@pytest.mark.parametrize("mode", ["http", "socket"])
async def test_a_restart_in_the_middle_loses_nothing_and_says_nothing_twice(
    tmp_path: Path, database: str, mode: str
) -> None:
    again = Redelivery(pauses=(0.2,) * 100)
    script = by_words({"slow": held("one two three four five six", at=3)}, echo())
    adapter = {"mode": mode, "channel_per_second": 0}
    async with house(
        tmp_path, database, script, adapter=adapter, redelivery=again, grace="1s"
    ) as found:
        thread = await found.ask("a slow one")
        await found.slack.wait_for(
            lambda: "one two" in str(found.slack.texts(GENERAL, thread)), PATIENCE
        )
        found.slack.say("and this one waits", channel=GENERAL, thread=thread)
        assert await found.program.stop() == 0
        found.slack.say("said while nobody was there")
        await found.program.start()
        await found.reads("said while nobody was there")
        await found.reads(
            "one two three four five six", "and this one waits", channel=GENERAL, thread=thread
        )
        assert not any(
            shown.deleted for shown in found.slack.messages(GENERAL) + found.slack.messages(DIRECT)
        )
        assert not await found.metric("sends_total", outcome="repeated")
