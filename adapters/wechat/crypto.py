"""The platform's signatures and its safe mode: what is ours of it, and what is forged."""

import base64
import binascii
import hashlib
import hmac
import secrets

from wechatpy.crypto import WeChatCipher

_BLOCK = 32
"""The platform pads to 32 bytes, twice the cipher's own block."""
_PREFIX = 16
_LENGTH = 4
_SMALLEST = 2 * _BLOCK

_OUTER = """<xml>
<Encrypt><![CDATA[{encrypted}]]></Encrypt>
<MsgSignature><![CDATA[{signature}]]></MsgSignature>
<TimeStamp>{timestamp}</TimeStamp>
<Nonce><![CDATA[{nonce}]]></Nonce>
</xml>"""


class Forged(Exception):
    """It was not the platform that wrote this, or not to us."""


class Signer:
    """Knows the account's Token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def sign(self, *parts: str) -> str:
        """What the platform writes for these parts."""
        joined = "".join(sorted((self._token, *parts)))
        digest = hashlib.sha1(joined.encode())  # noqa: S324  # the platform's choice, not ours
        return digest.hexdigest()

    def agrees(self, signature: str, *parts: str) -> bool:
        """Compared in constant time: how far a guess was right must not be measurable."""
        return hmac.compare_digest(self.sign(*parts).encode(), signature.encode())


class Cipher:
    """AES in safe mode, with the account's EncodingAESKey.

    wechatpy's own unpacking trusts the padding and the lengths; here each of them is checked.
    """

    def __init__(self, aes_key: str, app_id: str) -> None:
        self._cipher = WeChatCipher(base64.b64decode(aes_key + "="))
        self._app_id = app_id.encode()

    def decrypt(self, encrypted: str) -> str:
        """The text inside.

        Raises:
            Forged: damaged, wrongly padded, or meant for another account.
        """
        try:
            packed = base64.b64decode(encrypted, validate=True)
        except (binascii.Error, ValueError):
            raise Forged("not base64") from None
        if len(packed) < _SMALLEST or len(packed) % 16:
            raise Forged("no whole blocks")
        plain: bytes = self._cipher.decrypt(packed)
        return self._unpack(_unpadded(plain))

    def encrypt(self, text: str, *, prefix: bytes | None = None) -> str:
        """The form that the platform reads; `prefix` is sixteen random bytes."""
        said = text.encode()
        packed = (
            (prefix or secrets.token_bytes(_PREFIX))
            + len(said).to_bytes(_LENGTH, "big")
            + said
            + self._app_id
        )
        missing = _BLOCK - len(packed) % _BLOCK
        encrypted: bytes = self._cipher.encrypt(packed + bytes([missing]) * missing)
        return base64.b64encode(encrypted).decode()

    def _unpack(self, plain: bytes) -> str:
        head = _PREFIX + _LENGTH
        length = int.from_bytes(plain[_PREFIX:head], "big")
        said, app_id = plain[head : head + length], plain[head + length :]
        if len(said) != length or not hmac.compare_digest(app_id, self._app_id):
            raise Forged("another account's")
        try:
            return said.decode()
        except UnicodeDecodeError:
            raise Forged("no text") from None


def sealed(text: str, signer: Signer, cipher: Cipher, *, timestamp: str, nonce: str) -> str:
    """A reply as safe mode wants it: encrypted, and signed by us."""
    encrypted = cipher.encrypt(text)
    return envelope(encrypted, signer, timestamp=timestamp, nonce=nonce)


def envelope(encrypted: str, signer: Signer, *, timestamp: str, nonce: str) -> str:
    """The outer form of an encrypted reply."""
    return _OUTER.format(
        encrypted=encrypted,
        signature=signer.sign(timestamp, nonce, encrypted),
        timestamp=timestamp,
        nonce=nonce,
    )


def _unpadded(plain: bytes) -> bytes:
    count = plain[-1]
    if not 1 <= count <= _BLOCK or plain[-count:] != bytes([count]) * count:
        raise Forged("wrongly padded")
    return plain[:-count]
