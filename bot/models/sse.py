"""Server-sent events out of bytes, cut wherever the network cut them."""

from bot.errors import Permanent

LONGEST = 16 * 1024 * 1024
"""More than this without a line end is no event of a chat."""


class Splitter:
    """Feed it bytes, get whole payloads.

    Takes what providers really send: `data:` with and without a blank, LF and CRLF, several data
    lines in one event, comments to keep the line open, `error:` instead of `data:` (llama.cpp)
    and a bare JSON line where an event should be.
    """

    __slots__ = ("_event", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._event: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that are complete now.

        Raises:
            Permanent: the other side sends no lines at all.
        """
        lines = (self._rest + data if self._rest else data).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LONGEST:
            raise Permanent("the answer is no event stream: a line without an end")
        payloads: list[bytes] = []
        for line in lines:
            self._line(line.rstrip(b"\r"), payloads)
        return payloads

    def end(self) -> list[bytes]:
        """What stands there unfinished: some servers end without the last blank line."""
        payloads: list[bytes] = []
        if self._rest:
            self._line(self._rest.rstrip(b"\r"), payloads)
            self._rest = b""
        self._line(b"", payloads)
        return payloads

    def _line(self, line: bytes, payloads: list[bytes]) -> None:
        if not line:
            if self._event:
                payloads.append(b"\n".join(self._event))
                self._event = []
        elif line.startswith(b"data:"):
            self._event.append(line[5:].lstrip(b" "))
        elif line.startswith((b"error:", b"{")):
            payloads.append(line.removeprefix(b"error:").strip())
