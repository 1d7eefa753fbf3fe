"""The chat page's files, kept in memory, with what a browser needs to trust and cache them."""

import hashlib
from dataclasses import dataclass
from html import escape
from pathlib import Path

from adapters.web.squeeze import SQUEEZED
from adapters.web.wire import NO_SNIFF, Exchange, Header

KINDS = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

SAFE: tuple[Header, ...] = (
    (b"content-security-policy", POLICY.encode()),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)

ALWAYS_ASK: Header = (b"cache-control", b"private, no-cache")
NEVER_ASK: Header = (b"cache-control", b"public, max-age=31536000, immutable")


@dataclass(frozen=True, slots=True)
class Page:
    """A file as it is sent."""

    body: bytes
    kind: bytes
    etag: str


class Pages:
    """`index.html`, and everything else under `static/<version>/`.

    The version is a digest of all files: a browser keeps them for ever and asks only for the
    page itself. A page that is older than the server still gets its files.
    """

    def __init__(self, folder: Path, *, title: str, locale: str, model: bool) -> None:
        sources = {path.name: _served(path) for path in sorted(folder.iterdir())}
        digest = hashlib.sha256(b"".join(sources.values()))
        self._template = sources.pop("index.html").decode()
        self.version = digest.hexdigest()[:12]
        self._values = {
            "title": title,
            "locale": locale,
            "model": "some" if model else "none",
            "version": self.version,
        }
        self._files = {
            name: Page(body, KINDS[Path(name).suffix], _etag(body))
            for name, body in sources.items()
        }

    def index(self, base: str) -> Page:
        """The page whose endpoints lie under `base`, relative to the page's own address."""
        text = self._template
        for name, value in {**self._values, "base": base}.items():
            text = text.replace("{{" + name + "}}", escape(value))
        return Page(text.encode(), KINDS[".html"], _etag(text.encode()))

    def file(self, path: str) -> tuple[Page, Header] | None:
        """A file under `static/`, and how long a browser may keep it."""
        version, _, name = path.removeprefix("/static/").rpartition("/")
        page = self._files.get(name)
        if page is None:
            return None
        return page, NEVER_ASK if version == self.version else ALWAYS_ASK


async def give(exchange: Exchange, page: Page, *headers: Header) -> None:
    """Send a file, or say that the browser has it already."""
    etag: Header = (b"etag", page.etag.encode())
    asked = exchange.header(b"if-none-match") or ""
    if page.etag in {tag.strip().removeprefix("W/") for tag in asked.split(",")}:
        await exchange.begin(304, [etag, NO_SNIFF, *headers])
        await exchange.give({"type": "http.response.body", "body": b""})
        return
    await exchange.answer(200, page.body, kind=page.kind, headers=[etag, *SAFE, *headers])


def _served(path: Path) -> bytes:
    return SQUEEZED.get(path.suffix, str)(path.read_text("utf-8")).encode()


def _etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:20]}"'
