"""People in WeChat: sealed callbacks go to the server URL, the answer is the call's own reply."""

import re
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any
from urllib.parse import urlencode

from bench.talk import Talk, expect, now_us
from bench.telegram import question
from bench.wire import Connection, post
from tests.peers.wechat import AES_KEY, APP_ID, ORIGINAL_ID, SECRET, TOKEN
from tests.peers.wechat_courier import ENCRYPTED
from tests.peers.wechat_crypto import Seal, signature

_messages = count(23_000_000_000_000_001)
_seal = Seal(AES_KEY, APP_ID)
_CONTENT = re.compile(r"<Content><!\[CDATA\[(.*?)\]\]></Content>", re.DOTALL)


class People:
    """Followers of the one account. Nothing is sent to them but replies, so there is no API."""

    def __init__(self) -> None:
        self._talks = 0

    def adapter(self, *, stream: bool) -> dict[str, Any]:
        """Its block of the configuration."""
        del stream
        return {
            "use": "adapters.wechat",
            "app_id": APP_ID,
            "app_secret": SECRET,
            "token": TOKEN,
            "aes_key": AES_KEY,
            "customer_service": True,
            "base_url": "http://127.0.0.1:9",
        }

    @asynccontextmanager
    async def talks(
        self, number: int, expected: str, port: int
    ) -> AsyncGenerator[list[Talk], None]:
        """So many people who never spoke before."""
        self._talks += number
        talks = [
            WeChatTalk(f"o{self._talks - i:027}", expected, await Connection.open(port))
            for i in range(number)
        ]
        try:
            yield list(talks)
        finally:
            for talk in talks:
                talk.close()


class WeChatTalk(Talk):
    """One follower. The platform opens a connection for each call; here it stays open."""

    def __init__(self, openid: str, expected: str, connection: Connection) -> None:
        super().__init__(expected)
        self._openid = openid
        self._connection = connection

    async def say(self, number: int) -> None:
        expect(await self._connection.ask(_callback(self._openid, number)), 200)
        at = now_us()
        self.came(_said(self._connection.body), at)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def _callback(openid: str, number: int) -> bytes:
    """A text as WeChat would send it in safe mode."""
    now, told = int(time.time()), next(_messages)
    xml = (
        f"<xml><ToUserName><![CDATA[{ORIGINAL_ID}]]></ToUserName>"
        f"<FromUserName><![CDATA[{openid}]]></FromUserName><CreateTime>{now}</CreateTime>"
        f"<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{question(number)}]]></Content>"
        f"<MsgId>{told}</MsgId></xml>"
    )
    sealed, nonce = _seal.close(xml), str(told)
    proof = {
        "signature": signature(TOKEN, str(now), nonce),
        "timestamp": str(now),
        "nonce": nonce,
        "openid": openid,
        "encrypt_type": "aes",
        "msg_signature": signature(TOKEN, str(now), nonce, sealed),
    }
    body = (
        f"<xml><ToUserName><![CDATA[{ORIGINAL_ID}]]></ToUserName>"
        f"<Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
    )
    return post(f"/in/wechat?{urlencode(proof)}", body.encode())


def _said(body: bytes) -> str:
    """The text in a sealed reply; an acknowledgement without one is no answer."""
    sealed = ENCRYPTED.search(body.decode())
    content = None if sealed is None else _CONTENT.search(_seal.open(sealed[1]))
    return "" if content is None else content[1]
