"""The updates that people cause: well-formed, written by us, with ids that only grow."""

from collections.abc import Callable
from itertools import count
from typing import Any

from tests.peers.log import Json, wall_us
from tests.peers.telegram_rules import units

ANN: Json = {
    "id": 1001,
    "is_bot": False,
    "first_name": "Ann",
    "username": "ann_example",
    "language_code": "en",
}
BO: Json = {
    "id": 1002,
    "is_bot": False,
    "first_name": "小波",
    "username": "bo_example",
    "language_code": "zh-hans",
}
GROUP: Json = {"id": -1002000000001, "type": "supergroup", "title": "Team"}
FORUM: Json = {"id": -1002000000002, "type": "supergroup", "title": "Forum", "is_forum": True}
OLD_GROUP: Json = {"id": -2000003, "type": "group", "title": "Small team"}


def private(sender: Json) -> Json:
    """The chat of one person with the bot."""
    chat = {"id": sender["id"], "type": "private", "first_name": sender["first_name"]}
    return {**chat, "username": sender["username"]} if "username" in sender else chat


def entity(kind: str, text: str, part: str, **more: Any) -> Json:
    """An entity over the first place where `part` stands in `text`, counted in UTF-16 units."""
    before = text[: text.index(part)]
    return {"type": kind, "offset": units(before), "length": units(part), **more}


class Updates:
    """Builds updates for one bot. Message ids come from `next_id`, one sequence per chat."""

    def __init__(self, bot: Json, next_id: Callable[[Json], int], *, first: int = 700_000_001):
        self._bot = bot
        self._next_id = next_id
        self._ids = count(first)
        self._numbers = count(1)

    def wrap(self, **content: Any) -> Json:
        """Any content under the next update id."""
        return {"update_id": next(self._ids), **content}

    def message(self, sender: Json = ANN, chat: Json | None = None, **content: Any) -> Json:
        """A message with whatever it holds."""
        where = private(sender) if chat is None else chat
        head = {"message_id": self._next_id(where), "from": sender, "chat": where}
        return self.wrap(message={**head, "date": _now(), **content})

    def text(
        self,
        text: str,
        sender: Json = ANN,
        chat: Json | None = None,
        *,
        thread: int | None = None,
        reply_to: Json | None = None,
        entities: list[Json] | None = None,
    ) -> Json:
        """Plain text; in the person's private chat unless a chat is given."""
        content: Json = {"text": text}
        if thread is not None:
            content |= {"message_thread_id": thread, "is_topic_message": True}
        if reply_to is not None:
            content["reply_to_message"] = reply_to
        if entities:
            content["entities"] = entities
        return self.message(sender, chat, **content)

    def command(self, command: str, sender: Json = ANN, chat: Json | None = None) -> Json:
        """`/new`, `/new@bot` or `/start payload`."""
        name = command.split(maxsplit=1)[0]
        return self.text(
            command,
            sender,
            chat,
            entities=[{"type": "bot_command", "offset": 0, "length": len(name)}],
        )

    def own_command(self, command: str, sender: Json = ANN, chat: Json = GROUP) -> Json:
        """A command with our bot's name behind it, as groups write it."""
        return self.command(f"{command}@{self._bot['username']}", sender, chat)

    def mention(
        self, text: str, sender: Json = ANN, chat: Json = GROUP, *, thread: int | None = None
    ) -> Json:
        """Text in a group that names the bot; an emoji before the name shifts the UTF-16 offset."""
        name = f"@{self._bot['username']}"
        whole = f"\U0001f44b {name} {text}"
        marked = [entity("mention", whole, name)]
        return self.text(whole, sender, chat, thread=thread, entities=marked)

    def text_mention(self, text: str, sender: Json = ANN, chat: Json = GROUP) -> Json:
        """A group message that names the bot by its id instead of its user name."""
        whole = f"{self._bot['first_name']} {text}"
        marked = [entity("text_mention", whole, self._bot["first_name"], user=self._bot)]
        return self.text(whole, sender, chat, entities=marked)

    def reply(self, text: str, to: Json, sender: Json = ANN, chat: Json = GROUP) -> Json:
        """An answer to one of the bot's messages (as the API returned it)."""
        thread = to.get("message_thread_id")
        return self.text(text, sender, chat, thread=thread, reply_to=to)

    def topic(self, text: str, thread: int, sender: Json = ANN, chat: Json = FORUM) -> Json:
        """Text in a topic: it comes as a reply to the topic's first message, which is no reply."""
        created = {"name": "Topic", "icon_color": 7322096}
        first = {
            "message_id": thread,
            "message_thread_id": thread,
            "from": sender,
            "chat": chat,
            "date": _now(),
            "is_topic_message": True,
            "forum_topic_created": created,
        }
        return self.text(text, sender, chat, thread=thread, reply_to=first)

    def edited(self, update: Json, text: str) -> Json:
        """The same message, changed by its writer."""
        edited = {**update["message"], "text": text, "edit_date": _now()}
        return self.wrap(edited_message={k: v for k, v in edited.items() if k != "entities"})

    def pressed(self, data: str, message: Json, sender: Json = ANN) -> Json:
        """A button under one of the bot's messages was pressed."""
        query = {"id": f"press-{next(self._numbers)}", "from": sender, "chat_instance": "1"}
        return self.wrap(callback_query={**query, "data": data, "message": message})

    def album(
        self, captions: list[str | None], sender: Json = ANN, chat: Json | None = None
    ) -> list[Json]:
        """Several photos sent as one; each is an update of its own."""
        group = f"album-{next(self._numbers)}"
        return [self.photo(caption, sender, chat, media_group_id=group) for caption in captions]

    def photo(
        self, caption: str | None = None, sender: Json = ANN, chat: Json | None = None, **more: Any
    ) -> Json:
        """A photo in two sizes, the larger one last."""
        name = f"photo-{next(self._numbers)}"
        sizes = [_size(f"{name}-small", 90), _size(f"{name}-large", 800)]
        content: Json = {"photo": sizes, **more}
        if caption is not None:
            content["caption"] = caption
        return self.message(sender, chat, **content)

    def voice(self, sender: Json = ANN, chat: Json | None = None) -> Json:
        """A spoken message."""
        name = f"voice-{next(self._numbers)}"
        voice = {"file_id": name, "file_unique_id": f"u-{name}", "duration": 2, "file_size": 4096}
        return self.message(sender, chat, voice={**voice, "mime_type": "audio/ogg"})

    def document(self, name: str, sender: Json = ANN, chat: Json | None = None) -> Json:
        """A file."""
        id = f"document-{next(self._numbers)}"
        document = {"file_id": id, "file_unique_id": f"u-{id}", "file_name": name, "file_size": 12}
        return self.message(sender, chat, document={**document, "mime_type": "text/plain"})

    def blocked(self, sender: Json = ANN) -> Json:
        """The person blocked the bot."""
        return self.member("member", "kicked", sender, private(sender))

    def unblocked(self, sender: Json = ANN) -> Json:
        """The person let the bot in again."""
        return self.member("kicked", "member", sender, private(sender))

    def added(self, sender: Json = ANN, chat: Json = GROUP) -> Json:
        """The bot was put into a group."""
        return self.member("left", "member", sender, chat)

    def removed(self, sender: Json = ANN, chat: Json = GROUP) -> Json:
        """The bot was thrown out of a group."""
        return self.member("member", "kicked", sender, chat)

    def member(self, old: str, new: str, sender: Json, chat: Json) -> Json:
        """The bot's own standing in a chat changed."""
        return self.wrap(
            my_chat_member={
                "chat": chat,
                "from": sender,
                "date": _now(),
                "old_chat_member": _standing(self._bot, old),
                "new_chat_member": _standing(self._bot, new),
            }
        )

    def moved(self, old: Json = OLD_GROUP, new: Json = GROUP, sender: Json = ANN) -> list[Json]:
        """A group became a supergroup: one message in each of the two."""
        return [
            self.message(sender, old, migrate_to_chat_id=new["id"]),
            self.message(sender, new, migrate_from_chat_id=old["id"]),
        ]

    def joined(self, who: Json = BO, chat: Json = GROUP) -> Json:
        """Somebody came into the group: a service message."""
        return self.message(who, chat, new_chat_members=[who])

    def unknown(self) -> Json:
        """A kind of update that nobody knows yet."""
        return self.wrap(chat_telepathy={"strength": 3})

    def undecodable(self, sender: Json = ANN) -> Json:
        """A message without the fields that every message has."""
        return self.wrap(message={"message_id": 1, "chat": private(sender), "text": "no date"})


def _size(name: str, width: int) -> Json:
    sides = {"width": width, "height": width * 3 // 4, "file_size": width * 50}
    return {"file_id": name, "file_unique_id": f"u-{name}", **sides}


def _standing(bot: Json, status: str) -> Json:
    until = {"until_date": 0} if status == "kicked" else {}
    return {"user": bot, "status": status, **until}


def _now() -> int:
    return wall_us() // 1_000_000
