"""Log lines, ours and the libraries': events with fields, one form, no secrets and no messages."""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from types import TracebackType
from typing import Any, Literal, TextIO, cast

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.typing import FilteringBoundLogger

from bot.ports import Clock
from bot.redaction import Redaction, detail_of, name_of, place_of, trace

Format = Literal["auto", "console", "json"]
Level = Literal["debug", "info", "warning", "error"]
Event = MutableMapping[str, Any]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

LIBRARY = "library.log"
# Whose words may be shown: they speak about our own doings, never about what people write. A
# line of any other library is told by its logger and place, and only from WARNING up: at DEBUG
# most of them print requests with everything that is in them.
SPEAKERS: Mapping[str, int] = {
    "bot": logging.DEBUG,
    "adapters": logging.DEBUG,
    "plugins": logging.DEBUG,
    # It counts its own steps at INFO; that there is a new schema is no news at a first start.
    "alembic": logging.WARNING,
    "apscheduler": logging.WARNING,
    # Its warnings are about strangers' broken requests: nothing to wake anybody for.
    "uvicorn.error": logging.ERROR,
}


class Logs:
    """The program's log: `logger` for our own events, `install` for everybody else's.

    `speakers` are further loggers whose text may be shown (an operator's own plugins); `secrets`
    are values that are hidden wherever they turn up.
    """

    def __init__(
        self,
        *,
        format: Format,
        level: Level,
        clock: Clock,
        stream: TextIO | None = None,
        secrets: Iterable[str] = (),
        speakers: Iterable[str] = (),
    ) -> None:
        stream = stream or sys.stderr
        console = format == "console" or (format == "auto" and stream.isatty())
        self._level = logging.getLevelNamesMapping()[level.upper()]
        self._redaction = Redaction(secrets)
        self._clock = clock
        self._sink = _Sink(stream)
        self._render = _console(colours=stream.isatty()) if console else _json
        self._speakers = dict(SPEAKERS) | dict.fromkeys(speakers, logging.DEBUG)
        self._handler = _Handler(self._write_record)
        self._undo: list[Callable[[], object]] = []
        wrapped = structlog.wrap_logger(
            self._sink,
            processors=[self._finish],
            wrapper_class=structlog.make_filtering_bound_logger(self._level),
        )
        self.logger: FilteringBoundLogger = cast(FilteringBoundLogger, wrapped.bind())

    def hide(self, *secrets: str) -> None:
        """Never write these values."""
        self._redaction.hide(*secrets)

    def install(self) -> None:
        """Take over the standard library's log and the last words of threads and finalisers."""
        root = logging.getLogger()
        for logger in (root, *_loggers()):
            self._take_over(logger)
        root.addHandler(self._handler)
        self._set_level(root, max(self._level, logging.WARNING))
        for name, least in self._speakers.items():
            self._set_level(logging.getLogger(name), max(self._level, least))
        self._set_hooks()

    def uninstall(self) -> None:
        """Leave everything as it was found."""
        logging.getLogger().removeHandler(self._handler)
        while self._undo:
            self._undo.pop()()

    # ---- our own events ------------------------------------------------------------------

    def _finish(self, _: object, method: str, event: Event) -> str:
        return self._rendered(method, event)

    def _rendered(self, level: str, event: Event) -> str:
        name = self._redaction.text(str(event.pop("event", "")))
        error = event.pop("exc_info", None)
        line: Event = {"time": self._clock.now().isoformat(), "level": level, "event": name}
        plain = self._redaction.plain
        for key, value in event.items():
            line[key] = plain(key, value)
        if isinstance(error, BaseException):
            self._add_error(line, error)
        return self._render(line)

    def _add_error(self, line: Event, error: BaseException) -> None:
        line["error"] = name_of(error)
        if detail := detail_of(error):
            line["detail"] = self._redaction.text(detail)
        line["trace"] = trace(error)[1:]

    # ---- everybody else's ----------------------------------------------------------------

    def _write_record(self, record: logging.LogRecord) -> None:
        speaks = self._speaks(record.name)
        if not speaks and record.levelno < logging.WARNING:
            return
        event: Event = {"event": LIBRARY, "logger": record.name}
        if speaks:
            event["event"] = record.getMessage().strip()
        else:
            event["at"] = place_of(record.pathname, record.lineno)
        if record.exc_info:
            event["exc_info"] = record.exc_info[1]
        self._sink.msg(self._rendered(record.levelname.lower(), event))

    def _speaks(self, name: str) -> bool:
        while name:
            if name in self._speakers:
                return True
            name = name.rpartition(".")[0]
        return False

    def _take_over(self, logger: logging.Logger) -> None:
        """Let the logger have no handlers of its own: they would write past us."""
        handlers, propagate = logger.handlers[:], logger.propagate

        def put_back() -> None:
            logger.handlers[:] = handlers
            logger.propagate = propagate

        self._undo.append(put_back)
        logger.handlers.clear()
        logger.propagate = True

    def _set_level(self, logger: logging.Logger, level: int) -> None:
        before = logger.level
        self._undo.append(lambda: logger.setLevel(before))
        logger.setLevel(level)

    def _set_hooks(self) -> None:
        thread, unraisable = threading.excepthook, sys.unraisablehook

        def put_back() -> None:
            threading.excepthook, sys.unraisablehook = thread, unraisable

        self._undo.append(put_back)
        threading.excepthook = lambda args: self._last_words("thread.failed", args.exc_value)
        sys.unraisablehook = lambda args: self._last_words("finaliser.failed", args.exc_value)

    def _last_words(self, event: str, error: BaseException | None) -> None:
        if not isinstance(error, SystemExit):
            self.logger.error(event, exc_info=error)


class _Sink:
    """Where lines go; a reader that is gone or a full disk never stops the program."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def msg(self, line: str) -> None:
        with self._lock:
            try:
                self._stream.write(f"{line}\n")
                self._stream.flush()
            except (OSError, ValueError):
                pass  # there is nowhere left to say so

    debug = info = warning = error = critical = exception = msg


class _Handler(logging.Handler):
    """Hands records of the standard library's log over."""

    def __init__(self, write: Callable[[logging.LogRecord], None]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._write(record)
        except (TypeError, ValueError, KeyError):
            # Arguments that do not fit the text; the standard handler would print them all.
            record.msg, record.args = "a log line that cannot be formatted", ()
            self._write(record)


def _loggers() -> list[logging.Logger]:
    known = logging.root.manager.loggerDict.values()
    return [logger for logger in known if isinstance(logger, logging.Logger)]


def _json(line: Event) -> str:
    return json.dumps(line)


def _console(*, colours: bool) -> Callable[[Event], str]:
    renderer = ConsoleRenderer(
        colors=colours, exception_formatter=plain_traceback, timestamp_key="time"
    )

    def render(line: Event) -> str:
        line["time"] = line["time"][:19].replace("T", " ")
        if frames := line.pop("trace", None):
            line["exception"] = "\n".join(f"    {frame}" for frame in frames)
        return str(renderer(None, "", line))

    return render
