"""Who is turned away at the door, and that nothing of them remains but a count."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.adapters.wechat.line import Line, line
from tests.peers.wechat import ANN, APP_ID, TOKEN
from tests.peers.wechat_courier import Signed, with_console
from tests.peers.wechat_crypto import Seal, signature

Write = Callable[[Line], Signed]


def honest(made: Line) -> Signed:
    """What the platform would write now."""
    return made.peer.courier.signed(made.peer.text(ANN, "hello").xml)


def around(made: Line, xml: str) -> Signed:
    """Rightly signed and sealed, whatever is inside."""
    return made.peer.courier.signed(xml)


def with_another_token(made: Line) -> Signed:
    courier = made.peer.courier
    was, courier.console = courier.console, with_console(courier.console, token="guessed")
    request = honest(made)
    courier.console = was
    return request


def sealed_for_another(made: Line) -> Signed:
    courier = made.peer.courier
    was = courier.console
    courier.console = with_console(was, app_id="wxsomebodyelse00")
    request = honest(made)
    courier.console = was
    return request


def with_another_body(made: Line) -> Signed:
    request = honest(made)
    at = request.body.index(b"CDATA", request.body.index(b"<Encrypt>")) + 20
    changed = b"A" if request.body[at : at + 1] != b"A" else b"B"
    return replace(request, body=request.body[:at] + changed + request.body[at + 1 :])


def wrongly_padded(made: Line) -> Signed:
    """Signed as it should be, but the last block is of somebody's making."""
    courier = made.peer.courier
    seal = Seal(courier.console.aes_key, APP_ID)
    encrypted = seal.close(made.peer.text(ANN, "hello").xml)[:-44] + "A" * 43 + "="
    stamp, nonce = str(courier.now()), "n0nce"
    wanted = signature(TOKEN, stamp, nonce, encrypted)
    query = (
        f"signature={signature(TOKEN, stamp, nonce)}&timestamp={stamp}&nonce={nonce}"
        f"&encrypt_type=aes&msg_signature={wanted}"
    )
    return Signed(query, f"<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>".encode())


def unsigned(made: Line) -> Signed:
    return replace(honest(made), query=f"timestamp={made.peer.courier.now()}&nonce=1")


def stale(made: Line) -> Signed:
    return made.peer.courier.signed(
        made.peer.text(ANN, "hello").xml, timestamp=made.peer.courier.now() - 301
    )


def from_the_future(made: Line) -> Signed:
    return made.peer.courier.signed(
        made.peer.text(ANN, "hello").xml, timestamp=made.peer.courier.now() + 310
    )


REFUSED = [
    (with_another_token, 403, "signature"),
    (with_another_body, 403, "signature"),
    (unsigned, 403, "signature"),
    (sealed_for_another, 403, "sealed for another"),
    (wrongly_padded, 403, "sealed for another"),
    (stale, 403, "stale"),
    (from_the_future, 403, "stale"),
    (lambda made: replace(honest(made), query=""), 403, "stale"),
    (lambda made: replace(honest(made), query="timestamp=١٢&nonce=1"), 403, "stale"),
    (lambda made: replace(honest(made), query="a=" + "b" * 5000), 414, "query"),
    (lambda made: replace(honest(made), body=b""), 403, "plaintext"),
    (lambda made: replace(honest(made), body=b"<xml><A>1</A></xml>"), 403, "plaintext"),
    (lambda made: replace(honest(made), body=b"x" * 70_000), 413, "size"),
    (lambda made: around(made, "no xml at all"), 400, "unreadable"),
    (
        lambda made: around(made, "<xml>" + "<a>" * 2000 + "</a>" * 2000 + "</xml>"),
        400,
        "unreadable",
    ),
    (lambda made: around(made, "<xml>" + "<a>1</a>" * 900 + "</xml>"), 400, "unreadable"),
    (
        lambda made: around(
            made, '<!DOCTYPE xml [<!ENTITY a "b">]><xml><Content>&a;</Content></xml>'
        ),
        400,
        "unreadable",
    ),
    (
        lambda made: around(
            made, '<!DOCTYPE xml SYSTEM "http://127.0.0.1:9/x.dtd"><xml><A>1</A></xml>'
        ),
        400,
        "unreadable",
    ),
]


@pytest.mark.parametrize(("write", "status", "why"), REFUSED)
async def test_it_is_turned_away_and_counted(write: Write, status: int, why: str) -> None:
    async with line() as made:
        attempt = await made.post(write(made))
        assert (attempt.status, attempt.body) == (status, b"")
        assert made.facts("rejected", "why") == [why]
        assert made.desk.deliveries == []
        assert (await made.peer.say(ANN, "and now rightly")).said == "re: and now rightly"


async def test_an_answered_request_cannot_be_made_again() -> None:
    async with line() as made:
        request = honest(made)
        assert (await made.post(request)).status == 200
        assert (await made.post(request)).status == 403
        assert made.facts("rejected", "why") == ["replayed"]
        assert len(made.desk.deliveries) == 1


async def test_in_plaintext_mode_a_captured_address_serves_for_no_other_text() -> None:
    async with line(mode="plaintext", allow_plaintext=True, aes_key=None) as made:
        request = honest(made)
        forged = replace(request, body=made.peer.text(ANN, "transfer it all").xml.encode())
        assert (await made.post(request)).status == 200
        assert (await made.post(forged)).status == 403
        assert made.desk.texts == ["hello"]


async def test_with_a_key_the_plain_half_of_a_message_is_not_believed() -> None:
    async with line(mode="both") as made:
        request = honest(made)
        body = request.body.replace(b"<![CDATA[hello]]>", b"<![CDATA[forged]]>")
        assert body != request.body
        assert (await made.post(replace(request, body=body))).status == 200
        assert made.desk.texts == ["hello"]
        plain = made.peer.text(ANN, "forged").xml.encode()
        again = replace(honest(made), body=plain)
        assert (await made.post(again)).status == 403


async def test_only_get_and_post_are_answered() -> None:
    async with line() as made:
        answer = await made.call("PUT")
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")


async def test_the_url_check_is_answered_to_the_platform_alone() -> None:
    async with line() as made:
        status, body = await made.peer.courier.verify(made.url)
        assert (status, made.peer.log.of("verified")[-1].fields["ok"]) == (200, True)
        made.peer.courier.console = with_console(made.peer.courier.console, token="guessed")
        status, body = await made.peer.courier.verify(made.url)
        assert (status, body) == (403, b"")
        stamp = made.peer.courier.now()
        signed = f"signature={signature(TOKEN, str(stamp), '1')}&timestamp={stamp}&nonce=1"
        answer = await made.call("GET", f"{signed}&echostr=%3Cscript%3E")
        assert (answer.status, await answer.text()) == (400, "")
        assert made.facts("rejected", "why") == ["signature", "echo"]


async def test_a_message_of_an_unknown_form_is_acknowledged_and_counted() -> None:
    async with line() as made:
        for xml in ("<xml></xml>", "<xml><MsgType>text</MsgType></xml>"):
            attempt = await made.post(around(made, xml))
            assert (attempt.status, attempt.body) == (200, b"success")
        assert made.facts("discarded", "why") == ["malformed"] * 2
        assert made.desk.deliveries == []
