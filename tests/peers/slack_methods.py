"""What each method of the Web API does to the channels, and what it refuses."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.peers.log import Json, Log
from tests.peers.slack_rules import (
    HISTORY,
    Refusal,
    Tiers,
    check_content,
    check_metadata,
)
from tests.peers.slack_state import Channel, Channels, Shown, Version, Whisper

Method = Callable[[Json], Json]
Told = Callable[[Channel, Shown, str], None]


class Methods:
    """The methods of a bot's token, by name."""

    def __init__(
        self, bot: Json, channels: Channels, log: Log, *, scopes: set[str], tiers: Tiers | None
    ) -> None:
        self.whispers: list[Whisper] = []
        self.failed_functions: list[Json] = []
        self.tiers = tiers
        self.told: Told = lambda channel, shown, what: None
        self._bot = bot
        self._channels = channels
        self._log = log
        self._scopes = scopes
        self.table: Mapping[str, Method] = {
            "api.test": lambda params: {"args": params},
            "auth.test": self.auth_test,
            "chat.postMessage": self.post_message,
            "chat.postEphemeral": self.post_ephemeral,
            "chat.update": self.update,
            "chat.delete": self.delete,
            "conversations.history": self.history,
            "conversations.replies": self.replies,
            "functions.completeError": self.complete_error,
        }

    def auth_test(self, params: Json) -> Json:
        """Who the token is."""
        names = ("url", "team", "user", "team_id", "user_id", "bot_id")
        return {**{name: self._bot[name] for name in names}, "is_enterprise_install": False}

    def post_message(self, params: Json) -> Json:
        """A new message, in a thread or not."""
        channel = self._channels.writable(params)
        text, blocks, markdown = check_content(params)
        metadata = check_metadata(params)
        thread = params.get("thread_ts")
        if thread is not None and thread not in channel.messages and self._channels.strict:
            raise Refusal("thread_not_found")
        self._limit("chat.postMessage", channel)
        shown = Shown(
            self._channels.ts(),
            channel.id,
            [Version(text, self._log.now(), tuple(blocks), markdown)],
            self._bot["user_id"],
            ours=True,
            thread=thread,
            metadata=metadata,
        )
        channel.messages[shown.ts] = shown
        self._log.write(
            "shown", channel=channel.id, ts=shown.ts, text=shown.text, thread=shown.thread
        )
        self.told(channel, shown, "posted")
        return {"channel": channel.id, "ts": shown.ts, "message": self.as_json(shown)}

    def post_ephemeral(self, params: Json) -> Json:
        """A message for one person, gone with the next reload."""
        channel = self._channels.writable(params)
        text, blocks, markdown = check_content(params)
        user = params.get("user")
        if user not in channel.members:
            raise Refusal("user_not_in_channel")
        self._limit("chat.postEphemeral", channel)
        version = Version(text, self._log.now(), tuple(blocks), markdown)
        self.whisper(channel.id, str(user), version)
        return {"message_ts": self._channels.ts()}

    def whisper(self, channel: str, user: str, version: Version) -> None:
        """Show something to one person."""
        self.whispers.append(Whisper(channel, user, version.shown, tuple(version.buttons)))
        self._log.write("whispered", channel=channel, user=user, text=version.shown)

    def update(self, params: Json) -> Json:
        """Another content in the place of one of our own."""
        channel = self._channels.visible(params)
        text, blocks, markdown = check_content(params, updating=True)
        shown = self._own(channel, params, "cant_update_message")
        self._limit("chat.update", channel)
        if params.get("blocks") is None and not markdown:
            blocks = list(shown.versions[-1].blocks)
        shown.versions.append(Version(text, self._log.now(), tuple(blocks), markdown))
        self._log.write("edited", channel=channel.id, ts=shown.ts, text=shown.text)
        self.told(channel, shown, "edited")
        return {"channel": channel.id, "ts": shown.ts, "text": text}

    def delete(self, params: Json) -> Json:
        """Take one of our messages off the screen."""
        channel = self._channels.visible(params)
        shown = self._own(channel, params, "cant_delete_message")
        self._limit("chat.delete", channel)
        shown.deleted = True
        self._log.write("deleted", channel=channel.id, ts=shown.ts)
        return {"channel": channel.id, "ts": shown.ts}

    def history(self, params: Json) -> Json:
        """The newest messages outside of threads, newest first."""
        channel = self._readable(params)
        found = [
            shown
            for shown in reversed(channel.messages.values())
            if shown.thread is None and not shown.deleted and shown.ts > _oldest(params)
        ]
        return self._page(found, params)

    def replies(self, params: Json) -> Json:
        """A thread, its beginning first."""
        channel = self._readable(params)
        parent = channel.messages.get(str(params.get("ts", "")))
        if parent is None:
            raise Refusal("thread_not_found")
        found = [
            shown
            for shown in channel.messages.values()
            if shown.thread == parent.ts and not shown.deleted and shown.ts > _oldest(params)
        ]
        return self._page([parent, *found], params)

    def complete_error(self, params: Json) -> Json:
        """A workflow's step has failed."""
        if not params.get("error"):
            raise Refusal("parameter_validation_failed")
        self.failed_functions.append(params)
        return {}

    def as_json(self, shown: Shown, *, metadata: bool = False) -> Json:
        """A message as the API shows it."""
        version = shown.versions[-1]
        found: Json = {
            "type": "message",
            "user": shown.user,
            "ts": shown.ts,
            "text": version.text or version.markdown,
            "team": self._bot["team_id"],
        }
        if shown.ours:
            found |= {"bot_id": self._bot["bot_id"], "app_id": self._bot["app_id"]}
        if version.blocks:
            found["blocks"] = list(version.blocks)
        if shown.thread is not None:
            found["thread_ts"] = shown.thread
        if metadata and shown.metadata is not None:
            found["metadata"] = shown.metadata
        return found

    def require(self, scope: str | None) -> None:
        """The token must have been granted it."""
        if scope is not None and scope not in self._scopes:
            provided = ",".join(sorted(self._scopes))
            raise Refusal("missing_scope", needed=scope, provided=provided)

    def _readable(self, params: Json) -> Channel:
        channel = self._channels.visible(params)
        self.require(HISTORY[channel.kind])
        if not channel.joined:
            raise Refusal("not_in_channel")
        return channel

    def _page(self, found: list[Shown], params: Json) -> Json:
        limit = int(params.get("limit") or 100)
        wanted = params.get("include_all_metadata") in (True, 1, "1", "true")
        return {
            "messages": [self.as_json(shown, metadata=wanted) for shown in found[:limit]],
            "has_more": len(found) > limit,
        }

    def _own(self, channel: Channel, params: Json, not_ours: str) -> Shown:
        shown = channel.messages.get(str(params.get("ts", "")))
        if shown is None or shown.deleted:
            raise Refusal("message_not_found")
        if not shown.ours:
            raise Refusal(not_ours)
        return shown

    def _limit(self, method: str, channel: Channel) -> None:
        if self.tiers is not None:
            self.tiers.take(method, channel.id, self._log.now() / 1_000_000)


def _oldest(params: Mapping[str, Any]) -> str:
    return str(params.get("oldest") or "0")
