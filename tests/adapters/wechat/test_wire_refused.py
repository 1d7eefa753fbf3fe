"""Who is turned away at the door, and that nothing of them remains but a count."""

from dataclasses import replace

import pytest

from tests.adapters.wechat.line import line
from tests.peers.wechat import ANN, TOKEN
from tests.peers.wechat_courier import with_console
from tests.peers.wechat_crypto import signature
from tests.peers.wechat_forged import REFUSED, SECRET_WORDS, Write, around, honest


@pytest.mark.parametrize(("write", "status", "why"), REFUSED)
async def test_it_is_turned_away_and_counted(write: Write, status: int, why: str) -> None:
    async with line(speed=1.0) as made:
        attempt = await made.post(write(made.peer))
        assert (attempt.status, attempt.body) == (status, b"")
        assert made.facts("rejected", "why") == [why]
        assert made.desk.deliveries == []
        assert (await made.peer.say(ANN, "and now rightly")).said == "re: and now rightly"


async def test_an_answered_request_cannot_be_made_again() -> None:
    async with line(speed=1.0) as made:
        request = honest(made.peer)
        assert (await made.post(request)).status == 200
        assert (await made.post(request)).status == 403
        assert made.facts("rejected", "why") == ["replayed"]
        assert len(made.desk.deliveries) == 1


async def test_in_plaintext_mode_a_captured_address_serves_for_no_other_text() -> None:
    async with line(mode="plaintext", allow_plaintext=True, aes_key=None) as made:
        request = honest(made.peer)
        forged = replace(request, body=made.peer.text(ANN, "transfer it all").xml.encode())
        assert (await made.post(request)).status == 200
        assert (await made.post(forged)).status == 403
        assert made.desk.texts == [SECRET_WORDS]


async def test_with_a_key_the_plain_half_of_a_message_is_not_believed() -> None:
    async with line(mode="both") as made:
        request = honest(made.peer)
        body = request.body.replace(f"<![CDATA[{SECRET_WORDS}]]>".encode(), b"<![CDATA[forged]]>")
        assert body != request.body
        assert (await made.post(replace(request, body=body))).status == 200
        assert made.desk.texts == [SECRET_WORDS]
        plain = made.peer.text(ANN, "forged").xml.encode()
        again = replace(honest(made.peer), body=plain)
        assert (await made.post(again)).status == 403


async def test_only_get_and_post_are_answered() -> None:
    async with line(speed=1.0) as made:
        answer = await made.call("PUT")
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")


async def test_the_url_check_is_answered_to_the_platform_alone() -> None:
    async with line(speed=1.0) as made:
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
    async with line(speed=1.0) as made:
        for xml in ("<xml></xml>", "<xml><MsgType>text</MsgType></xml>"):
            attempt = await made.post(around(made.peer, xml))
            assert (attempt.status, attempt.body) == (200, b"success")
        assert made.facts("discarded", "why") == ["malformed"] * 2
        assert made.desk.deliveries == []
