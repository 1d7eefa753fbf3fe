"""Slack, as the kills see it: direct chats, a thread in a channel, events by HTTP."""

from pathlib import Path
from typing import ClassVar

from tests.journeys.killing import MEMBER, OPENINGS, WATCHER, Json, World
from tests.journeys.slack_house import slack_adapter
from tests.peers.faults import hang, holds
from tests.peers.model_answers import Script
from tests.peers.slack import SlackPeer
from tests.peers.slack_delivery import Redelivery
from tests.peers.slack_events import GENERAL
from tests.peers.slack_state import Channel, Shown

# Slack comes again after 0, 60 and 300 seconds; a start takes two.
AGAIN = Redelivery(pauses=(0.2,) * 60)


class Slack(World):
    """Answers are sent when they are whole. What was cut off is looked for in the channel."""

    name: ClassVar[str] = "slack"
    people: ClassVar[tuple[str, ...]] = tuple(OPENINGS.keys() - {WATCHER, MEMBER})
    reads_back: ClassVar[bool] = True
    stream: ClassVar[str] = "off"

    def __init__(self, folder: Path, url: str, script: Script) -> None:
        super().__init__(folder, url, script)
        self.slack = self.peer = SlackPeer(redelivery=AGAIN)
        self._thread: str | None = None
        for name in OPENINGS:
            person = f"U0{name.upper()}"
            chat = Channel(self._channel(name), "im", "directmessage", {person})
            self.slack.channels.add(chat)

    def adapter(self) -> Json:
        return slack_adapter(
            self.slack,
            stream=self.stream,
            channel_per_second=0,
            updates_per_minute=0,
        )

    def aim(self, url: str) -> None:
        self.slack.courier.url = url

    def say(self, who: str, text: str) -> None:
        user = f"U0{who.upper()}"
        if who != MEMBER:
            self.slack.say(text, channel=self._channel(who), user=user)
            return
        said = self.slack.ask(text, user=user, thread=self._thread)
        self._thread = self._thread or said["event"]["ts"]

    def texts(self, who: str) -> list[str]:
        return [shown.text for shown in self._shown(who) if not shown.deleted]

    def lose_the_answer(self, who: str, *, shown: bool) -> None:
        when = holds({"channel": self._channel(who)})
        self.slack.faults.plan(hang(effect=shown), method="chat.postMessage", when=when)

    @property
    def lost(self) -> bool:
        return not self.slack.faults.waiting

    def loose_ends(self, who: str) -> int:
        return sum(shown.deleted for shown in self._shown(who))

    def came_again(self) -> bool:
        log = self.slack.log
        first = log.of("delivery")[0].fields["name"]
        return any(entry.fields["name"] == first for entry in log.of("acknowledged"))

    def _shown(self, who: str) -> list[Shown]:
        channel = self.slack.channels.get(self._channel(who))
        assert channel is not None
        return [shown for shown in channel.messages.values() if shown.ours]

    def _channel(self, who: str) -> str:
        return GENERAL if who == MEMBER else f"D0{who.upper()}"


class GrowingSlack(Slack):
    """Answers grow: what is lost is the post that opens one."""

    people: ClassVar[tuple[str, ...]] = tuple(OPENINGS)
    stream: ClassVar[str] = "edit"
