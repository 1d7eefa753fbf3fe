"""Probes are bounded, run together, and their own mistakes are findings too."""

import asyncio
from collections.abc import Iterable

from bot.ports import Health, Probes
from bot.probing import Probing
from tests.fakes import EPOCH, FakeClock, RecordingObserver, until


class Well:
    def __init__(self) -> None:
        self.asked = 0

    async def probe(self) -> Health:
        self.asked += 1
        await asyncio.sleep(0)
        return Health("main", ok=True, detail="answers")


class Broken:
    async def probe(self) -> Health:
        raise RuntimeError("canary")


class Silent:
    async def probe(self) -> Health:
        raise TimeoutError


def make(
    observer: RecordingObserver | None = None, told: list[Health] | None = None, **probes: Probes
) -> Probing:
    def report(found: Iterable[Health]) -> None:
        if told is not None:
            told.extend(found)

    return Probing(
        probes, clock=FakeClock(), observer=observer or RecordingObserver(), report=report
    )


async def test_what_a_probe_finds_is_kept_with_its_time() -> None:
    told: list[Health] = []
    probing = make(told=told, main=Well())
    before = probing.found
    found = await probing.run()
    assert before == ()
    assert found == probing.found == (Health("main", ok=True, detail="answers", checked_at=EPOCH),)
    assert told == [*found]


async def test_a_probe_that_fails_is_a_finding_and_a_report_without_text() -> None:
    observer = RecordingObserver()
    probing = make(observer, telegram=Broken(), main=Well())
    broken, well = await probing.run()
    assert (broken.name, broken.ok, well.ok) == ("telegram", False, True)
    assert "RuntimeError" in broken.detail
    assert "canary" not in broken.detail
    (report,) = observer.named("failed")
    assert report["place"] == "probe telegram"


async def test_a_probe_that_gives_no_answer_in_time_is_a_finding() -> None:
    observer = RecordingObserver()
    (silent,) = await make(observer, main=Silent()).run()
    assert (silent.ok, silent.detail) == (False, "no answer within 10 seconds")
    assert observer.facts == []


async def test_who_asks_meanwhile_gets_the_same_run() -> None:
    well = Well()
    probing = make(main=well)
    await asyncio.gather(*(probing.run() for _ in range(10)))
    assert well.asked == 1
    await probing.run()
    assert well.asked == 2


async def test_one_who_stops_waiting_does_not_stop_the_run_for_others() -> None:
    probing = make(main=Well())
    first = asyncio.create_task(probing.run())
    second = asyncio.create_task(probing.run())
    await asyncio.sleep(0)
    first.cancel()
    assert (await second)[0].ok
    await probing.close()


class Slow:
    """Finds what was so when it was asked."""

    def __init__(self) -> None:
        self.trouble = ""
        self.asked = 0
        self.may_end = asyncio.Event()

    async def probe(self) -> Health:
        self.asked += 1
        found = Health("slack", ok=not self.trouble, detail=self.trouble)
        await self.may_end.wait()
        return found


async def test_an_operator_is_told_what_is_so_now_and_not_what_a_run_under_way_found() -> None:
    slow = Slow()
    probing = make(slack=slow)
    first = asyncio.create_task(probing.run())
    await until(lambda: slow.asked)
    slow.trouble = "the token was revoked"

    async def order() -> list[object]:
        return [event["detail"] async for event in probing.order({})]

    told = asyncio.create_task(order())
    await asyncio.sleep(0)
    slow.may_end.set()
    assert (await first)[0].ok
    assert await told == ["the token was revoked"]
    assert probing.found[0].detail == "the token was revoked"


async def test_what_the_probing_itself_says_is_in_the_language_of_the_program() -> None:
    probing = Probing(
        {"main": Broken()}, clock=FakeClock(), observer=RecordingObserver(), locale="zh"
    )
    (broken,) = await probing.run()
    assert "检查本身出错（RuntimeError）" in broken.detail
