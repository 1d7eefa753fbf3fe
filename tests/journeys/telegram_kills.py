"""Telegram, as the kills see it: private chats, one group, a webhook."""

from pathlib import Path
from typing import ClassVar

from tests.journeys.killing import MEMBER, OPENINGS, WATCHER, Json, World
from tests.journeys.program import SECRET
from tests.peers.faults import hang, holds
from tests.peers.model_answers import Script
from tests.peers.telegram import TelegramPeer
from tests.peers.telegram_updates import GROUP


def person(number: int, name: str) -> Json:
    """Somebody with a private chat of their own."""
    return {"id": number, "is_bot": False, "first_name": name, "language_code": "en"}


PEOPLE = {name: person(2001 + n, name) for n, name in enumerate(OPENINGS)}


class Telegram(World):
    """Answers grow in drafts that are no messages, or by edits in the group."""

    name: ClassVar[str] = "telegram"

    def __init__(self, folder: Path, url: str, script: Script) -> None:
        super().__init__(folder, url, script)
        self.telegram = self.peer = TelegramPeer()

    def adapter(self) -> Json:
        return {
            "use": "adapters.telegram",
            "mode": "webhook",
            "token": self.telegram.token,
            "webhook_secret": SECRET,
            "stream": "draft",
            "base_url": self.telegram.url,
            "per_second": 0,
            "chat_per_second": 0,
            "group_per_minute": 0,
        }

    def say(self, who: str, text: str) -> None:
        say = self.telegram.updates.mention if who == MEMBER else self.telegram.updates.text
        self.telegram.push(say(text, PEOPLE[who]))

    def texts(self, who: str) -> list[str]:
        return self.telegram.texts(self._chat(who))

    def lose_the_answer(self, who: str, *, shown: bool) -> None:
        when = holds({"chat_id": PEOPLE[who]["id"]})
        self.telegram.faults.plan(hang(effect=shown), method="sendMessage", when=when)

    @property
    def lost(self) -> bool:
        return not self.telegram.faults.waiting

    def is_growing(self, who: str, text: str) -> bool:
        if who != WATCHER:
            return super().is_growing(who, text)
        drafts = self.telegram.drafts(PEOPLE[who])
        return any(text in shown for draft in drafts for shown in draft.texts)

    def loose_ends(self, who: str) -> int:
        drafts = self.telegram.drafts(self._chat(who))
        messages = self.telegram.chats.note(self._chat(who)).messages.values()
        return sum(draft.ended_by != "message" for draft in drafts) + sum(
            bool(shown.deleted_at) for shown in messages
        )

    def came_again(self) -> bool:
        log = self.telegram.log
        first = log.of("delivery")[0].fields["update_id"]
        return any(first in entry.fields["update_ids"] for entry in log.of("acknowledged"))

    def _chat(self, who: str) -> Json:
        return GROUP if who == MEMBER else PEOPLE[who]
