"""Requests that the platform would never write, and what a server must say to each."""

from collections.abc import Callable
from dataclasses import replace

from tests.peers.wechat import ANN, APP_ID, TOKEN, WeChatPeer
from tests.peers.wechat_courier import Signed, with_console
from tests.peers.wechat_crypto import Seal, signature

Write = Callable[[WeChatPeer], Signed]

SECRET_WORDS = "hello, and nobody else may read this"
"""What is said in those of them that are whole."""


def honest(peer: WeChatPeer) -> Signed:
    """What the platform would write now."""
    return peer.courier.signed(peer.text(ANN, SECRET_WORDS).xml)


def around(peer: WeChatPeer, xml: str) -> Signed:
    """Rightly signed and sealed, whatever is inside."""
    return peer.courier.signed(xml)


def with_another_token(peer: WeChatPeer) -> Signed:
    courier = peer.courier
    was, courier.console = courier.console, with_console(courier.console, token="guessed")
    request = honest(peer)
    courier.console = was
    return request


def sealed_for_another(peer: WeChatPeer) -> Signed:
    courier = peer.courier
    was = courier.console
    courier.console = with_console(was, app_id="wxsomebodyelse00")
    request = honest(peer)
    courier.console = was
    return request


def with_another_body(peer: WeChatPeer) -> Signed:
    request = honest(peer)
    at = request.body.index(b"CDATA", request.body.index(b"<Encrypt>")) + 20
    changed = b"A" if request.body[at : at + 1] != b"A" else b"B"
    return replace(request, body=request.body[:at] + changed + request.body[at + 1 :])


def wrongly_padded(peer: WeChatPeer) -> Signed:
    """Signed as it should be, but the last block is of somebody's making."""
    courier = peer.courier
    seal = Seal(courier.console.aes_key, APP_ID)
    encrypted = seal.close(peer.text(ANN, SECRET_WORDS).xml)[:-44] + "A" * 43 + "="
    stamp, nonce = str(courier.now()), "n0nce"
    wanted = signature(TOKEN, stamp, nonce, encrypted)
    query = (
        f"signature={signature(TOKEN, stamp, nonce)}&timestamp={stamp}&nonce={nonce}"
        f"&encrypt_type=aes&msg_signature={wanted}"
    )
    return Signed(query, f"<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>".encode())


def unsigned(peer: WeChatPeer) -> Signed:
    return replace(honest(peer), query=f"timestamp={peer.courier.now()}&nonce=1")


def stale(peer: WeChatPeer) -> Signed:
    return peer.courier.signed(peer.text(ANN, SECRET_WORDS).xml, timestamp=peer.courier.now() - 301)


def from_the_future(peer: WeChatPeer) -> Signed:
    return peer.courier.signed(peer.text(ANN, SECRET_WORDS).xml, timestamp=peer.courier.now() + 310)


REFUSED: list[tuple[Write, int, str]] = [
    (with_another_token, 403, "signature"),
    (with_another_body, 403, "signature"),
    (unsigned, 403, "signature"),
    (sealed_for_another, 403, "sealed for another"),
    (wrongly_padded, 403, "sealed for another"),
    (stale, 403, "stale"),
    (from_the_future, 403, "stale"),
    (lambda peer: replace(honest(peer), query=""), 403, "stale"),
    (lambda peer: replace(honest(peer), query="timestamp=١٢&nonce=1"), 403, "stale"),
    (lambda peer: replace(honest(peer), query="a=" + "b" * 5000), 414, "query"),
    (lambda peer: replace(honest(peer), body=b""), 403, "plaintext"),
    (lambda peer: replace(honest(peer), body=b"<xml><A>1</A></xml>"), 403, "plaintext"),
    (lambda peer: replace(honest(peer), body=b"x" * 70_000), 413, "size"),
    (lambda peer: around(peer, "no xml at all"), 400, "unreadable"),
    (
        lambda peer: around(peer, "<xml>" + "<a>" * 2000 + "</a>" * 2000 + "</xml>"),
        400,
        "unreadable",
    ),
    (lambda peer: around(peer, "<xml>" + "<a>1</a>" * 900 + "</xml>"), 400, "unreadable"),
    (
        lambda peer: around(
            peer, '<!DOCTYPE xml [<!ENTITY a "b">]><xml><Content>&a;</Content></xml>'
        ),
        400,
        "unreadable",
    ),
    (
        lambda peer: around(
            peer, '<!DOCTYPE xml SYSTEM "http://127.0.0.1:9/x.dtd"><xml><A>1</A></xml>'
        ),
        400,
        "unreadable",
    ),
]
