"""Outbound → what Telegram accepts: text with marks, and buttons. No waiting here."""

from collections.abc import Sequence

from telegramify_markdown import utf16_len

from adapters.telegram.markdown import to_entities
from adapters.telegram.marks import Rendered, clean, clipped, units_between
from bot import Activity, ActivityState, Choice

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
BUTTON_LIMIT = 64
BY_LABEL = "="
"""A button whose value is too long for the wire carries its number; its label is the value."""

_SHORT_LABEL = 14


def render(markdown: str) -> Rendered:
    """A text and its marks; never empty where the source is not."""
    source = clean(markdown)
    rendered = to_entities(source)
    if rendered.text or not source.strip():
        return rendered
    return Rendered(source.strip())


def first_part(rendered: Rendered, limit: int = TEXT_LIMIT) -> Rendered:
    """The beginning, as far as a message takes it: the rest comes in the next one."""
    if rendered.units <= limit:
        return rendered
    text = units_between(rendered.text, 0, limit - 2).rstrip()
    return Rendered(f"{text} …", clipped(rendered.entities, 0, utf16_len(text)))


def last_part(rendered: Rendered, limit: int = TEXT_LIMIT) -> Rendered:
    """The end, so that what grows can be seen."""
    if rendered.units <= limit:
        return rendered
    kept = units_between(rendered.text, rendered.units - limit + 2)
    start = rendered.units - utf16_len(kept)
    return Rendered(f"… {kept}", clipped(rendered.entities, start, rendered.units, shift=2))


def growing(text: str, activities: Sequence[Activity]) -> str:
    """A draft's text with a line for each tool that is at work."""
    running = [
        f"⏳ `{activity.tool}`"
        for activity in activities
        if activity.state is ActivityState.RUNNING
    ]
    return "\n\n".join(part for part in (text, "\n".join(running)) if part.strip())


def keyboard(choices: Sequence[Choice]) -> list[list[tuple[str, str]]]:
    """Rows of (label, data); two short labels share a row."""
    buttons = [
        (choice.label.strip() or choice.value.strip() or "…", _data(choice, number))
        for number, choice in enumerate(choices)
    ]
    rows: list[list[tuple[str, str]]] = []
    for button in buttons:
        short = len(button[0]) <= _SHORT_LABEL
        if short and rows and len(rows[-1]) == 1 and len(rows[-1][0][0]) <= _SHORT_LABEL:
            rows[-1].append(button)
        else:
            rows.append([button])
    return rows


def _data(choice: Choice, number: int) -> str:
    fits = 0 < len(choice.value.encode()) <= BUTTON_LIMIT
    return choice.value if fits and not choice.value.startswith(BY_LABEL) else f"{BY_LABEL}{number}"
