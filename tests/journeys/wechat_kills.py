"""WeChat, as the kills see it: by the passive reply, and by customer-service messages."""

from pathlib import Path
from typing import ClassVar

from tests.journeys.killing import MEMBER, OPENINGS, THINKER, WATCHER, Json, World
from tests.journeys.wechat_house import wechat_adapter
from tests.peers.faults import hang, holds
from tests.peers.model_answers import Script
from tests.peers.wechat import WeChatPeer

PEOPLE = {name: f"o{name}000000000000000000000000"[:28] for name in OPENINGS}


class Messages(World):
    """Calls are acknowledged before the answer is there; it is sent as a message."""

    name: ClassVar[str] = "wechat"
    # Nothing grows here, and there are no groups.
    people: ClassVar[tuple[str, ...]] = tuple(
        name for name in OPENINGS if name not in (WATCHER, MEMBER)
    )
    # Five messages of 2,048 bytes.
    long: ClassVar[int] = 900
    # Shorter than any turn: the call is over before the answer.
    reply_within: ClassVar[str] = "1ms"
    may_send: ClassVar[bool] = True

    def __init__(self, folder: Path, url: str, script: Script) -> None:
        super().__init__(folder, url, script)
        self.wechat = self.peer = WeChatPeer(patience=5.0, may_send=self.may_send)
        self.wechat.courier.paced = True

    def adapter(self) -> Json:
        return wechat_adapter(
            self.wechat,
            speed=1.0,
            reply_within=self.reply_within,
            customer_service=self.may_send,
            max_pieces=5,
        )

    def aim(self, url: str) -> None:
        self.wechat.aim(url)

    def say(self, who: str, text: str) -> None:
        self.wechat.push(self.wechat.text(PEOPLE[who], text))

    def texts(self, who: str) -> list[str]:
        return self.wechat.texts(PEOPLE[who])

    def lose_the_answer(self, who: str, *, shown: bool) -> None:
        when = holds({"touser": PEOPLE[who]})
        self.wechat.faults.plan(hang(effect=shown), method="message/custom/send", when=when)

    @property
    def lost(self) -> bool:
        return not self.wechat.faults.waiting

    def came_again(self) -> bool:
        log = self.wechat.log
        first = log.of("delivery")[0].fields["event"]
        return any(
            entry.fields["event"] == first and entry.fields["status"] == 200
            for entry in log.of("delivered")
        )


class Replies(Messages):
    """Nothing but the platform's own calls: a text is answered in one of its three deliveries."""

    reply_within: ClassVar[str] = "4500ms"
    may_send: ClassVar[bool] = False

    async def ask(self, text: str) -> str | None:
        """What a text of the one person is answered with in its own calls."""
        done = await self.wechat.say(PEOPLE[THINKER], text)
        return done.said

    def out_of_order(self) -> int:
        """How often that person read that the service is out of order."""
        return self.wechat.out_of_order(PEOPLE[THINKER])
