"""An answer never overtakes the one before it: not on the wire, not on the screen."""

from datetime import timedelta

from bot import Transient
from bot.domain.records import OutboxState
from tests.engine.house import Gate, House, ListPlatform, ScriptedModel, says
from tests.engine.test_crashes import passing
from tests.fakes import until

LATER = timedelta(seconds=40)


async def test_an_answer_behind_one_that_waits_is_not_marked_as_being_sent() -> None:
    platform = ListPlatform()
    platform.faults = [Transient("flood", retry_after=LATER)]
    model = ScriptedModel(says("first"), says("second"))
    async with House(model, platform=platform).open() as house:
        await house.say("one")
        await until(lambda: house.observer.named("send_failed"))
        await house.at_rest()
        await house.say("two")
        await until(lambda: len(house.observer.named("turn_ended")) == 2)
        await house.at_rest()
        # A crash now would leave a doubt about what never came near the wire.
        assert await house.store.outbox_rows([OutboxState.SENDING]) == []
        assert len(await house.store.outbox_rows([OutboxState.QUEUED])) == 2
        house.clock.advance(LATER.total_seconds() + 1)
        assert await house.has_sent(2) == ["first", "second"]


async def test_an_answer_does_not_grow_on_the_screen_while_the_one_before_it_waits() -> None:
    gate = Gate(before="sec", after="ond")
    platform = ListPlatform()
    platform.faults = [Transient("flood", retry_after=LATER)]
    async with House(ScriptedModel(says("first"), gate), platform=platform).open() as house:
        await house.say("one")
        await until(lambda: house.observer.named("send_failed"))
        await house.at_rest()
        platform.drafts_mode = "message"
        await house.say("two")
        await gate.reached.wait()
        for _ in range(20):
            house.clock.advance(0.1)
            await house.clock.sleep(0)
        assert platform.drafts == []
        await passing(house, lambda: platform.drafts and platform.drafts[0].shown)
        assert platform.texts == ["first"]
        gate.let_go.set()
        assert await house.has_sent(2) == ["first", "second"]
