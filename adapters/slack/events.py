"""What Slack sends, as far as we read it; everything may be missing."""

from typing import Any

import msgspec


class Profile(msgspec.Struct):
    """Who wrote, where an event tells it."""

    display_name: str | None = None
    real_name: str | None = None
    name: str | None = None


class File(msgspec.Struct):
    id: str = ""
    name: str | None = None
    title: str | None = None
    mimetype: str | None = None
    size: int | None = None
    mode: str | None = None

    @property
    def is_there(self) -> bool:
        """False of what was deleted and has left only its place."""
        return self.mode != "tombstone"


class Edited(msgspec.Struct):
    ts: str | None = None


class Attachment(msgspec.Struct):
    """A message of somebody's that was passed on, or the preview of a link."""

    is_share: bool | None = None
    text: str | None = None
    fallback: str | None = None
    files: list[File] | None = None


class Message(msgspec.Struct, kw_only=True):
    """A message, whole or as another event quotes it."""

    ts: str | None = None
    text: str | None = None
    user: str | None = None
    thread_ts: str | None = None
    subtype: str | None = None
    bot_id: str | None = None
    parent_user_id: str | None = None
    user_profile: Profile | None = None
    edited: Edited | None = None
    files: list[File] | None = None
    attachments: Any = None
    """Each is read for itself: many are made by other apps, and none may cost the message."""


class Event(Message, kw_only=True):
    """An event of the kinds that we read: messages, mentions, comings and goings."""

    type: str = ""
    channel: str | None = None
    channel_type: str | None = None
    event_ts: str | None = None
    deleted_ts: str | None = None
    message: Message | None = None
    previous_message: Message | None = None
    function_execution_id: str | None = None
    bot_access_token: str | None = None


class Authorization(msgspec.Struct):
    user_id: str | None = None
    is_bot: bool | None = None


class Callback(msgspec.Struct):
    """An event in its envelope."""

    event: Event
    event_id: str | None = None
    authorizations: list[Authorization] | None = None


class Command(msgspec.Struct):
    """A slash command."""

    user_id: str
    channel_id: str
    trigger_id: str
    command: str = ""
    text: str | None = None
    user_name: str | None = None
    channel_name: str | None = None
    response_url: str | None = None


class User(msgspec.Struct):
    id: str
    username: str | None = None
    name: str | None = None


class Channel(msgspec.Struct):
    id: str


class Container(msgspec.Struct):
    """Where a pressed button stands."""

    message_ts: str | None = None
    thread_ts: str | None = None
    is_ephemeral: bool | None = None


class Label(msgspec.Struct):
    text: str | None = None


class Action(msgspec.Struct):
    action_id: str = ""
    action_ts: str = ""
    value: str | None = None
    text: Label | None = None


class Pressed(msgspec.Struct):
    """The message that carries the button."""

    ts: str | None = None
    thread_ts: str | None = None
    text: str | None = None
    blocks: list[dict[str, Any]] | None = None


class Press(msgspec.Struct):
    """A pressed button under a message."""

    user: User
    actions: list[Action]
    channel: Channel | None = None
    container: Container | None = None
    message: Pressed | None = None
    response_url: str | None = None
