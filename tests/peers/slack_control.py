"""What a driver in another process may ask of the Slack stand-in, under `/_peer/`."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from tests.peers.faults import holds
from tests.peers.log import Json
from tests.peers.slack_faults import FAULTS

if TYPE_CHECKING:
    from tests.peers.slack import SlackPeer


async def obey(peer: "SlackPeer", path: str, body: Json) -> object:
    """Do one of `ORDERS`; what it answers."""
    if path in _WAITED_FOR:
        return await _WAITED_FOR[path](peer, body)
    return _DONE_AT_ONCE[path](peer, body)


def _plan(peer: "SlackPeer", body: Json) -> object:
    when = holds(body["match"]) if "match" in body else None
    fault = FAULTS[body["name"]](**body.get("args", {}))
    peer.faults.plan(fault, method=body.get("method"), when=when, times=body.get("times", 1))
    return True


def _aim(peer: "SlackPeer", body: Json) -> object:
    peer.courier.url = body["url"]
    return True


def _revoke(peer: "SlackPeer", body: Json) -> object:
    """An empty error lets the token open everything again."""
    peer.revoked = body.get("error", "token_revoked")
    return True


def _push(peer: "SlackPeer", body: Json) -> object:
    peer.push(*body["bodies"])
    return True


async def _post(peer: "SlackPeer", body: Json) -> object:
    answer = await peer.post(body["body"], **body.get("headers", {}))
    return {"status": answer.status, "body": answer.body}


async def _disconnect(peer: "SlackPeer", body: Json) -> object:
    await peer.sockets.disconnect(body.get("reason", "refresh_requested"))
    return True


async def _drop(peer: "SlackPeer", body: Json) -> object:
    del body
    await peer.sockets.drop()
    return True


def _sockets(peer: "SlackPeer", body: Json) -> object:
    del body
    return {"open": len(peer.sockets.open), "opened": peer.sockets.opened}


_DONE_AT_ONCE: Mapping[str, Callable[["SlackPeer", Json], object]] = {
    "faults": _plan,
    "aim": _aim,
    "revoke": _revoke,
    "push": _push,
    "say": lambda peer, body: peer.say(**body),
    "ask": lambda peer, body: peer.ask(**body),
    "edit": lambda peer, body: peer.edit(**body),
    "take_back": lambda peer, body: peer.take_back(**body),
    "command": lambda peer, body: peer.command(**body),
    "texts": lambda peer, body: peer.texts(body["channel"], body.get("thread")),
    "whispers": lambda peer, body: [(whisper.user, whisper.text) for whisper in peer.whispers],
    "sockets": _sockets,
}
_WAITED_FOR: Mapping[str, Callable[["SlackPeer", Json], Awaitable[object]]] = {
    "post": _post,
    "disconnect": _disconnect,
    "drop": _drop,
}
ORDERS = _DONE_AT_ONCE.keys() | _WAITED_FOR.keys()
"""`push`, `say`, `post` …; all others are every peer's."""
