"""How rows look to an operator, purely: lines of text from settings, tools, entries and pieces."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from bot.cli.words import words, words_in
from bot.config import Settings
from bot.domain.message import Role
from bot.domain.operating import StoreHealth
from bot.domain.records import Entry
from bot.engine.plugins import AbsentPlugin, listed_tools
from bot.engine.tools import Tool
from bot.ports import Health

WIDEST = 48


def setting_lines(rows: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """Every setting with its value and source, in columns."""
    keys, values = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
    for key, value, source in rows:
        yield f"{key:<{keys}}  {value:<{min(values, WIDEST)}}  {source}"


def findings(ours: Sequence[Health], servers: Sequence[Health], language: str) -> Sequence[Health]:
    """What a look from here finds, and what only a server that runs can have seen."""
    known = {(one.name, one.detail) for one in ours}
    more = [one for one in servers if not one.ok and (one.name, one.detail) not in known]
    named = [replace(one, name=words_in(language, "in_server", name=one.name)) for one in more]
    return [*ours, *named]


def health_lines(found: Sequence[Health], language: str) -> Iterator[str]:
    """What each probe found, and what it comes to."""
    verdicts = [words_in(language, "ok" if one.ok else "wrong") for one in found]
    names = max((len(one.name) for one in found), default=0)
    for one, verdict in zip(found, verdicts, strict=True):
        yield f"{verdict:<6} {one.name:<{names}}  {one.detail}".rstrip()
    wrong = sum(not one.ok for one in found)
    if wrong:
        yield words_in(language, "some_wrong", count=wrong, all=len(found))
    else:
        yield words_in(language, "all_well")


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


def absent_lines(absent: Sequence[AbsentPlugin]) -> Iterator[str]:
    """Two lines for each optional plugin that could not be loaded."""
    for one in absent:
        yield f"{one.use}: {words('not_loaded')}"
        yield f"    {one.place} · {one.why}"


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
    return tool.name in listed_tools(listed, tools.values(), whole=False)


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
