"""The WeChat of fault runs, a process of its own: `python -m tests.faults.platforms.wechat_peer`.

It is told each single call that it is to make, and to which server; what comes back in the call
is shown to the person and stands in its log.
"""

import argparse
import asyncio
from pathlib import Path

from tests.faults.serving import serve
from tests.peers.log import Json, Log
from tests.peers.wechat import WeChatPeer
from tests.peers.wechat_courier import Event
from tests.peers.wechat_crypto import BadReply
from tests.peers.wechat_people import UNAVAILABLE

KEEP = 500


class FaultsWeChat(WeChatPeer):
    """A WeChat whose driver says which server it calls next, and about what."""

    async def control(self, path: str, body: Json) -> object:
        """Beside the platform's own: `deliver`, `revoke`."""
        match path:
            case "deliver":
                return {"status": await self._deliver(body)}
            case "revoke":
                self.tokens.revoke()
                return True
            case _:
                return await super().control(path, body)

    async def _deliver(self, body: Json) -> int:
        """One call about something that a person wrote, the first one or a later."""
        event = Event(body["openid"], body["xml"], body["name"])
        self.people.did(event.openid, "message")
        attempt = await self.courier.post(self.courier.signed(event.xml), event.name, body["url"])
        failed = attempt.status == 0 or attempt.status >= 500
        if failed and body["last"]:
            self.people.show(event.openid, UNAVAILABLE, "platform")
        if failed or (attempt.status == 200 and attempt.body in (b"", b"success")):
            return attempt.status
        try:
            reply = self.courier.read(event, attempt)
        except BadReply as error:
            self.log.write("bad_reply", event=event.name, why=str(error))
            self.people.show(event.openid, UNAVAILABLE, "platform")
        else:
            self.people.show(event.openid, reply.text, "reply", reply.media)
        return attempt.status


def main() -> None:
    """Serve until standard input ends or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.platforms.wechat_peer")
    parser.add_argument("--log", type=Path)
    for name in ("app-id", "app-secret", "callback-token", "aes-key"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--no-permission", action="store_true", help="no service messages")
    asyncio.run(_serve(parser.parse_args()))


async def _serve(arguments: argparse.Namespace) -> None:
    peer = FaultsWeChat(
        app_id=arguments.app_id,
        secret=arguments.app_secret,
        token=arguments.callback_token,
        aes_key=arguments.aes_key,
        may_send=not arguments.no_permission,
        log=Log(arguments.log, keep=KEEP),
        keep=KEEP,
    )
    await serve(peer)


if __name__ == "__main__":
    main()
