"""What each method of the Bot API does to the chats, and what it refuses."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.peers.log import Json, Log, wall_us
from tests.peers.telegram_rules import (
    ACTIONS,
    Flood,
    bad,
    check_caption,
    check_commands,
    check_keyboard,
    check_text,
)
from tests.peers.telegram_state import Chat, Chats, Shown, Version, thread_of
from tests.peers.telegram_wire import Upload

MAX_DOWNLOAD = 20 * 1024 * 1024
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the "
    "same as a current content and reply markup of the message"
)
Method = Callable[[Json], object]


class Methods:
    """The methods that need no waiting, by lower-case name."""

    def __init__(self, about: Json, bot: Json, chats: Chats, log: Log, flood: Flood | None) -> None:
        self.files: dict[str, bytes] = {}
        self.queries: set[str] = set()
        self.answered: list[Json] = []
        self.actions: list[Json] = []
        self.commands: list[Json] = []
        self.flood = flood
        self._bot = bot
        self._chats = chats
        self._log = log
        self.table: Mapping[str, Method] = {
            "getme": lambda params: about,
            "getchat": lambda params: chats.require(params).as_json(),
            "sendmessage": self.send_message,
            "editmessagetext": self.edit_message_text,
            "editmessagereplymarkup": self.edit_message_reply_markup,
            "deletemessage": self.delete_message,
            "sendmessagedraft": self.send_message_draft,
            "sendchataction": self.send_chat_action,
            "answercallbackquery": self.answer_callback_query,
            "setmycommands": self.set_my_commands,
            "deletemycommands": self.delete_my_commands,
            "getmycommands": lambda params: self.commands,
            "getfile": self.get_file,
            "sendphoto": lambda params: self.send_file("photo", params),
            "senddocument": lambda params: self.send_file("document", params),
        }

    def send_message(self, params: Json) -> Json:
        """A new message."""
        chat = self._chats.require(params)
        text, entities = check_text(params)
        return self._show(chat, params, Version(text, self._log.now(), tuple(entities)), "text")

    def send_file(self, kind: Any, params: Json) -> Json:
        """A photo or a document: an upload, or a file id or address that we only take note of."""
        chat = self._chats.require(params)
        if not params.get(kind):
            raise bad(f"there is no {kind} in the request")
        caption, entities = check_caption(params)
        message = self._show(chat, params, Version(caption, self._log.now(), tuple(entities)), kind)
        file = self._keep_file(kind, chat, message["message_id"], params[kind])
        message[kind] = [{**file, "width": 800, "height": 600}] if kind == "photo" else file
        return message

    def edit_message_text(self, params: Json) -> Json:
        """Another text in the place of one of our own."""
        chat = self._chats.require(params)
        shown = _editable(chat, params)
        text, entities = check_text(params)
        markup = check_keyboard(params)
        if (text, tuple(entities), markup) == (shown.text, shown.entities, shown.markup):
            raise bad(NOT_MODIFIED)
        self._limit(chat)
        shown.versions.append(Version(text, self._log.now(), tuple(entities)))
        shown.markup = markup
        self._log.write("edited", chat=chat.id, message=shown.id, text=text)
        return {**self.as_json(chat, shown), "edit_date": wall_us() // 1_000_000}

    def edit_message_reply_markup(self, params: Json) -> Json:
        """Other buttons under one of our messages, or none."""
        chat = self._chats.require(params)
        shown = _editable(chat, params)
        markup = check_keyboard(params)
        if markup == shown.markup:
            raise bad(NOT_MODIFIED)
        self._limit(chat)
        shown.markup = markup
        return {**self.as_json(chat, shown), "edit_date": wall_us() // 1_000_000}

    def delete_message(self, params: Json) -> bool:
        """Take a message off the screen; in a plain group only one of our own."""
        chat = self._chats.require(params)
        shown = chat.messages.get(_message_id(params))
        if shown is None or not shown.visible:
            raise bad("message to delete not found")
        if not shown.ours and chat.kind == "group":
            raise bad("message can't be deleted")
        shown.deleted_at = self._log.now()
        self._log.write("deleted", chat=chat.id, message=shown.id)
        return True

    def send_message_draft(self, params: Json) -> bool:
        """Show a growing text in a private chat; it fades 30 s after it was last renewed."""
        chat = self._chats.require(params)
        if chat.kind != "private":
            raise bad("TEXTDRAFT_PEER_INVALID")
        draft_id = params.get("draft_id")
        if not isinstance(draft_id, int) or draft_id == 0:
            raise bad("draft_id must be non-zero")
        text, entities = check_text(params, may_be_empty=True)
        thread = thread_of(chat, params)
        now = self._log.now()
        draft = chat.draft(draft_id, thread, now)
        draft.versions.append(Version(text, now, tuple(entities)))
        self._log.write("drafted", chat=chat.id, draft=draft_id, text=text)
        return True

    def send_chat_action(self, params: Json) -> bool:
        """Typing and the like."""
        chat = self._chats.require(params)
        if params.get("action") not in ACTIONS:
            raise bad("wrong parameter action in request")
        self.actions.append({"chat": chat.id, "action": params["action"], "at": self._log.now()})
        return True

    def answer_callback_query(self, params: Json) -> bool:
        """Stop the spinner on a pressed button."""
        if params.get("callback_query_id") not in self.queries:
            raise bad("query is too old and response timeout expired or query ID is invalid")
        self.answered.append(params)
        return True

    def set_my_commands(self, params: Json) -> bool:
        """The menu of commands."""
        self.commands = list(check_commands(params))
        return True

    def delete_my_commands(self, params: Json) -> bool:
        """No menu."""
        self.commands = []
        return True

    def get_file(self, params: Json) -> Json:
        """Where a file can be fetched."""
        id = str(params.get("file_id", ""))
        content = self.files.get(id)
        if content is None:
            raise bad("wrong file_id or the file is temporarily unavailable")
        if len(content) > MAX_DOWNLOAD:
            raise bad("file is too big")
        return {**_file(id, content), "file_path": f"files/{id}"}

    def _show(self, chat: Chat, params: Json, version: Version, kind: Any) -> Json:
        thread = thread_of(chat, params)
        markup = check_keyboard(params)
        reply_to = _reply_to(chat, params)
        self._limit(chat)
        shown = Shown(
            chat.next_id(),
            chat.id,
            [version],
            self._bot,
            wall_us() // 1_000_000,
            ours=True,
            kind=kind,
            thread=thread,
            reply_to=reply_to,
            markup=markup,
        )
        chat.messages[shown.id] = shown
        if chat.kind == "private":
            chat.dismiss_drafts(thread, version.at)
        self._log.write("shown", chat=chat.id, message=shown.id, text=version.text, thread=thread)
        return self.as_json(chat, shown)

    def as_json(self, chat: Chat, shown: Shown) -> Json:
        """A message as the API shows it."""
        message = {
            "message_id": shown.id,
            "from": shown.sender,
            "chat": chat.as_json(),
            "date": shown.date,
        }
        text, entities = (
            ("text", "entities") if shown.kind == "text" else ("caption", "caption_entities")
        )
        if shown.text:
            message[text] = shown.text
        if shown.entities:
            message[entities] = list(shown.entities)
        if shown.thread is not None:
            message |= {"message_thread_id": shown.thread, "is_topic_message": True}
        if shown.markup is not None and "inline_keyboard" in shown.markup:
            message["reply_markup"] = shown.markup
        answered = chat.messages.get(shown.reply_to or 0)
        if answered is not None and answered is not shown:
            message["reply_to_message"] = self._flat(chat, answered)
        return message

    def _flat(self, chat: Chat, shown: Shown) -> Json:
        head = {"message_id": shown.id, "from": shown.sender, "chat": chat.as_json()}
        return {**head, "date": shown.date, "text": shown.text}

    def _keep_file(self, kind: str, chat: Chat, message: int, content: object) -> Json:
        if not isinstance(content, Upload):
            return _file(str(content), b"")
        id = f"sent-{kind}-{chat.id}-{message}"
        self.files[id] = content.content
        file = _file(id, content.content)
        return file if kind == "photo" else {**file, "file_name": content.name}

    def _limit(self, chat: Chat) -> None:
        if self.flood is not None:
            self.flood.take(chat.id, self._log.now() / 1_000_000)


def _editable(chat: Chat, params: Json) -> Shown:
    shown = chat.messages.get(_message_id(params))
    if shown is None or not shown.visible:
        raise bad("message to edit not found")
    if not shown.ours:
        raise bad("message can't be edited")
    return shown


def _message_id(params: Json) -> int:
    raw = params.get("message_id")
    if not isinstance(raw, int):
        raise bad("message identifier is not specified")
    return raw


def _reply_to(chat: Chat, params: Json) -> int | None:
    wanted = params.get("reply_parameters") or {}
    if not isinstance(wanted, dict):
        raise bad("can't parse reply parameters JSON object")
    raw = wanted.get("message_id", params.get("reply_to_message_id"))
    if raw is None:
        return None
    shown = chat.messages.get(int(raw))
    if shown is not None and shown.visible:
        return shown.id
    lenient = wanted.get("allow_sending_without_reply") or params.get("allow_sending_without_reply")
    if lenient in (True, "true", "True"):
        return None
    raise bad("message to be replied not found")


def _file(id: str, content: bytes) -> Json:
    return {"file_id": id, "file_unique_id": f"u-{id}", "file_size": len(content)}
