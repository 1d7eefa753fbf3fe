"""CommonMark → text and marks: what a model writes, as Telegram shows it. Pure."""

import re
from collections.abc import Callable
from typing import Any, ClassVar

import pyromark

from adapters.telegram.flanks import SIGN, with_signs
from adapters.telegram.latex import OPTIONS, readable, with_dollars
from adapters.telegram.marks import Rendered
from adapters.telegram.table import aligned
from adapters.telegram.writing import Writing

RULE = "————————"

_INLINE = {"Emphasis": "italic", "Strong": "bold"}
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_LANGUAGE = re.compile(r"[\w+#.-]+")
_LINKABLE = re.compile(r"(https?|tg|mailto|tel):\S+", re.IGNORECASE)


def to_entities(markdown: str) -> Rendered:
    """Nothing that can be read is dropped: HTML stays as it was written."""
    written = with_dollars(markdown)
    source = with_signs(written)
    walker = _Walker(source, signed=source != written)
    for event, place in pyromark.events_with_range(source, options=OPTIONS):
        walker.take(event, place["start"], place["end"])
    return walker.rendered()


class _Walker:
    """Hears of every element where it begins and ends, and says what is to be written of it."""

    def __init__(self, source: str, *, signed: bool) -> None:
        self._source = source.encode()
        self._signed = signed
        self._page = Writing()
        self._fresh = False
        self._lists: list[int | None] = []
        self._table: list[list[str]] = []

    def rendered(self) -> Rendered:
        return self._page.rendered()

    def take(self, event: Any, start: int, end: int) -> None:
        if isinstance(event, str):
            self._take_bare(event)
            return
        ((kind, value),) = event.items()
        match kind:
            case "Start":
                self._start(value, start)
            case "End":
                self._end(value)
            case "Text":
                self._page.write(self._bare(value))
            case "Code":
                self._page.marked("code", self._bare(value))
            case "InlineMath" | "DisplayMath":
                self._math(self._bare(value), start, end)
            case "Html" | "InlineHtml":
                self._html(self._bare(value))
            case "TaskListMarker":
                self._page.marker = self._page.marker[: -len("• ")] + ("☑ " if value else "☐ ")
            case _:
                self._page.write(self._written(start, end))

    def _written(self, start: int, end: int) -> str:
        return self._bare(self._source[start:end].decode())

    def _bare(self, text: str) -> str:
        """Without our own signs."""
        return text.replace(SIGN, "") if self._signed else text

    # -- text --------------------------------------------------------------------------------

    def _begin(self) -> None:
        """A block begins; the first one of a list item stands beside its marker."""
        if not self._page.marker and not self._fresh:
            self._end_of_block()
        self._fresh = False

    def _end_of_block(self) -> None:
        self._page.end_line(1 if self._lists else 2)

    def _take_bare(self, event: str) -> None:
        if event == "Rule":
            self._begin()
            self._page.write(RULE)
            self._end_of_block()
        else:
            self._page.write("\n" if self._page.cell is None else " ")

    def _html(self, html: str) -> None:
        line_break = "\n" if self._page.cell is None else " "
        self._page.write(_BREAK.sub(line_break, html.removesuffix("\n")))
        if html.endswith("\n"):
            self._page.end_line(1)

    def _math(self, math: str, start: int, end: int) -> None:
        # A closing dollar before a digit belongs to the next price.
        price = self._source[end : end + 1].isdigit() and not self._source[start:].startswith(b"$$")
        shown = "" if price else readable(math)
        self._page.write(shown or self._written(start, end))

    # -- markup ------------------------------------------------------------------------------

    def _start(self, tag: Any, start: int) -> None:
        name, value = (tag, None) if isinstance(tag, str) else next(iter(tag.items()))
        match name:
            case "Emphasis" | "Strong":
                self._page.push(_INLINE[name])
            case "Strikethrough":
                self._strike(start)
            case "TableCell":
                self._page.cell = []
            case "TableHead" | "TableRow":
                self._table.append([])
            case "Item":
                self._item()
            case _:
                self._STARTS.get(name, _Walker._begin_other)(self, value)

    def _end(self, tag: Any) -> None:
        name = tag if isinstance(tag, str) else next(iter(tag))
        if (end := self._ENDS.get(name)) is not None:
            end(self)

    def _end_marked_block(self) -> None:
        self._page.pop()
        self._fresh = False
        self._end_of_block()

    def _strike(self, start: int) -> None:
        # One tilde reads as "about", not as a stroke through the text.
        double = self._source[start : start + 2] == b"~~"
        if not double:
            self._page.write("~")
        self._page.push("strikethrough", shown=double)

    def _end_strike(self) -> None:
        if not self._page.pop().shown:
            self._page.write("~")

    def _link(self, link: dict[str, Any]) -> None:
        url = self._bare(link["dest_url"])
        plain = link["link_type"] in ("Autolink", "Email")
        # A bare address is its own label: every client makes it a link by itself.
        shown = not plain and bool(_LINKABLE.fullmatch(url))
        self._page.push("text_link", url="" if plain else url, shown=shown)

    def _end_link(self) -> None:
        scope = self._page.pop()
        if not scope.shown and scope.url:
            # No client would open it, but the person may read it.
            self._page.write(f" ({scope.url})")

    def _image(self, image: dict[str, Any]) -> None:
        self._page.write("🖼 ")
        url = self._bare(image["dest_url"])
        self._page.push("text_link", url=url, shown=bool(_LINKABLE.fullmatch(url)))

    def _end_image(self) -> None:
        if (bare := self._page.bare) is not None:
            self._page.write(bare.url or "")
        self._page.pop()

    def _begin_other(self, _: object) -> None:
        self._begin()

    def _begin_heading(self, _: object) -> None:
        self._begin()
        self._page.push("bold")

    def _begin_quote(self, _: object) -> None:
        self._begin()
        # Telegram knows no quote inside a quote.
        self._page.push("blockquote", shown=not self._page.is_in("blockquote"))
        self._fresh = True

    # -- code, lists, tables -----------------------------------------------------------------

    def _begin_code(self, kind: Any) -> None:
        info = kind.get("Fenced", "") if isinstance(kind, dict) else ""
        language = _LANGUAGE.match(info)
        self._begin_box()
        self._page.push("pre", language=language[0] if language else None)
        self._page.code = []

    def _end_code(self) -> None:
        text = "".join(self._page.code or ()).rstrip("\n")
        self._page.code = None
        self._page.write(text)
        self._page.pop()
        self._end_of_block()

    def _begin_box(self) -> None:
        """Code and tables begin on a line of their own, also behind a list marker."""
        if self._page.marker:
            self._page.flush()
            self._page.end_line(1)
        self._begin()

    def _begin_list(self, first: int | None) -> None:
        if self._page.marker:
            self._page.flush()
            self._page.end_line(1)
        elif not self._fresh:
            self._page.end_line(1 if self._lists else 2)
        self._lists.append(first)

    def _end_list(self) -> None:
        self._lists.pop()
        self._end_of_block()

    def _item(self) -> None:
        if not self._fresh:
            self._page.end_line(1)
        self._fresh = False
        number = self._lists[-1]
        indent = "  " * (len(self._lists) - 1)
        if number is not None:
            self._lists[-1] = number + 1
        self._page.marker = f"{indent}• " if number is None else f"{indent}{number}. "

    def _end_item(self) -> None:
        if self._page.marker:
            self._page.flush()
        self._page.end_line(1)

    def _begin_table(self, _: object) -> None:
        self._table = []

    def _end_cell(self) -> None:
        self._table[-1].append("".join(self._page.cell or ()).strip())
        self._page.cell = None

    def _end_table(self) -> None:
        self._begin_box()
        self._page.marked("pre", aligned(self._table))
        self._end_of_block()

    def _end_emphasis(self) -> None:
        self._page.pop()

    # ----------------------------------------------------------------------------------------

    # Of the class: methods bound to an instance would be a ring that waits for the collector,
    # and an answer is rendered with each step of its growth.
    _STARTS: ClassVar[dict[str, Callable[["_Walker", Any], None]]] = {
        "Heading": _begin_heading,
        "BlockQuote": _begin_quote,
        "CodeBlock": _begin_code,
        "List": _begin_list,
        "Table": _begin_table,
        "Link": _link,
        "Image": _image,
    }
    _ENDS: ClassVar[dict[str, Callable[["_Walker"], None]]] = {
        "Paragraph": _end_of_block,
        "HtmlBlock": _end_of_block,
        "Heading": _end_marked_block,
        "BlockQuote": _end_marked_block,
        "CodeBlock": _end_code,
        "List": _end_list,
        "Item": _end_item,
        "Table": _end_table,
        "TableCell": _end_cell,
        "Emphasis": _end_emphasis,
        "Strong": _end_emphasis,
        "Strikethrough": _end_strike,
        "Link": _end_link,
        "Image": _end_image,
    }
