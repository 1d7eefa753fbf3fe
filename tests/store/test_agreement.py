"""The double and the database agree about everything, whatever is asked in whatever order."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bot.domain.address import Address, Sender
from bot.domain.conversation import ConversationId, Ending, Step, StepKind
from bot.domain.message import Inbound, Kind, Message, Role, Sent, Text
from bot.domain.records import (
    Approval,
    Claim,
    IdleRule,
    NewSignal,
    Node,
    OutboxRow,
    OutboxState,
    Retention,
    SignalKind,
)
from bot.errors import ParleyError
from bot.ports import Store
from bot.store.memory import MemoryStore
from bot.store.migrate import migrate_sqlite
from bot.store.sqlite import SqliteStore
from tests.contracts.worlds import ANN, BOB, CHAT, HERE, LEASE, OTHER_CHAT, WEEK, World
from tests.fakes import FakeClock

ADDRESSES = (CHAT, OTHER_CHAT)
EXAMPLES, MANY = 25, 250
"""A thousand steps for every commit, and ten thousand for every run of all tests."""
STEPS = 40
DAY = 86400.0
RULES = Retention(DAY, retain_seconds=3 * DAY, keys_seconds=2 * DAY, usage_seconds=5 * DAY)
Ask = Callable[[Store], Awaitable[Any]]

SELDOM = st.integers(0, 4)
addresses = st.sampled_from(ADDRESSES)
senders = st.sampled_from((ANN, BOB))
conversations = st.integers(1, 3).map(ConversationId)


class Agreement(RuleBasedStateMachine):
    """Asks both the same and compares what they say."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copyfile(self.template, self.folder / "parley.db")
        self.runner = asyncio.Runner()
        self.memory = MemoryStore(self.clock)
        self.sqlite = SqliteStore(self.folder / "parley.db", self.clock)
        self.runner.run(self.sqlite.open())
        self.words = World(self.memory, _never, self.clock.now, _never)
        self.nodes: list[Node] = [
            self.both(lambda store: store.join("one", timedelta(hours=2))),
            self.both(lambda store: store.join("two", LEASE)),
        ]
        self.claims: list[Claim] = []
        self.slots: list[tuple[ConversationId, int]] = []
        self.taken: list[tuple[OutboxRow, int]] = []

    def teardown(self) -> None:
        self.runner.run(self.sqlite.close())
        self.runner.close()
        shutil.rmtree(self.folder)

    def both(self, ask: Ask) -> Any:
        """What both answered; an error is an answer too, and is None here."""
        ours, theirs = (self.runner.run(_outcome(ask(store))) for store in self.stores)
        assert ours == theirs
        return None if isinstance(ours, type) else ours

    @property
    def stores(self) -> tuple[Store, Store]:
        return self.memory, self.sqlite

    # ---- what happens ------------------------------------------------------------------

    @rule(key=st.integers(1, 6), address=addresses, sender=senders, kind=st.sampled_from(Kind))
    def receive(self, key: int, address: Any, sender: Sender, kind: Kind) -> None:
        self.accept(key, address, sender, kind)

    def accept(self, key: int, address: Any, sender: Sender, kind: Kind) -> None:
        message = Message(Role.USER, (Text(f"m{key}"),), self.clock.now(), 0, sender, f"p{key % 4}")
        inbound = Inbound(f"e{key}", address, sender, message, kind)
        self.both(lambda store: store.accept(inbound, HERE))

    @rule(key=st.integers(1, 6), address=addresses)
    def accept_with_a_slot(self, key: int, address: Any) -> None:
        inbound = self.words.inbound(key=f"e{key}", address=address, platform_id=f"p{key % 4}")
        found = self.both(lambda store: store.accept(inbound, HERE, open_for=timedelta(seconds=5)))
        self.slots.append((found.conversation, found.slot))

    @rule(name=st.sampled_from(("one", "two")))
    def join(self, name: str) -> None:
        self.nodes.append(self.both(lambda store: store.join(name, LEASE)))

    @precondition(lambda self: self.nodes)
    @rule(data=st.data(), leave=st.booleans())
    def renew_or_leave(self, data: st.DataObject, *, leave: bool) -> None:
        node = data.draw(st.sampled_from(self.nodes))
        if leave:
            self.both(lambda store: store.leave(node))
        else:
            self.both(lambda store: store.renew(node, LEASE))

    @precondition(lambda self: self.nodes)
    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        self._claim(data.draw(st.sampled_from(self.nodes)))

    def _claim(self, node: Node) -> None:
        async def ask(store: Store) -> set[Claim]:
            return set(await store.claim(node, 10))

        fresh = self.both(ask)
        taken = {claim.conversation for claim in fresh}
        # Mostly the newest holder speaks, now and then one that was forgotten.
        self.claims = [claim for claim in self.claims[-2:] if claim.conversation not in taken]
        self.claims += sorted(fresh, key=lambda claim: claim.conversation)

    @precondition(lambda self: self.nodes)
    @rule(data=st.data(), conversation=conversations)
    def claim_one(self, data: st.DataObject, conversation: ConversationId) -> None:
        node = data.draw(st.sampled_from(self.nodes))
        claim = self.both(lambda store: store.claim_one(node, conversation))
        if claim is not None:
            self.claims.append(claim)

    @rule(park=st.none() | st.integers(1, 20))
    def release(self, park: int | None) -> None:
        for claim in self.claims:
            self._release(claim, park)

    def _release(self, claim: Claim, park: int | None) -> None:
        wake_at = None if park is None else self.clock.now() + timedelta(seconds=park)
        self.both(lambda store: store.release(claim, wake_at=wake_at))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), pieces=st.integers(0, 3), ask=st.booleans(), dead=st.booleans())
    def answer(self, data: st.DataObject, pieces: int, *, ask: bool, dead: bool) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        self._answer(claim, pieces, ask=ask, dead=dead)

    @rule(key=st.integers(7, 60), address=addresses, sender=senders, pieces=st.integers(1, 3))
    def exchange(self, key: int, address: Any, sender: Sender, pieces: int) -> None:
        """Somebody writes, and whoever may answers."""
        self.accept(key, address, sender, Kind.MESSAGE)
        self._claim(self.nodes[0])
        for claim in self.claims[-2:]:
            self._answer(claim, pieces, ask=bool(key % 2), dead=False)

    def _answer(self, claim: Claim, pieces: int, *, ask: bool, dead: bool) -> None:
        head = self.both(lambda store: store.head(claim))
        if head is None or not head.waiting:
            return
        turn = head.turn or self.words.turn(head)
        session = self.words.session(head)
        if session.ended_at is not None:
            session = self.words.session(head, n=session.n + 1)
        self.both(lambda store: store.start(claim, replace(turn, draft=Sent("d")), session))
        step = Step(1, StepKind.TOOL, "k", "{}")
        self.both(lambda store: store.step(claim, turn.id, step, durable=True))
        finish = replace(
            self.words.finish(head, turn, pieces=pieces, expires_at=self.clock.now() + LEASE),
            session=session,
            sending_first=ask,
        )
        if ask:
            expires_at = self.clock.now() + timedelta(minutes=5)
            question = Approval(claim.conversation, ANN.id, "pay", "{}", expires_at)
            finish = replace(finish, approval=question)
        if dead:
            finish = replace(finish, done=(), dead=finish.done)
        self.both(lambda store: store.finish(claim, finish))

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        head = self.both(lambda store: store.head(claim))
        if head is not None and head.waiting and head.turn is None:
            turn = self.words.turn(head)
            session = self.words.session(head)
            self.both(lambda store: store.start(claim, turn, session))
            self.both(lambda store: store.draft(claim, turn.id, Sent("d")))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), what=st.sampled_from(("send", "back", "hold", "bury", "lose")))
    def deliver(self, data: st.DataObject, what: str) -> None:
        self._deliver(data.draw(st.sampled_from(self.claims)), what)

    @rule(what=st.sampled_from(("send", "back", "hold", "bury", "keep")))
    def deliver_everything(self, what: str) -> None:
        for claim in self.claims:
            self._deliver(claim, what)

    def _deliver(self, claim: Claim, what: str) -> None:
        head = self.both(lambda store: store.head(claim))
        if head is None or not head.outbox:
            return
        row = head.outbox[0]
        if what == "keep":
            self.both(lambda store: store.prolong(claim, row, lasts=WEEK))
            return
        if row.state is not OutboxState.SENDING:
            row = self.both(lambda store: store.take(claim, row))
        soon = self.clock.now() + timedelta(seconds=3)
        writes: dict[str, Ask] = {
            "send": lambda store: store.sent(claim, row, Sent("s")),
            "back": lambda store: store.put_back(claim, row, due_at=soon, error="e", repeat=True),
            "hold": lambda store: store.hold(claim, row, until=None, lasts=WEEK),
            "bury": lambda store: store.bury(claim, row, error="x"),
            "lose": lambda store: store.head(claim),
        }
        self.both(writes[what])

    @precondition(lambda self: self.slots)
    @rule(data=st.data(), more=st.booleans())
    def take_for_slot(self, data: st.DataObject, *, more: bool) -> None:
        where, slot = data.draw(st.sampled_from(self.slots))
        until = self.clock.now() + timedelta(seconds=5)
        taken = [row for row, by in self.taken if by == slot] if more else []
        last = taken[-1] if taken else None
        row = self.both(lambda store: store.take_for_slot(where, slot, until, behind=last))
        if row is not None:
            self.taken.append((row, slot))

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), known=st.booleans())
    def slot_replied(self, data: st.DataObject, *, known: bool) -> None:
        row, slot = data.draw(st.sampled_from(self.taken))
        outcome = Sent("r") if known else None
        self.both(lambda store: store.slot_replied(row, slot, outcome))

    @precondition(lambda self: self.slots)
    @rule(data=st.data())
    def close_slot(self, data: st.DataObject) -> None:
        _, slot = data.draw(st.sampled_from(self.slots))
        self.both(lambda store: store.close_slot(slot))

    @rule(conversation=conversations, name=st.integers(0, 3), void=st.booleans())
    def amend(self, conversation: ConversationId, name: int, *, void: bool) -> None:
        edit = None if void else Message(Role.USER, (Text("edited"),), self.clock.now())
        self.both(lambda store: store.amend(conversation, f"p{name}", edit))

    @rule(old=addresses, new=addresses, chance=SELDOM)
    def move(self, old: Any, new: Any, chance: int) -> None:
        if chance:
            return
        self.both(lambda store: store.move("default", old, new))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), sender=st.none() | senders, chance=SELDOM)
    def forget(self, data: st.DataObject, sender: Sender | None, chance: int) -> None:
        if chance:
            return
        claim = data.draw(st.sampled_from(self.claims))
        self.both(lambda store: store.forget(claim, sender))

    @rule(address=addresses, chance=SELDOM)
    def erase(self, address: Any, chance: int) -> None:
        if chance:
            return
        self.both(lambda store: store.erase("default", address))

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def end_session(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        head = self.both(lambda store: store.head(claim))
        if head is not None and head.session is not None:
            self.both(lambda store: store.end_session(claim, head.session, Ending.COMMAND))

    @rule(seconds=st.sampled_from((1, 3, 6, 16, 400, 90_000)))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(idle=st.sampled_from((10, 1000)))
    def upkeep(self, idle: int) -> None:
        rules = [IdleRule(idle, adapter="other"), IdleRule(idle * 2, audience="customers")]

        async def sweep(store: Store) -> set[Any]:
            return set(await store.sweep(rules))

        async def expire(store: Store) -> set[Any]:
            expired = await store.expire_outbox(timedelta(days=1))
            return {(row.conversation, row.turn, row.piece) for row in expired}

        self.both(sweep)
        self.both(expire)
        self.both(lambda store: store.repair())
        self.both(lambda store: store.retain(RULES))

    @rule(conversation=conversations, turn=st.integers(1, 8), piece=st.integers(0, 2))
    def operate(self, conversation: ConversationId, turn: Any, piece: int) -> None:
        if turn % 2:
            self.both(lambda store: store.outbox_retry(conversation, turn, piece))
        else:
            self.both(lambda store: store.outbox_drop(conversation, turn, piece))

    @rule(address=addresses, kind=st.sampled_from(SignalKind))
    def signal(self, address: Address, kind: SignalKind) -> None:
        new = NewSignal(kind, "default", address, "body")
        self.both(lambda store: store.put_signals([new, new]))

    # ---- what must always be so --------------------------------------------------------

    @rule(sender=senders)
    def look_around(self, sender: Sender) -> None:
        self.both(lambda store: _said(store, sender))
        self.both(_health)
        self.both(_outbox)
        self.both(_signals)

    # ---- what must always be so --------------------------------------------------------

    @invariant()
    def both_tell_the_same_story(self) -> None:
        for ask in STORY:
            self.both(ask)


async def _never(*_: object) -> Any:
    raise AssertionError("this world has one store and a clock that can be moved")


async def _outcome(asked: Awaitable[Any]) -> Any:
    try:
        found = await asked
    except ParleyError as error:
        return type(error)
    return list(found) if isinstance(found, tuple) else found


async def _page(store: Store, address: Any) -> Any:
    return list(await store.page("default", address, before=None, limit=50))


async def _said(store: Store, sender: Sender) -> Any:
    said = await store.said_by("default", f"telegram:1001:{sender.id}")
    # Lines of one instant have no order among themselves.
    return sorted(map(repr, said))


async def _signals(store: Store) -> Any:
    """Without their numbers: a text that another replaces at once may have had one, or not."""
    old = await store.signals_before(timedelta(days=1))
    told = await store.signals(0, shards=range(256))
    return [(replace(one, id=0), one.id <= old) for one in told]


async def _health(store: Store) -> Any:
    return replace(await store.health(), size_bytes=0)


async def _outbox(store: Store) -> Any:
    return {repr(row) for row in await store.outbox_rows(list(OutboxState), 1000)}


def _about(address: Any) -> list[Ask]:
    return [
        lambda store: store.conversation("default", address),
        lambda store: _page(store, address),
    ]


def _window(number: int) -> Ask:
    return lambda store: store.window(ConversationId(number), first=2, limit=3)


STORY: list[Ask] = [
    *(ask for address in ADDRESSES for ask in _about(address)),
    *(_window(number) for number in (1, 2, 3)),
    lambda store: store.wake_up_in(),
]


@pytest.mark.parametrize(
    "examples",
    [EXAMPLES, pytest.param(MANY, marks=[pytest.mark.slow, pytest.mark.timeout(600)])],
)
def test_the_double_and_sqlite_agree(tmp_path: Path, examples: int) -> None:
    template = tmp_path / "template.db"
    migrate_sqlite(template, FakeClock())
    Agreement.template = template
    machine = Agreement.TestCase
    machine.settings = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),
        report_multiple_bugs=False,
        database=None,
    )
    machine().runTest()
