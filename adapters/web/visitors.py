"""Who a browser is: a random id in a signed cookie, and nothing else."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

YEAR = 365 * 86400


@dataclass(frozen=True, slots=True)
class Visitor:
    """One browser. `cookie` is set where the browser has none of ours yet."""

    id: str
    cookie: str | None = None


class Visitors:
    """Makes and checks the cookie by which a browser finds its own conversation again."""

    def __init__(self, name: str, *, secret: Callable[[], Awaitable[bytes]], secure: bool) -> None:
        self._cookie = f"parley_{name}"
        self._context = f"parley.visitor\0{name}\0".encode()
        self._secret = secret
        self._secure = secure
        self._key: bytes | None = None

    async def of(self, cookies: str) -> Visitor:
        """The visitor whom a `Cookie` header names, else a new one."""
        if self._key is None:
            self._key = await self._secret()
        id = self._known(cookies, self._key)
        return Visitor(id) if id else self._new(self._key)

    def _known(self, cookies: str, key: bytes) -> str | None:
        for pair in cookies.split(";"):
            name, _, value = pair.strip().partition("=")
            id, _, signature = value.partition(".")
            # compare_digest takes text only where it is ASCII; a cookie may hold anything
            if name == self._cookie and hmac.compare_digest(
                signature.encode("latin-1", "replace"), self._sign(id, key).encode()
            ):
                return id
        return None

    def _new(self, key: bytes) -> Visitor:
        id = secrets.token_urlsafe(16)
        parts = [f"{self._cookie}={id}.{self._sign(id, key)}", "Path=/", f"Max-Age={YEAR}"]
        parts += ["HttpOnly", "SameSite=Lax", *(["Secure"] if self._secure else [])]
        return Visitor(id, "; ".join(parts))

    def _sign(self, id: str, key: bytes) -> str:
        digest = hmac.digest(key, self._context + id.encode("utf-8", "replace"), hashlib.sha256)
        return urlsafe_b64encode(digest).rstrip(b"=").decode()
