"""The XML that the platform posts: bounded, without entities, as plain fields. Pure."""

import re
from xml.parsers import expat

MAX_BODY = 64 * 1024
"""Real messages have a few hundred bytes; 64 KB of nesting already costs a second of parsing."""
_DEEPEST = 8
_MOST = 400

_ENCRYPTED = re.compile(
    rb"<Encrypt>\s*(?:<!\[CDATA\[)?\s*([A-Za-z0-9+/=]+)\s*(?:\]\]>)?\s*</Encrypt>"
)
# A person can type them (0x1D comes from some keyboards); XML has no way to write them.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ILLEGAL_REFERENCE = re.compile(
    r"&#(?:x0*(?:[0-8bceBCE]|1[0-9a-fA-F])|0*(?:[0-8]|1[124-9]|2[0-9]|3[01]));"
)


class Unreadable(Exception):
    """No message of the platform's has this form."""


def encrypted_in(body: bytes) -> str | None:
    """The sealed part, found without parsing anything that nobody has vouched for yet."""
    found = _ENCRYPTED.search(body)
    return None if found is None else found[1].decode("ascii")


def without_controls(text: str) -> str:
    """What XML can carry of a text."""
    return _ILLEGAL.sub("", text)


def fields_of(text: str) -> dict[str, str]:
    """The elements right under the root, by name.

    Raises:
        Unreadable: no XML, too deep, too many elements, a name that stands there twice (only
            forged ones do), or a document type, which is how entities come in.
    """
    reader = _Reader()
    clean = _ILLEGAL_REFERENCE.sub("", without_controls(text))
    try:
        reader.parser.Parse(clean, True)  # noqa: FBT003  # the C function takes no names
    except expat.ExpatError:
        raise Unreadable("no XML") from None
    return reader.fields


class _Reader:
    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self._depth = 0
        self._count = 0
        self._said: list[str] = []

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._count += 1
        if self._depth > _DEEPEST or self._count > _MOST:
            raise Unreadable("too much structure")
        if self._depth == 2:
            self._said = []

    def _end(self, name: str) -> None:
        if self._depth == 2:
            if name in self.fields:
                raise Unreadable("a field twice")
            self.fields[name] = "".join(self._said).strip()
        self._depth -= 1

    def _text(self, text: str) -> None:
        if self._depth == 2:
            self._said.append(text)

    def _refuse(self, *_: object) -> None:
        raise Unreadable("a document type")
