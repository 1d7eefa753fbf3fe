"""A function that forks: the server goes on once, and what it left behind ends."""

import asyncio
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SERVER = '''
import asyncio, os
from bot import ToolContext, tool
from tests.tool_context import tool_context


def fork():
    """Leave a child, and wait for its end where this is the parent."""
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0


@tool
async def at_once() -> str:
    """Come back at once."""
    fork()
    return "at once"


@tool
async def later() -> str:
    """Come back by way of the loop."""
    child = os.fork()
    await asyncio.sleep(0)
    if child:
        os.waitpid(child, 0)
    return "later"


@tool
async def failing() -> str:
    """Do not come back, in either."""
    fork()
    raise RuntimeError("failing")


@tool
def threaded() -> str:
    """Come back in a thread."""
    fork()
    return "threaded"


async def found(key):
    """Come back by way of the loop."""
    child = os.fork()
    await asyncio.sleep(0)
    if child:
        os.waitpid(child, 0)
    return "found"


@tool(effect="once", lookup=found)
async def pay() -> str:
    """Pay."""
    return "paid"


async def main() -> None:
    runs = [one.call(tool_context(), "{}") for one in (at_once, later, failing, threaded)]
    for run in (*runs, pay.look_up(tool_context())):
        try:
            said = await run
        except RuntimeError as error:
            said = str(error)
        os.write(1, f"{said}\\n".encode())


asyncio.run(main())
os.write(1, b"over\\n")
'''


async def test_a_child_that_a_function_leaves_behind_never_goes_on_as_the_server() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVER),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        output, errors = await process.communicate()
    said = ["at once", "later", "failing", "threaded", "found", "over"]
    assert output.decode().splitlines() == said
    assert errors == b""
