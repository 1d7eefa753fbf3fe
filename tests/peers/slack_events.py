"""What Slack would send about the people of a workspace."""

from collections.abc import Callable
from itertools import count
from typing import Any
from urllib.parse import urlencode

import msgspec

from tests.peers.log import Json
from tests.peers.slack_state import Channel, Shown

ANN = "U0ANN"
BO = "U0BO"
DIRECT = "D0ANN"
OTHERS = "D0OTHERS"
GENERAL = "C0GENERAL"
RANDOM = "C0RANDOM"
PRIVATE = "G0PRIVATE"


class Events:
    """Builds payloads. `ts` makes ids of messages, `channel` knows what kind a channel is."""

    def __init__(
        self, bot: Json, ts: Callable[[], str], channel: Callable[[str], Channel | None]
    ) -> None:
        self._bot = bot
        self._ts = ts
        self._channel = channel
        self._numbers = count(1)

    def envelope(self, event: Json, **more: Any) -> Json:
        """An event as it is delivered."""
        number = next(self._numbers)
        body: Json = {
            "token": "verification-token",
            "team_id": self._bot["team_id"],
            "api_app_id": self._bot["app_id"],
            "event": event,
            "type": "event_callback",
            "event_id": f"Ev{number:08d}",
            "event_time": int(float(self._ts())),
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": self._bot["team_id"],
                    "user_id": self._bot["user_id"],
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": False,
        }
        return {**body, **more}

    def message(
        self,
        text: str,
        *,
        channel: str = DIRECT,
        user: str = ANN,
        thread: str | None = None,
        ts: str | None = None,
        **more: Any,
    ) -> Json:
        """Somebody said something."""
        ts = ts or self._ts()
        event: Json = {
            "type": "message",
            "user": user,
            "text": text,
            "ts": ts,
            "event_ts": ts,
            "team": self._bot["team_id"],
            "channel": channel,
            "channel_type": self._kind(channel),
            "client_msg_id": f"client-{ts}",
        }
        if thread is not None:
            event |= {"thread_ts": thread, "parent_user_id": user}
        return self.envelope({**event, **more})

    def mention(self, text: str, *, channel: str = GENERAL, **more: Any) -> tuple[Json, Json]:
        """Somebody named the bot: two events tell it, under one `ts`."""
        said = self.message(self.named(text), channel=channel, **more)
        twin = {k: v for k, v in said["event"].items() if k != "channel_type"}
        return said, self.envelope({**twin, "type": "app_mention"})

    def named(self, text: str) -> str:
        """A text with the bot's mention before it, unless it has one."""
        mention = f"<@{self._bot['user_id']}>"
        return text if mention in text else f"{mention} {text}"

    def edited(self, said: Json, text: str) -> Json:
        """Somebody changed what they had said."""
        before = _quoted(said["event"])
        at = self._ts()
        after = {**before, "text": text, "edited": {"user": before["user"], "ts": at}}
        return self._about(said, "message_changed", message=after, previous_message=before, at=at)

    def deleted(self, said: Json) -> Json:
        """Somebody took back what they had said."""
        before = _quoted(said["event"])
        return self._about(
            said, "message_deleted", deleted_ts=before["ts"], previous_message=before
        )

    def own(self, shown: Json, channel: str, before: Json | None = None) -> Json:
        """The bot's own message, which Slack sends back to it; or the edit of one."""
        event = {**shown, "channel": channel, "channel_type": self._kind(channel)}
        if before is None:
            return self.envelope({**event, "event_ts": shown["ts"]})
        said = self.envelope(event)
        return self._about(said, "message_changed", message=shown, previous_message=before)

    def left(self, channel: str = GENERAL) -> Json:
        """The bot was removed."""
        return self._member("member_left_channel", channel)

    def joined(self, channel: str = GENERAL) -> Json:
        """The bot was invited."""
        return self._member("member_joined_channel", channel)

    def uninstalled(self) -> Json:
        """The app was taken out of the workspace."""
        return self.envelope({"type": "app_uninstalled"})

    def command(
        self, text: str, *, channel: str = GENERAL, user: str = ANN, response_url: str = ""
    ) -> Json:
        """Somebody used the slash command; this is its form."""
        found = self._channel(channel)
        return {
            "token": "verification-token",
            "team_id": self._bot["team_id"],
            "team_domain": "example",
            "channel_id": channel,
            "channel_name": found.name if found is not None else "directmessage",
            "user_id": user,
            "user_name": user.removeprefix("U0").lower(),
            "command": "/parley",
            "text": text,
            "api_app_id": self._bot["app_id"],
            "is_enterprise_install": "false",
            "response_url": response_url,
            "trigger_id": f"{next(self._numbers)}.{self._ts()}",
        }

    def press(self, shown: Shown, blocks: list[Json], number: int = 0, *, user: str = ANN) -> Json:
        """Somebody pressed a button under a message of the bot's."""
        button = shown.buttons[number]
        message: Json = {
            "type": "message",
            "ts": shown.ts,
            "text": shown.notice,
            "user": self._bot["user_id"],
            "bot_id": self._bot["bot_id"],
            "blocks": blocks,
        }
        container: Json = {
            "type": "message",
            "message_ts": shown.ts,
            "channel_id": shown.channel,
            "is_ephemeral": False,
        }
        if shown.thread is not None:
            message["thread_ts"] = container["thread_ts"] = shown.thread
        return {
            "type": "block_actions",
            "user": {"id": user, "username": user.lower(), "team_id": self._bot["team_id"]},
            "api_app_id": self._bot["app_id"],
            "token": "verification-token",
            "container": container,
            "trigger_id": f"{next(self._numbers)}.{self._ts()}",
            "team": {"id": self._bot["team_id"], "domain": "example"},
            "enterprise": None,
            "is_enterprise_install": False,
            "channel": {"id": shown.channel, "name": "general"},
            "message": message,
            "response_url": "",
            "actions": [{**button, "block_id": "b", "action_ts": self._ts()}],
        }

    def _about(self, said: Json, subtype: str, at: str | None = None, **more: Any) -> Json:
        event, at = said["event"], at or self._ts()
        channel = event["channel"]
        return self.envelope(
            {
                "type": "message",
                "subtype": subtype,
                "hidden": True,
                "channel": channel,
                "channel_type": self._kind(channel),
                "ts": at,
                "event_ts": at,
                **more,
            }
        )

    def _member(self, kind: str, channel: str) -> Json:
        event = {
            "type": kind,
            "user": self._bot["user_id"],
            "channel": channel,
            "channel_type": "C",
            "team": self._bot["team_id"],
            "event_ts": self._ts(),
        }
        return self.envelope(event)

    def _kind(self, channel: str) -> str:
        known = self._channel(channel)
        if known is not None:
            return known.kind
        return "im" if channel.startswith("D") else "channel"


def _quoted(event: Json) -> Json:
    return {k: v for k, v in event.items() if k not in ("channel", "channel_type", "event_ts")}


def is_form(body: Json) -> bool:
    """Slash commands and interactions are posted as forms, events as JSON."""
    return body.get("type") not in ("event_callback", "url_verification", "app_rate_limited")


def encoded(body: Json) -> tuple[bytes, str]:
    """The bytes on the wire and their content type."""
    if not is_form(body):
        return msgspec.json.encode(body), "application/json"
    form = body if "command" in body else {"payload": msgspec.json.encode(body).decode()}
    return urlencode(form).encode(), "application/x-www-form-urlencoded"


def envelope_type(body: Json) -> str:
    """What Socket Mode calls it."""
    if "command" in body:
        return "slash_commands"
    return "interactive" if is_form(body) else "events_api"
