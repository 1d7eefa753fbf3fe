"""Safe mode at the platform's end, written from its description and not from any client's code."""

import base64
import hashlib
import os
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


class BadReply(Exception):
    """What came back cannot be opened; the person reads that the service is out of order."""


def signature(*parts: str) -> str:
    """SHA-1 over the sorted parts."""
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()


class Seal:
    """The key that the account's console shows, and the app id that belongs to it."""

    def __init__(self, aes_key: str, app_id: str) -> None:
        key = base64.b64decode(f"{aes_key}=")
        self._cipher = Cipher(algorithms.AES(key), modes.CBC(key[:16]))
        self._app_id = app_id.encode()

    def close(self, text: str) -> str:
        """Random bytes, length, text and app id, padded and encrypted."""
        said = text.encode()
        plain = os.urandom(16) + struct.pack(">I", len(said)) + said + self._app_id
        count = 32 - len(plain) % 32
        sealing = self._cipher.encryptor()
        sealed = sealing.update(plain + bytes([count]) * count) + sealing.finalize()
        return base64.b64encode(sealed).decode()

    def open(self, sealed: str) -> str:
        """Raises: BadReply."""
        opening = self._cipher.decryptor()
        try:
            plain = opening.update(base64.b64decode(sealed, validate=True)) + opening.finalize()
            count = plain[-1]
            (length,) = struct.unpack(">I", plain[16:20])
            said, app_id = plain[20 : 20 + length], plain[20 + length : -count]
            if app_id != self._app_id or plain[-count:] != bytes([count]) * count:
                raise BadReply("sealed for another account, or wrongly padded")
            return said.decode()
        except (ValueError, IndexError, struct.error) as error:
            raise BadReply(type(error).__name__) from None
