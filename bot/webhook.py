"""What every platform's webhook needs: a body that is no larger than it may be, a bare answer."""

from bot.asgi import Give, Header, Scope, Take


class Rejected(Exception):
    """The caller gets this status and these headers and nothing else; `why` is counted."""

    def __init__(self, status: int, why: str, *headers: Header) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.headers = headers


async def body_of(scope: Scope, take: Take, most: int) -> bytes | None:
    """The request's bytes, at most so many; None when the caller has hung up.

    Raises:
        Rejected: it is larger; nothing beyond that was read.
    """
    length = dict(scope["headers"]).get(b"content-length", b"")
    if length.isdigit() and int(length) > most:
        raise Rejected(413, "size")
    body: bytes = b""
    while True:
        message = await take()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > most:
            raise Rejected(413, "size")
        if not message.get("more_body", False):
            return body


async def give_bare(give: Give, status: int, body: bytes = b"", *headers: Header) -> None:
    """Answer a platform, with no header that it has no use for."""
    fixed = (b"content-length", b"%d" % len(body))
    await give({"type": "http.response.start", "status": status, "headers": [fixed, *headers]})
    await give({"type": "http.response.body", "body": body})
