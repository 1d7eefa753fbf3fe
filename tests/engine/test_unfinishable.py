"""An answer whose draft was deleted, or cannot hold it: a message of its own, and never two."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bot import Ambiguous, Outbound, Permanent, Sent, Transient, Unfinishable
from bot.domain.records import OutboxState
from tests.engine.house import Gate, House, ListDraft, ListPlatform, ScriptedModel
from tests.engine.test_crashes import passing
from tests.engine.test_outbox import Counter, piece
from tests.fakes import EPOCH, until

STANDS = Sent("d7")


class GoneDraft(ListDraft):
    """Somebody has deleted it."""

    async def finish(self, piece: Outbound) -> Sent:
        raise Unfinishable("gone")


class Deleting(ListPlatform):
    """Somebody deletes every draft that stands there."""

    def __init__(self) -> None:
        super().__init__(drafts="message")

    async def draft(self, *place: Any, **values: Any) -> ListDraft:
        opened = await super().draft(*place, **values)
        self.drafts[-1] = GoneDraft(self, opened.address, opened.turn, opened.sent)
        return self.drafts[-1]


class Refusing(ListPlatform):
    """A platform that takes no draft up again."""

    async def draft(self, *place: Any, **values: Any) -> ListDraft:
        raise Permanent("no")


@pytest.mark.parametrize("kind", [Deleting, Refusing, ListPlatform])
async def test_before_it_is_sent_it_is_written_down_that_no_draft_stands_for_it(
    kind: Callable[[], ListPlatform],
) -> None:
    counter = Counter(piece(0, draft=STANDS), piece(1), platform=kind())
    assert await counter.delivery.drain() is None
    assert counter.platform.texts == ["piece 0", "piece 1"]
    assert counter.written.log[:4] == [("take", 0), ("alone", 0), ("take", 0), ("sent", 0)]
    assert counter.outcomes == []


class Confused(ListPlatform):
    """A platform whose sends speak of a draft where there is none."""

    async def send(self, piece: Outbound) -> Sent:
        raise Unfinishable("gone")


@pytest.mark.parametrize("draft", [None, STANDS])
async def test_a_platform_that_calls_a_mere_send_unfinishable_is_not_asked_for_ever(
    draft: Sent | None,
) -> None:
    counter = Counter(piece(0, draft=draft), platform=Confused())
    async with asyncio.timeout(10):
        await counter.delivery.drain()
    assert counter.outcomes == ["dead"]


async def test_the_draft_goes_away_only_after_that_was_written() -> None:
    platform = Deleting()
    counter = Counter(piece(0, draft=STANDS), platform=platform)
    put_back = counter.written.put_back

    async def looks(*args: Any, **values: Any) -> None:
        assert not any(draft.abandoned for draft in platform.drafts)
        await put_back(*args, **values)

    counter.written.put_back = looks  # type: ignore[method-assign]  # looks, and does the same
    await counter.delivery.drain()
    assert platform.drafts[-1].abandoned


async def test_what_the_platform_had_held_back_does_not_expire_by_it() -> None:
    expires_at = EPOCH + timedelta(hours=1)
    held = piece(0, state=OutboxState.HELD, draft=STANDS, expires_at=expires_at)
    counter = Counter(held, platform=Deleting())
    counter.clock.advance(7200)
    await counter.delivery.drain()
    assert counter.platform.texts == ["piece 0"]


async def test_where_its_send_gets_no_answer_it_is_repeated_with_its_mark() -> None:
    counter = Counter(piece(0, draft=STANDS), platform=Deleting())
    counter.platform.faults = [Ambiguous("no answer")]
    await counter.delivery.drain()
    assert counter.platform.texts == ["(sent again) piece 0"]
    assert counter.outcomes == ["repeated"]


async def test_a_draft_that_does_not_know_whether_it_has_said_it_is_in_doubt_like_a_send() -> None:
    counter = Counter(piece(0, draft=STANDS), drafts="message")
    counter.platform.faults = [Ambiguous("no answer")]
    await counter.delivery.drain()
    assert counter.platform.texts == ["(sent again) piece 0"]
    assert counter.outcomes == ["repeated"]


@pytest.mark.parametrize("error", [TimeoutError(), Transient("no answer")])
async def test_an_edit_without_an_answer_is_made_again_without_a_mark(error: Exception) -> None:
    counter = Counter(piece(0, draft=STANDS), drafts="message")
    counter.platform.faults = [error]
    due = await counter.delivery.drain()
    assert due is not None
    counter.clock.advance(60)
    await counter.delivery.drain()
    assert counter.platform.texts == ["piece 0"]
    assert counter.outcomes == ["transient"]


async def test_a_crash_behind_its_send_leaves_a_doubt_and_no_second_answer_without_a_mark() -> None:
    sending = asyncio.Event()

    async def dies(piece: Outbound) -> None:
        sending.set()
        await asyncio.Event().wait()

    gate, platform = Gate(before="Hel", after="lo"), Deleting()
    house = House(ScriptedModel(gate), platform=platform)
    async with house.open():
        await house.say("hi")
        await until(lambda: platform.drafts and platform.drafts[0].shown)
        platform.before_send = dies
        gate.let_go.set()
        await sending.wait()
        platform.before_send = None
        again = House(house.model, clock=house.clock, store=house.store, platform=platform)
        async with again.open():
            await passing(again, lambda: platform.sent)
            assert platform.texts == ["(sent again) Hello"]
            assert [f["outcome"] for f in again.observer.named("send_failed")] == ["repeated"]
