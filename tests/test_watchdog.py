"""A loop that stands still ends its process; one that is only busy, or was frozen, does not."""

import asyncio
import io
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from bot.watchdog import LOOKS, STOOD_STILL, Watchdog, places
from tests.fakes import until
from tests.journeys.program import a_moment
from tests.needs import ROOT

PROGRAM = """
import asyncio, re, sys, time
from bot.clock import SystemClock
from bot.watchdog import watching

async def main() -> None:
    async with watching(0.9, SystemClock()):
        {body}
    time.sleep(1.2)  # what happens after it is nobody's business
    print("well ended")

asyncio.run(main())
"""


THAWS = """read = asyncio.get_running_loop().run_in_executor
        for _ in range(3):
            print("here", flush=True)
            await read(None, sys.stdin.readline)
        {then}"""
"""A loop that lives on while somebody else is to say something, and what it does then."""


async def ended(body: str) -> tuple[int, str, str]:
    """How such a program ends, and what it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM.format(body=body)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


@pytest.mark.slow
async def test_a_loop_that_stands_still_ends_with_one_line_that_says_where() -> None:
    code, _, err = await ended("secret = 'canary'; time.sleep(60)")
    assert code == STOOD_STILL
    (line,) = err.splitlines()
    assert line.startswith("parley: the event loop stood still for 0.6 s")
    assert "<string>:8 main" in line
    assert "canary" not in line


@pytest.mark.slow
async def test_code_that_lets_no_other_thread_run_is_ended_by_the_kernel() -> None:
    code, _, err = await ended("re.match('(a+)+$', 'a' * 60 + 'b')")
    assert code < 0
    assert 'File "<string>", line 8 in main' in err


@pytest.mark.slow
async def test_a_loop_that_stands_still_ends_where_no_other_thread_can_be_begun() -> None:
    # More of a stack than any machine could give it.
    code, _, _ = await ended("import threading; threading.stack_size(1 << 56); time.sleep(60)")
    assert code == STOOD_STILL


@pytest.mark.slow
async def test_what_runs_with_pauses_is_left_alone_and_nobody_is_watched_after_the_end() -> None:
    code, out, err = await ended("[(time.sleep(0.3), await asyncio.sleep(0.05)) for _ in range(5)]")
    assert (code, out, err) == (0, "well ended\n", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("then", "code"), [("pass", 0), ("time.sleep(60)", STOOD_STILL)], ids=["lives", "blocks"]
)
async def test_a_frozen_process_that_thaws_is_left_alone_until_its_loop_stands_still(
    then: str, code: int
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM.format(body=THAWS.format(then=then))),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    async with asyncio.timeout(60):
        for _ in range(3):
            assert await process.stdout.readline() == b"here\n"
            process.send_signal(signal.SIGSTOP)
            await longer_than(0.9)  # three times in a row for longer than it may stand still
            process.send_signal(signal.SIGCONT)
            process.stdin.write(b"go on\n")
        out, err = await process.communicate()
    assert process.returncode == code
    assert out.decode() == ("" if code else "well ended\n")
    assert (b"stood still" in err) == bool(code)


async def longer_than(seconds: float) -> None:
    """Return when so much time is certainly over, for somebody who cannot count it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await a_moment()


async def test_it_counts_its_own_looks_and_not_the_time_that_it_was_frozen_itself() -> None:
    found: list[int] = []
    out = io.StringIO()
    dog = Watchdog(0.02 * LOOKS, end=found.append, out=out)
    dog._missed = LOOKS - 1  # as after a long freezing: one look more is not enough
    dog.feed()
    dog.start()
    # Another thread says it, and the watchdog waits a fiftieth of a second for that
    await until(lambda: found and out.getvalue())
    assert found == [STOOD_STILL]
    assert dog._missed == LOOKS + 1
    assert out.getvalue().count("\n") == 1
    dog.stop()


def test_places_name_files_and_lines_from_the_inside_out_and_end_somewhere() -> None:
    frame = sys._current_frames()[threading.get_ident()]
    first, *rest = places(frame)
    assert first.startswith("tests/test_watchdog.py:")
    assert first.endswith(" test_places_name_files_and_lines_from_the_inside_out_and_end_somewhere")
    assert len(rest) < 12
    assert list(places(None)) == []


def test_a_path_is_shown_by_the_part_that_matters() -> None:
    assert not [place for place in places(sys._getframe()) if str(Path.home()) in place]
