"""Short answers on raw ASGI, and what a request says about itself."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import msgspec

Scope = MutableMapping[str, Any]
Take = Callable[[], Awaitable[MutableMapping[str, Any]]]
Give = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
# Nothing of ours is a page to be framed, guessed at or kept.
GUARDS: tuple[Header, ...] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
_PROXIES = (b"x-forwarded-", b"x-real-ip")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    status: int
    body: bytes
    kind: bytes = TEXT
    headers: tuple[Header, ...] = ()


def json_answer(status: int, data: object, *headers: Header) -> Answer:
    """A response that programs read."""
    return Answer(status, msgspec.json.encode(data), JSON, headers)


def sentence_answer(status: int, english: str, chinese: str, scope: Scope) -> Answer:
    """A response that a person reads, in their browser's language."""
    wanted = header(scope, b"accept-language") or b""
    said = chinese if wanted.lower().startswith(b"zh") else english
    return Answer(status, f"{said}\n".encode())


async def respond(give: Give, answer: Answer) -> None:
    """Send it, guarded; a server leaves the body out for HEAD by itself."""
    length = str(len(answer.body)).encode()
    own: list[Header] = [(b"content-type", answer.kind), (b"content-length", length)]
    headers = [*own, *GUARDS, *answer.headers]
    await give({"type": "http.response.start", "status": answer.status, "headers": headers})
    await give({"type": "http.response.body", "body": answer.body})


def header(scope: Scope, name: bytes) -> bytes | None:
    """A request header by its lower-case name; the last one where it is repeated."""
    return dict(scope["headers"]).get(name)


def from_loopback(scope: Scope) -> bool:
    """Whether a program of this very machine asks, and for this machine.

    Behind a proxy everybody comes from loopback, so a forwarded request is never from there. Nor
    is a page that a browser of this machine was tricked into asking under a foreign name.
    """
    headers: Mapping[bytes, bytes] = dict(scope["headers"])
    if any(name == b"forwarded" or name.startswith(_PROXIES) for name in headers):
        return False
    client = scope.get("client")
    return client is not None and _is_loopback(client[0]) and _names_loopback(headers.get(b"host"))


def _is_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _names_loopback(host: bytes | None) -> bool:
    if host is None:
        return True
    name = host.decode("latin-1").lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    return name == "localhost" or _is_loopback(name)
