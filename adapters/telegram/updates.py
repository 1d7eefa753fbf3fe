"""The fields of an update that we read, under the platform's own names."""

from msgspec import Struct


class User(Struct):
    id: int
    is_bot: bool = False
    first_name: str = ""
    last_name: str = ""
    username: str | None = None
    language_code: str | None = None


class Chat(Struct):
    id: int
    type: str
    title: str = ""
    first_name: str = ""


class Entity(Struct):
    type: str
    offset: int
    length: int
    user: User | None = None


class Media(Struct):
    """A photo size, voice, audio, document, video or animation."""

    file_id: str
    file_name: str = ""
    mime_type: str = ""
    file_size: int = 0


class Sticker(Struct):
    emoji: str = ""


class Location(Struct):
    latitude: float
    longitude: float


class Venue(Struct):
    title: str = ""
    address: str = ""


class Contact(Struct):
    phone_number: str = ""
    first_name: str = ""
    last_name: str = ""


class Answered(Struct, rename={"from_": "from"}):
    """The message that another one replies to."""

    message_id: int
    from_: User | None = None
    forum_topic_created: dict[str, object] | None = None


class Button(Struct):
    text: str = ""


class Keyboard(Struct):
    inline_keyboard: list[list[Button]] = []


class Message(Struct, rename={"from_": "from"}):
    """A message; in a callback it may be an inaccessible one, whose date is 0."""

    message_id: int
    date: int
    chat: Chat
    from_: User | None = None
    sender_chat: Chat | None = None
    message_thread_id: int | None = None
    is_topic_message: bool = False
    reply_to_message: Answered | None = None
    media_group_id: str | None = None
    forward_origin: dict[str, object] | None = None
    forward_date: int | None = None
    reply_markup: Keyboard | None = None
    migrate_to_chat_id: int | None = None
    migrate_from_chat_id: int | None = None
    text: str | None = None
    entities: list[Entity] = []
    caption: str = ""
    caption_entities: list[Entity] = []
    photo: list[Media] = []
    voice: Media | None = None
    audio: Media | None = None
    video: Media | None = None
    video_note: Media | None = None
    animation: Media | None = None
    document: Media | None = None
    sticker: Sticker | None = None
    location: Location | None = None
    venue: Venue | None = None
    contact: Contact | None = None
    poll: dict[str, object] | list[object] | None = None
    dice: dict[str, object] | list[object] | None = None
    story: dict[str, object] | list[object] | None = None
    game: dict[str, object] | list[object] | None = None
    checklist: dict[str, object] | list[object] | None = None
    paid_media: dict[str, object] | list[object] | None = None

    @property
    def is_forwarded(self) -> bool:
        """Whether somebody else wrote it, or it was written elsewhere; older servers tell when."""
        return self.forward_origin is not None or self.forward_date is not None


class Callback(Struct, rename={"from_": "from"}):
    id: str
    from_: User
    data: str | None = None
    message: Message | None = None


class Standing(Struct):
    status: str


class Membership(Struct, rename={"from_": "from"}):
    """Our own standing in a chat has changed."""

    chat: Chat
    from_: User
    date: int
    new_chat_member: Standing
    old_chat_member: Standing


class Update(Struct):
    update_id: int
    message: Message | None = None
    edited_message: Message | None = None
    callback_query: Callback | None = None
    my_chat_member: Membership | None = None
    channel_post: dict[str, object] | None = None
    edited_channel_post: dict[str, object] | None = None


ALLOWED = ("message", "edited_message", "callback_query", "my_chat_member")
"""What we ask for. The platform keeps the former list when none is given, so it always is."""
