"""Safe mode, against the library's own and against recordings of the platform's."""

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechatpy.crypto import PrpCrypto, WeChatCrypto

from adapters.wechat.crypto import Cipher, Forged, Signer, envelope, sealed
from adapters.wechat.envelope import encrypted_in, fields_of
from tests.peers.wechat import AES_KEY, APP_ID, TOKEN
from tests.peers.wechat_crypto import Seal, signature

SIGNER, CIPHER = Signer(TOKEN), Cipher(AES_KEY, APP_ID)


def recording(shared: Path | None, name: str) -> dict[str, Any]:
    assert shared is not None, "tests marked `fixtures` run only where the recordings are"
    found: dict[str, Any] = msgspec.json.decode(
        (shared / "fixtures" / "wechat" / f"{name}.json").read_bytes()
    )
    return found


@given(st.text())
def test_the_library_opens_what_we_seal_and_we_open_what_it_seals(text: str) -> None:
    library = WeChatCrypto(TOKEN, AES_KEY, APP_ID)
    ours = sealed(text, SIGNER, CIPHER, timestamp="1790000000", nonce="n")
    fields = fields_of(ours)
    opened = library.decrypt_message(ours, fields["MsgSignature"], "1790000000", "n")
    assert opened == text
    if text:  # the library makes nothing of nothing
        theirs = PrpCrypto(base64.b64decode(AES_KEY + "=")).encrypt(text, APP_ID).decode()
        assert CIPHER.decrypt(theirs) == text


def test_signatures_are_those_of_the_platform() -> None:
    assert SIGNER.sign("1", "2") == signature(TOKEN, "1", "2")
    assert SIGNER.agrees(signature(TOKEN, "1", "2"), "2", "1")
    for wrong in ("", "é", signature("other", "1", "2")):
        assert not SIGNER.agrees(wrong, "1", "2")


@pytest.mark.parametrize(
    "packed",
    ["", "!", "AAAA", "A" * 43 + "=", "A" * 64 + "=" * 3, base64.b64encode(b"x" * 96).decode()],
)
def test_what_the_platform_cannot_have_written_is_forged(packed: str) -> None:
    with pytest.raises(Forged):
        CIPHER.decrypt(packed)


def test_every_damaged_byte_and_every_other_account_is_noticed() -> None:
    whole = base64.b64decode(Seal(AES_KEY, APP_ID).close("hello"))
    noticed = 0
    for at in range(len(whole)):
        damaged = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        try:
            noticed += CIPHER.decrypt(base64.b64encode(damaged).decode()) != "hello"
        except Forged:
            noticed += 1
    # The sixteen random bytes in front say nothing, so damage to them alone is none.
    assert noticed >= len(whole) - 16
    with pytest.raises(Forged, match="another account's"):
        CIPHER.decrypt(Seal(AES_KEY, "wxsomebodyelse00").close("hello"))


@pytest.mark.fixtures
def test_a_recorded_message_opens_and_a_changed_one_does_not(shared: Path | None) -> None:
    found = recording(shared, "encrypted_message")
    signer = Signer(found["token"])
    cipher = Cipher(found["encoding_aes_key"], found["corp_id"])
    encrypted = encrypted_in(found["body"].encode())
    assert encrypted is not None
    stamp, nonce = found["timestamp"], found["nonce"]
    assert signer.agrees(found["msg_signature"], stamp, nonce, encrypted)
    fields = fields_of(cipher.decrypt(encrypted))
    assert {name: fields[name] for name in found["expected"]} == found["expected"]
    assert not signer.agrees(found["msg_signature"], stamp, nonce + "1", encrypted)
    assert not signer.agrees(found["msg_signature"][::-1], stamp, nonce, encrypted)
    changed = ("A" if encrypted[0] != "A" else "B") + encrypted[1:]
    assert not signer.agrees(found["msg_signature"], stamp, nonce, changed)
    with pytest.raises(Forged):
        Cipher(found["encoding_aes_key"], "wxsomebodyelse00").decrypt(encrypted)


@pytest.mark.fixtures
def test_a_recorded_reply_is_reproduced_to_the_byte(shared: Path | None) -> None:
    found = recording(shared, "encrypted_reply_vector")
    cipher = Cipher(found["encoding_aes_key"], found["corp_id"])
    encrypted = cipher.encrypt(found["plaintext"], prefix=found["random_prefix"].encode())
    made = envelope(
        encrypted, Signer(found["token"]), timestamp=found["timestamp"], nonce=found["nonce"]
    )
    assert made == found["expected"]


@pytest.mark.fixtures
def test_a_recorded_url_check_opens_only_with_its_own_nonce(shared: Path | None) -> None:
    found = recording(shared, "encrypted_url_echo")
    signer = Signer(found["token"])
    parts = (found["timestamp"], found["echostr"])
    assert signer.agrees(found["msg_signature"], found["nonce"], *parts)
    assert not signer.agrees(found["msg_signature"], found["bad_nonce"], *parts)
    echo = Cipher(found["encoding_aes_key"], found["corp_id"]).decrypt(found["echostr"])
    assert echo.isdigit()
