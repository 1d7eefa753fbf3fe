"""A screen: the answer grows in place, whole blocks are drawn as Markdown, lines are recalled."""

import os
import re
import unicodedata
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from urllib.parse import quote

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.formatted_text import ANSI
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.patch_stdout import patch_stdout
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment, Segments
from rich.text import Text

from adapters.terminal.events import Doing, Line
from adapters.terminal.leaving import Left
from adapters.terminal.render import clean, settled
from adapters.terminal.words import COMMANDS, Words

SHOWN = 8
"""Lines of the conversation to begin with."""
MARKS = {"running": "…", "done": "✓", "failed": "✗"}

SIGN = "\u2e12"
"""A mark of punctuation that nobody writes any more: between two of them, asterisks may begin
something and end it."""
_RUN = re.compile(r"(?<=[^\s\\*~])(?:\*{2,3}|~~)(?=[^\s*~])")


class Screen:
    """A terminal with a person in front of it."""

    def __init__(self, words: Words, recall: Path | None, console: Console | None = None) -> None:
        self._words = words
        self._recall = recall
        self._console = console or Console(highlight=False)
        self._live: Live | None = None
        self._shown = ""
        self._told: set[int] = set()
        self._prompting = False
        self._leaving = False
        self._session: PromptSession[str] = PromptSession(
            history=_history(recall),
            key_bindings=self._keys(),
            completer=WordCompleter(list(COMMANDS), sentence=True),
            complete_while_typing=False,
        )
        self._session.default_buffer.on_text_changed += self._stay

    async def lines(self) -> AsyncGenerator[str, None]:
        """What the person types; Ctrl-D is the end. Raises: Left, for Ctrl-C twice."""
        while True:
            self._rest()
            self._prompting = True
            try:
                with patch_stdout(raw=True):
                    text = await self._session.prompt_async(ANSI("> "), handle_sigint=False)
            except EOFError:
                return
            finally:
                self._prompting = False
            self._leaving = False
            if text.strip():
                yield text.strip().encode("utf-8", "replace").decode()

    def interrupted(self) -> bool:
        """Before the prompt has the keyboard, and while a notice is drawn, it is a signal."""
        if self._leaving:
            return True
        self._session.default_buffer.reset()
        self._leaving = True
        # Not a toolbar: that needs a terminal which tells where its cursor is.
        self.notice(self._words("leaving"))
        return False

    def welcome(self, chat: str, earlier: Sequence[Line], *, model: bool) -> None:
        """The newest lines, and how to go on."""
        if earlier:
            self._console.rule(self._words("earlier"), style="dim")
        for line in earlier[-SHOWN:]:
            who = f"{self._words('you')}: " if line.role == "user" else ""
            self._console.print(Text(who + clean(line.text).strip(), style="dim"))
        if earlier:
            self._console.rule(style="dim")
        self._console.print(self._words("welcome", chat=clean(chat)), style="dim", markup=False)
        if not model:
            self._console.print(self._words("no_model"), style="dim", markup=False)

    def grow(self, text: str, calls: Sequence[Doing]) -> None:
        """Draw whole blocks for good, and what is still in motion below them."""
        if self._prompting:
            return  # it is drawn when it is finished: nobody is disturbed while typing
        text = clean(text)
        if not text.startswith(self._shown):
            self._rest()
        if self._live is None:
            self._live = Live(
                console=self._console,
                transient=True,
                auto_refresh=False,
                vertical_overflow="crop",
            )
            self._live.start()
        self._tell(calls)
        self._draw(text[: settled(text)])
        running = [_call(call) for call in calls if call.state == "running"]
        self._live.update(Group(*running, self._tail(text)), refresh=True)

    def say(self, text: str, choices: Sequence[str] = ()) -> None:
        """Draw the rest of the answer, or all of it."""
        text = clean(text)
        if not text.startswith(self._shown):
            self._rest()
        self._stop_live()
        self._draw(text)
        if choices:
            self._console.print(Text("[" + "] [".join(map(clean, choices)) + "]", style="bold"))
        self._rest()

    def notice(self, text: str) -> None:
        """A dim line of its own."""
        self._console.print(Text(clean(text), style="dim"))

    def forget(self) -> None:
        """The lines that could be recalled are what the person wrote, too."""
        if self._recall is not None:
            self._recall.unlink(missing_ok=True)
        self._session.history = self._session.default_buffer.history = _history(self._recall)
        self._session.default_buffer.reset()

    # ---- drawing ---------------------------------------------------------------------------

    def _draw(self, text: str) -> None:
        """Draw for good what is new in `text`."""
        new = text[len(self._shown) :]
        if new.strip():
            self._print(self._block(new.strip("\n")))
        self._shown = text

    def _block(self, text: str) -> RenderableType:
        """Markdown with one blank line behind it: some of its blocks bring their own, some none."""
        lines = self._console.render_lines(_markdown(text), pad=False)
        while lines and _is_blank(lines[0]):
            lines.pop(0)
        while lines and _is_blank(lines[-1]):
            lines.pop()
        lines.append([])
        return Segments([one for line in lines for one in (*line, Segment.line())])

    def _tail(self, text: str) -> RenderableType:
        # A block that is not finished is shown as it was written, its newest lines at least.
        lines = text[len(self._shown) :].strip("\n").split("\n")
        return Text("\n".join(lines[-max(self._console.height - 4, 1) :]))

    def _tell(self, calls: Sequence[Doing]) -> None:
        for n, call in enumerate(calls):
            if call.state != "running" and n not in self._told:
                self._told.add(n)
                self._print(_call(call))

    def _print(self, what: RenderableType) -> None:
        self._console.print(what)

    def _stop_live(self) -> None:
        if self._live is not None:
            self._live.update(Text(), refresh=True)
            self._live.stop()
            self._live = None

    def _rest(self) -> None:
        """Nothing grows any more."""
        self._stop_live()
        self._shown = ""
        self._told.clear()

    # ---- keys ------------------------------------------------------------------------------

    def _stay(self, _buffer: object) -> None:
        self._leaving = False

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("c-c")
        def clear_or_leave(event: KeyPressEvent) -> None:
            if self.interrupted():
                event.app.exit(exception=Left)

        return keys


def _markdown(text: str) -> Markdown:
    """`**注意：**请看` ends, and `他说**“好”**吧` begins: CommonMark wants spaces there.

    The rule is that of the amendment "CJK-friendly": beside Chinese no space is written.
    """
    if SIGN in text:
        return Markdown(text, hyperlinks=False)
    drawn = Markdown(_RUN.sub(_between_signs, text), hyperlinks=False)
    for token in drawn.parsed:
        for one in (token, *(token.children or ())):
            one.content = one.content.replace(SIGN, "")
            if "href" in one.attrs:
                one.attrs["href"] = str(one.attrs["href"]).replace(quote(SIGN), "")
    return drawn


def _between_signs(run: re.Match[str]) -> str:
    beside = (run.string[run.start() - 1], run.string[run.end()])
    first, second = (unicodedata.category(one)[0] in "PS" for one in beside)
    is_chinese = any(unicodedata.east_asian_width(one) in "WF" for one in beside)
    return f"{SIGN}{run[0]}{SIGN}" if first != second and is_chinese else run[0]


def _is_blank(line: list[Segment]) -> bool:
    return not any(one.text.strip() for one in line)


def _call(call: Doing) -> Text:
    said = f"{MARKS.get(call.state, '·')} {call.tool} {call.arguments}"
    line = f"{said} → {call.result}" if call.result else said
    return Text(clean(line), style="dim", overflow="ellipsis", no_wrap=True)


def _history(recall: Path | None) -> History:
    if recall is None:
        return InMemoryHistory()
    if not recall.exists():
        os.close(os.open(recall, os.O_WRONLY | os.O_CREAT, 0o600))
    return FileHistory(str(recall))
