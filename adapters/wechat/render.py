"""CommonMark → the plain text that WeChat shows, and the reply that carries it. No waiting here."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wechatpy.replies import ImageReply, TextReply, VoiceReply

from adapters.wechat.envelope import without_controls
from bot import Audio, Image, Outbound, Part

TEXT_LIMIT = 2048
"""Bytes, not characters: some 680 Chinese ones."""

_FENCE = re.compile(r"\s*(?:>\s?)*(```+|~~~+)")
_HEADING = re.compile(r"\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*")
_RULE = re.compile(r"\s{0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})")
_QUOTE = re.compile(r"\s{0,3}>\s?")
_BULLET = re.compile(r"(\s*)[-*+]\s+(?:\[([ xX])\]\s+)?")
_TABLE_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*")
_ROW = re.compile(r"\s*\|(.*)\|\s*")

_CODE = re.compile(r"(`+)(.+?)\1(?!`)")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|<>~])")
_IMAGE = re.compile(r"!\[([^\]]*)\]\(\s*<?([^)\s>]*)>?[^)]*\)")
_LINK = re.compile(r"\[([^\]]+)\]\(\s*<?([^)\s>]+)>?(?:\s+[\"'][^)]*)?\)")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^<>\s]+)>")
_STRONG = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_EMPHASIS = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*\n]+?)(?<=[^\s*])\*(?![\w*])")
_UNDERLINED = re.compile(r"(?<![\w_])_(?=[^\s_])([^_\n]+?)(?<=[^\s_])_(?![\w_])")
_STRUCK = re.compile(r"~~(?=\S)(.+?)(?<=\S)~~")
_LEFT_OVER = re.compile(r"\*\*")
_BLANKS = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the source and what is shown of it; None where nothing is.

    `fence` is the opening of the code block that the line stands in or opens.
    """

    source: str
    shown: str | None
    fence: str = ""


def render(markdown: str) -> str:
    """The text as a person reads it; never empty where the source is not."""
    source = without_controls(markdown)
    shown = "\n".join(line.shown for line in lines(source) if line.shown is not None)
    return _BLANKS.sub("\n\n", shown).strip("\n").rstrip() or source.strip()


def lines(markdown: str) -> Iterator[Line]:
    """Each line of the source, with what it becomes."""
    fence = ""
    for source in without_controls(markdown).split("\n"):
        mark = _FENCE.match(source)
        if fence:
            if mark is not None and source.strip().startswith(fence) and _is_bare(source, fence):
                fence = ""
                yield Line(source, None)
            else:
                yield Line(source, source.rstrip(), fence)
        elif mark is not None:
            fence = mark[1]
            yield Line(source, None, fence)
        else:
            yield Line(source, _plain(source))


def clipped(text: str, limit: int = TEXT_LIMIT) -> str:
    """The beginning of a text, in at most so many bytes, never through a character."""
    raw = text.encode()
    if len(raw) <= limit:
        return text
    return raw[: limit - 3].decode(errors="ignore").rstrip() + "…"


def together(texts: Sequence[str]) -> str:
    """Several pieces as one reply."""
    return "\n\n".join(texts)


def reply(piece: Outbound, text: str, *, account: str, openid: str, at: int) -> str:
    """What is put into the platform's open call: a text, or what is attached to the piece."""
    media = media_of(piece)
    common = {"source": _safe(account), "target": _safe(openid), "time": at}
    if isinstance(media, Image):
        return str(ImageReply(image=_safe(media.ref), **common).render())
    if isinstance(media, Audio):
        return str(VoiceReply(voice=_safe(media.ref), **common).render())
    return text_reply(text, account=account, openid=openid, at=at)


def text_reply(text: str, *, account: str, openid: str, at: int) -> str:
    """A text for the platform's open call."""
    made = TextReply(
        content=_safe(clipped(without_controls(text))),
        source=_safe(account),
        target=_safe(openid),
        time=at,
    )
    return str(made.render())


def media_of(piece: Outbound) -> Part | None:
    """The one thing that is attached to a piece and that the platform knows how to show."""
    return next((part for part in piece.attachments if isinstance(part, Image | Audio)), None)


def message(piece: Outbound) -> dict[str, object]:
    """The same for a customer-service message."""
    media = media_of(piece)
    if isinstance(media, Image):
        return {"msgtype": "image", "image": {"media_id": media.ref}}
    if isinstance(media, Audio):
        return {"msgtype": "voice", "voice": {"media_id": media.ref}}
    return {"msgtype": "text", "text": {"content": clipped(render(piece.text))}}


def _safe(text: str) -> str:
    # The library writes CDATA as it is given: a model's "]]>" would close it and go on in XML.
    return text.replace("]]>", "]]]]><![CDATA[>")


def _is_bare(source: str, fence: str) -> bool:
    return set(source.strip()) == {fence[0]}


def _plain(source: str) -> str | None:
    while (quote := _QUOTE.match(source)) is not None:
        source = source[quote.end() :]
    if not source.strip():
        return ""
    if "|" in source and _TABLE_RULE.fullmatch(source):
        return None
    if _RULE.fullmatch(source):
        return "————"
    heading = _HEADING.fullmatch(source)
    if heading is not None:
        return f"【{_inline(heading[2])}】" if heading[2] else ""
    bullet = _BULLET.match(source)
    if bullet is not None:
        mark = {None: "•", " ": "☐"}.get(bullet[2], "☑")
        return f"{bullet[1]}{mark} {_inline(source[bullet.end() :])}".rstrip()
    row = _ROW.fullmatch(source)
    if row is not None:
        return "  ".join(_inline(cell.strip()) for cell in row[1].split("|")).strip()
    return _inline(source).rstrip()


def _inline(text: str) -> str:
    """Marks of emphasis go, what they stood around stays; code is left as it is."""
    shown: list[str] = []
    at = 0
    for code in _CODE.finditer(text):
        shown += (_unmarked(text[at : code.start()]), code[2].strip() or code[2])
        at = code.end()
    return "".join((*shown, _unmarked(text[at:])))


def _unmarked(text: str) -> str:
    if not text or text.isalnum():
        return text
    # What is escaped stands aside under a letter of nobody's while the marks are taken away.
    kept: list[str] = []

    def aside(found: re.Match[str]) -> str:
        kept.append(found[1])
        return "\ue000"

    text = _ESCAPED.sub(aside, text.replace("\ue000", ""))
    text = _IMAGE.sub(_image, text)
    text = _LINK.sub(_link, text)
    text = _AUTOLINK.sub(r"\1", text)
    text = _STRONG.sub(r"\2", text)
    for marks in (_STRUCK, _EMPHASIS, _UNDERLINED):
        text = marks.sub(r"\1", text)
    text = _LEFT_OVER.sub("", text)
    back = iter(kept)
    return re.sub("\ue000", lambda _: next(back), text) if kept else text


def _link(found: re.Match[str]) -> str:
    words, url = found[1].strip(), found[2]
    return url if words == url else f"{words} ({url})"


def _image(found: re.Match[str]) -> str:
    return " ".join(part for part in (found[1].strip(), found[2]) if part)
