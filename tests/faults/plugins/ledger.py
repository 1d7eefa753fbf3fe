"""Tools that write down when they begin and end, under the key that makes a call its own.

The ledger's file is named by `FAULTS_LEDGER`, the node by `FAULTS_NODE`. Lines are appended in
one write each, so that several nodes share one file.
"""

import asyncio
import json
import os
import time

from bot import ToolContext, tool

LONG = 0.05
"""Seconds that a call takes, so that a kill can find one at work."""


def note(context: ToolContext, name: str, event: str, mark: str) -> None:
    """One line of the ledger; it is there even if the process dies right after."""
    line = {
        "kind": event,
        "mono": time.monotonic_ns() // 1000,
        "tool": name,
        "key": context.key,
        "mark": mark,
        "chat": context.address.chat,
        "tenant": context.tenant,
        "node": os.environ["FAULTS_NODE"],
        "pid": os.getpid(),
    }
    file = os.open(os.environ["FAULTS_LEDGER"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(file, json.dumps(line).encode() + b"\n")
    finally:
        os.close(file)


async def run(context: ToolContext, name: str, mark: str, how: str) -> str:
    """Begin, take a while, end."""
    note(context, name, "begun", mark)
    try:
        await asyncio.sleep(float(how or LONG))
    finally:
        note(context, name, "ended", mark)  # cancelled is ended, too
    return f"{name} did {mark}"


@tool(effect="once")
async def stamp(context: ToolContext, mark: str, how: str = "") -> str:
    """Stamp a letter: it may happen once only.

    Args:
        context: Who asks.
        mark: The mark of the message that wants it.
        how: For how many seconds.
    """
    return await run(context, "stamp", mark, how)


@tool(effect="idempotent")
async def enter(context: ToolContext, mark: str, how: str = "") -> str:
    """Enter a line in a register: twice under one key is as good as once.

    Args:
        context: Who asks.
        mark: The mark of the message that wants it.
        how: For how many seconds.
    """
    return await run(context, "enter", mark, how)


@tool
async def look(context: ToolContext, mark: str, how: str = "") -> str:
    """Look something up.

    Args:
        context: Who asks.
        mark: The mark of the message that wants it.
        how: For how many seconds.
    """
    return await run(context, "look", mark, how)
