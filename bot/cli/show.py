"""How rows look to an operator, purely: lines of text from settings, tools, entries and pieces."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from bot.cli.words import words
from bot.config import Settings
from bot.domain.message import Role
from bot.domain.records import Entry, OutboxRow, StoreHealth
from bot.engine.plugins import listed_tools
from bot.engine.tools import Tool
from bot.ports import Health

WIDEST = 48


def setting_lines(rows: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """Every setting with its value and source, in columns."""
    keys, values = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
    for key, value, source in rows:
        yield f"{key:<{keys}}  {value:<{min(values, WIDEST)}}  {source}"


def health_lines(found: Sequence[Health]) -> Iterator[str]:
    """What each probe found, and what it comes to."""
    verdicts = [words("ok" if one.ok else "wrong") for one in found]
    names = max((len(one.name) for one in found), default=0)
    for one, verdict in zip(found, verdicts, strict=True):
        yield f"{verdict:<6} {one.name:<{names}}  {one.detail}".rstrip()
    wrong = sum(not one.ok for one in found)
    yield words("some_wrong", count=wrong, all=len(found)) if wrong else words("all_well")


def tool_lines(tools: Mapping[str, Tool], settings: Settings) -> Iterator[str]:
    """Two lines for each function: how it is called, and for whom it is there."""
    for tool in tools.values():
        spec = tool.spec
        notes = [spec.effect.value]
        if spec.needs_approval:
            notes.append(words("approval"))
        if spec.roles:
            notes.append(words("only_roles", roles=", ".join(sorted(spec.roles))))
        notes += [_audiences(tool, tools, settings), tool.source]
        yield tool.signature
        yield f"    {' · '.join(notes)}"


def _audiences(tool: Tool, tools: Mapping[str, Tool], settings: Settings) -> str:
    names = {"": words("everyone"), **{name: name for name in settings.audiences}}
    listing = [
        shown
        for name, shown in names.items()
        if _offers(settings.answer_for(name or None).tools, tool, tools)
    ]
    return ", ".join(listing) or words("no_audience")


def _offers(listed: str | tuple[str, ...], tool: Tool, tools: Mapping[str, Tool]) -> bool:
    if isinstance(listed, str):
        return not tool.spec.private
    return tool.name in listed_tools(listed, tools.values())


def entry_lines(entries: Sequence[Entry]) -> Iterator[str]:
    """What was said and told, under the conversation that it was said in."""
    place = ""
    for entry in entries:
        message = entry.message
        if not message.text or message.role not in {Role.USER, Role.ASSISTANT}:
            continue
        if str(entry.address) != place:
            place = str(entry.address)
            yield f"— {clean(place)}"
        mark = f" ({words('waits')})" if entry.waiting else ""
        arrow = ">" if message.role is Role.USER else "<"
        first, *rest = clean(message.text).split("\n")
        yield f"{message.sent_at:%Y-%m-%d %H:%M:%S}Z {arrow} {first}{mark}"
        yield from (f"{'':23}{line}" for line in rest)


def outbox_lines(rows: Sequence[OutboxRow]) -> Iterator[str]:
    """A line for each piece."""
    for row in rows:
        columns = (
            f"{piece_name(row):<14}",
            f"{row.state.value:<8}",
            f"{row.created_at:%Y-%m-%d %H:%M}Z",
            f"×{row.attempts}",
            clean(str(row.outbound.address)),
            clean(row.error),
        )
        yield "  ".join(columns).rstrip()


def piece_lines(row: OutboxRow) -> Iterator[str]:
    """One piece whole."""
    yield from outbox_lines([row])
    yield ""
    yield clean(row.outbound.text)


def piece_name(row: OutboxRow) -> str:
    """How the operator names it."""
    return f"{row.conversation}/{row.turn}/{row.piece}"


def store_lines(health: StoreHealth) -> Iterator[str]:
    """What waits."""
    states = ", ".join(f"{state} {count}" for state, count in health.outbox if count)
    yield words("waiting", waiting=health.waiting, dead=health.dead)
    yield words("unsent", states=states or words("none"))
    if health.size_bytes:
        yield words("size", size=f"{health.size_bytes / 1e6:.1f} MB")


def clean(text: str) -> str:
    """Without control characters: nobody's words may steer the operator's terminal."""
    return "".join(
        char for char in text if char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cs"}
    )
