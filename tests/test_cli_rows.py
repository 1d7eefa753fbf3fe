"""`parley inbox` and `parley outbox`: what waits, what was given up and why, and never a word."""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.cli.outbox import rows_in, states_asked
from bot.cli.rows import age, node_lines
from bot.cli.words import words
from bot.domain.address import Address
from bot.domain.conversation import ConversationId, TurnId, TurnState
from bot.domain.message import Outbound, Sent
from bot.domain.operating import NodeHealth
from bot.domain.records import OutboxRow, OutboxState, Unsure
from bot.store.memory import MemoryStore
from tests.contracts.test_store_operators import given_up
from tests.contracts.worlds import World
from tests.fakes import EPOCH, FakeClock
from tests.test_cli import ANN, Run, fill, folder, run, serving

__all__ = ["folder", "run"]

SAID = "a word in confidence"
NOTHING = "No message waits, and none was given up.\n"


async def poison(world: World) -> None:
    await given_up(world)
    await world.accept(world.inbound(SAID))


async def two_that_wait(world: World) -> None:
    await world.accept(world.inbound(SAID))
    await world.accept(world.inbound(SAID))


async def expired(world: World) -> None:
    claim = await world.claimed()
    await world.answered(claim, SAID, expires_at=world.now() - timedelta(hours=15))
    await world.store.expire_outbox(timedelta(days=7))


async def doubtful(world: World) -> None:
    claim = await world.claimed()
    (row,) = await world.answered(claim, SAID, sending_first=True)
    await world.store.bury(claim, row, error="ambiguous")


async def repeated(world: World) -> None:
    claim = await world.claimed()
    (row,) = await world.answered(claim, SAID, sending_first=True)
    await world.store.put_back(claim, row, due_at=world.now(), error="ambiguous", repeat=True)
    await world.store.sent(claim, await world.store.take(claim, row), Sent("1"))


async def two_dead_letters(world: World) -> None:
    claim = await world.claimed()
    for row in await world.answered(claim, SAID, pieces=2):
        await world.store.bury(claim, await world.store.take(claim, row), error="gone")


async def unsure(world: World) -> None:
    claim = await world.claimed()
    head = await world.store.head(claim)
    finish = world.finish(head, replace(world.turn(head), state=TurnState.ANSWERED))
    await world.store.finish(claim, replace(finish, unsure=(Unsure("pay", "key1"),)))


def test_the_inbox_shows_what_waits_and_what_three_crashes_ended(run: Run, folder: Path) -> None:
    assert run("inbox", "list")[0] == 2  # no database yet
    fill(folder, poison)
    code, out, _ = run("inbox", "list")
    dead, waiting = out.splitlines()
    assert code == 0
    assert dead.split()[1:4] == ["dead", "0s", "×3"]
    assert dead.endswith("in flight at three crashes")
    assert waiting.split()[1:3] == ["waiting", "0s"]
    assert run("inbox", "list", "--state", "dead")[1] == f"{dead}\n"
    assert run("inbox", "list", "--state", "lost")[2] == (
        "parley: --state lost: there is no such state; write one of waiting, dead\n"
    )


@pytest.mark.parametrize("rows", ["inbox", "outbox"])
def test_where_nothing_was_given_up_a_retry_of_all_says_so(
    run: Run, folder: Path, rows: str
) -> None:
    fill(folder, unsure)
    assert run(rows, "retry", "--all") == (
        0,
        "Nothing was given up: there is nothing to retry.\n",
        "",
    )


def test_a_list_says_where_it_ends_before_its_rows_do(run: Run, folder: Path) -> None:
    fill(folder, two_that_wait)
    assert len(run("inbox", "list")[1].splitlines()) == 2
    assert run("inbox", "list", "--limit", "2")[1] == run("inbox", "list")[1]
    first, more = run("inbox", "list", "--limit", "1")[1].splitlines()
    assert first.split()[1] == "waiting"
    assert more == "… and more: --limit 2 shows twice as many."


@pytest.mark.parametrize("command", ["inbox list", "outbox list", f"history {ANN}"])
def test_a_limit_beyond_what_a_database_counts_is_refused(
    run: Run, folder: Path, command: str
) -> None:
    fill(folder, two_that_wait)
    code, _, err = run(*command.split(), "--limit", "9" * 20)
    assert code == 2
    assert "--limit" in err
    assert run(*command.split(), "--limit", "1000000000")[0] == 0


def test_an_address_is_asked_for_in_the_language_of_the_shell(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("history", "ann")[2] == (
        "parley: ann: a person has the form platform:account:id, like telegram:BOT:SENDER\n"
    )
    assert run("erase", "ann")[2].startswith("parley: ann: an address has the form")
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert run("erase", "ann")[2].startswith("parley: ann：地址的形式是")


def test_what_was_said_is_shown_only_to_who_asks_for_it(run: Run, folder: Path) -> None:
    fill(folder, poison)
    name = run("inbox", "list", "--state", "waiting")[1].split()[0]
    code, out, _ = run("inbox", "show", name)
    assert code == 0
    assert "through: support, from: 7" in out
    assert f"{len(SAID)} characters; --text shows them." in out
    assert SAID not in out + run("inbox", "list")[1]
    assert run("inbox", "show", name, "--text")[1].endswith(f"{SAID}\n")


def test_what_was_given_up_can_be_answered_after_all(run: Run, folder: Path) -> None:
    fill(folder, poison)
    dead = run("inbox", "list", "--state", "dead")[1].split()[0]
    assert run("inbox", "retry", dead) == (0, f"{dead}: will be answered now.\n", "")
    assert run("inbox", "list", "--state", "dead")[1] == NOTHING
    assert len(run("inbox", "list")[1].splitlines()) == 2
    code, out, _ = run("inbox", "retry", dead)
    assert (code, out) == (1, f"{dead}: no message of this name waits or was given up.\n")


def test_all_that_was_given_up_is_taken_at_once_and_no_name_is_a_mistake(
    run: Run, folder: Path
) -> None:
    fill(folder, poison)
    assert run("inbox", "retry", "--all")[1].endswith(": will be answered now.\n")
    assert run("inbox", "retry")[0] == 1


def test_a_message_can_be_left_without_an_answer(run: Run, folder: Path) -> None:
    fill(folder, poison)
    names = [line.split()[0] for line in run("inbox", "list")[1].splitlines()]
    assert run("inbox", "drop", *names)[0] == 0
    assert run("inbox", "list")[1] == NOTHING
    assert run("inbox", "drop", names[0])[0] == 1
    assert run("inbox", "show", names[0])[0] == 1
    assert "an ID is a number" in run("inbox", "show", "1/2")[2]


@pytest.mark.parametrize(("why", "state"), [(expired, "expired"), (doubtful, "ambiguous")])
def test_a_dead_letter_is_listed_by_its_reason(
    run: Run, folder: Path, why: Callable[[World], Awaitable[None]], state: str
) -> None:
    fill(folder, why)
    (line,) = run("outbox", "list")[1].splitlines()
    assert line.split()[1] == state
    assert SAID not in line
    for asked in ("dead", state):
        assert run("outbox", "list", "--state", asked)[1] == f"{line}\n"
    other = {"expired": "ambiguous", "ambiguous": "expired"}[state]
    assert run("outbox", "list", "--state", other)[1] == "Nothing waits to be sent.\n"
    shown = run("outbox", "show", line.split()[0])[1]
    assert f"because: {state}" in shown
    assert SAID not in shown


def test_an_answer_that_was_sent_twice_is_found_by_who_asks_for_it(run: Run, folder: Path) -> None:
    fill(folder, repeated)
    assert run("outbox", "list")[1] == "Nothing waits to be sent.\n"
    (line,) = run("outbox", "list", "--state", "repeated")[1].splitlines()
    assert line.split()[1] == "repeated"
    shown = run("outbox", "show", line.split()[0])[1]
    assert "sent again: 1" in shown
    assert SAID not in shown


@pytest.mark.parametrize("order", ["retry", "drop"])
def test_what_was_done_before_an_error_is_told(run: Run, folder: Path, order: str) -> None:
    fill(folder, two_dead_letters)
    first, second = (line.split()[0] for line in run("outbox", "list")[1].splitlines())
    with closing(sqlite3.connect(folder / "parley.db")) as db:
        for change in ("UPDATE", "DELETE"):
            db.execute(
                f"CREATE TRIGGER no_{change} BEFORE {change} ON outbox WHEN old.piece = 1"
                " BEGIN SELECT RAISE(ABORT, 'it is broken'); END"
            )
    code, out, err = run("outbox", order, first, second)
    assert (code, out) == (
        1,
        words({"retry": "retried", "drop": "dropped"}[order], id=first) + "\n",
    )
    assert err == "parley: the database refused it: it is broken\n"


class CountingStore(MemoryStore):
    """Notes how many rows it was asked for."""

    def __init__(self, *rows: tuple[OutboxState, str]) -> None:
        super().__init__(FakeClock())
        self.limits: list[int] = []
        here = Address("web", "site", "7")
        self._all = [
            OutboxRow(
                ConversationId(1),
                TurnId(n),
                0,
                Outbound(f"{n}/0", here, SAID),
                state,
                EPOCH,
                EPOCH,
                error=error,
            )
            for n, (state, error) in enumerate(rows)
        ]

    async def outbox_rows(
        self, states: Sequence[OutboxState], limit: int = 100
    ) -> Sequence[OutboxRow]:
        self.limits.append(limit)
        return [row for row in self._all if row.state in states][:limit]


async def test_no_more_rows_are_read_than_a_list_shows() -> None:
    store = CountingStore(*[(OutboxState.QUEUED, ""), (OutboxState.DEAD, "expired")] * 50)
    rows = await rows_in(store, states_asked(None), 3)
    assert [row.turn for row in rows] == [0, 1, 2]
    assert store.limits == [3]


async def test_dead_letters_of_one_reason_are_read_on_until_a_list_is_full() -> None:
    other = (OutboxState.DEAD, "the chat is closed")
    store = CountingStore(*[other] * 5, *[(OutboxState.DEAD, "expired")] * 50)
    rows = await rows_in(store, states_asked(["expired"]), 3)
    assert [row.turn for row in rows] == [5, 6, 7]
    assert store.limits == [3, 12]
    assert await rows_in(store, states_asked(["ambiguous"]), 20) == []
    assert store.limits == [3, 12, 20, 80]


def test_a_list_of_answers_says_where_it_ends_before_its_rows_do(run: Run, folder: Path) -> None:
    fill(folder, two_dead_letters)
    assert len(run("outbox", "list", "--limit", "2")[1].splitlines()) == 2
    for state in ((), ("--state", "dead")):
        first, more = run("outbox", "list", "--limit", "1", *state)[1].splitlines()
        assert first.split()[1] == "dead"
        assert more == "… and more: --limit 2 shows twice as many."


def test_status_names_the_calls_of_which_nobody_knows_the_end(run: Run, folder: Path) -> None:
    fill(folder, unsure)
    code, out, _ = run("status")
    assert code == 0
    *_, title, call = out.splitlines()
    assert title.startswith("calls of which nobody knows")
    assert call.split()[2:] == ["pay", "1/1", "key1"]


def test_a_server_that_stopped_in_peace_and_one_that_fell_silent_are_told_apart() -> None:
    when = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
    lines = node_lines(
        [
            NodeHealth("a", alive=True, until=when, held=2),
            NodeHealth("b\x1b", alive=False, until=when, held=3),
            NodeHealth("c", alive=False, until=datetime.fromtimestamp(0, UTC), held=1),
        ]
    )
    assert list(lines) == [
        "server a: running, conversations in hand: 2",
        "server b: SILENT, its lease ended 2026-11-21 12:30:00Z, conversations to take over: 3",
        "server c: stopped, conversations to take over: 1",
    ]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (7200, "2h"), (200_000, "2d")],
)
def test_ages_are_told_in_their_largest_unit(seconds: float, shown: str) -> None:
    assert age(timedelta(seconds=seconds)) == shown


def test_every_sentence_of_the_lists_is_there_in_both_languages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    for name in ("about_inbox", "about_inbox_list", "inbox_empty", "unsure_calls"):
        assert any("\u4e00" <= letter <= "\u9fff" for letter in words(name))


@pytest.mark.slow
def test_the_running_server_takes_orders_about_its_inbox(run: Run, folder: Path) -> None:
    fill(folder, poison)
    dead, waiting = (line.split()[0] for line in run("inbox", "list")[1].splitlines())
    with serving(folder):
        assert run("inbox", "drop", dead, waiting)[0] == 0
        assert run("inbox", "list")[1] == NOTHING


def test_status_does_not_say_of_servers_that_it_cannot_see_that_none_runs(
    run: Run, folder: Path
) -> None:
    (folder / "config.yaml").write_text("database: postgresql://u:p@127.0.0.1:1/x", "utf-8")
    code, out, err = run("status")
    assert "not running" not in out
    assert (code, "nobody answers at 127.0.0.1:1" in err) == (2, True)
