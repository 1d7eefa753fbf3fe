"""The one manifest of a Slack app: every scope, event and command that the code here asks for."""

from typing import Any, Literal

COMMAND = "/parley"
"""The slash command; what stands behind it is the engine's command or a question."""
WORDS = ("new", "stop", "help", "usage", "forget")
"""The engine's commands, as they are typed behind the slash command."""

SCOPES = {
    "app_mentions:read": "to be told when somebody mentions the bot",
    "channels:history": "to read on in a thread of a public channel",
    "channels:read": "to notice that the bot was added to a channel or removed",
    "chat:write": "to answer",
    "commands": f"for the slash command {COMMAND}",
    "groups:history": "to read on in a thread of a private channel",
    "groups:read": "to notice that the bot was added to a private channel or removed",
    "im:history": "to read direct messages",
    "mpim:history": "to read on in a thread of a group conversation",
}
EVENTS: dict[str, tuple[str, ...]] = {
    "app_mention": ("app_mentions:read",),
    "app_uninstalled": (),
    "member_joined_channel": ("channels:read", "groups:read"),
    "member_left_channel": ("channels:read", "groups:read"),
    "message.channels": ("channels:history",),
    "message.groups": ("groups:history",),
    "message.im": ("im:history",),
    "message.mpim": ("mpim:history",),
    "tokens_revoked": (),
}
"""Event subscriptions, and the scopes without which Slack does not send them."""

_HISTORY = ("channels:history", "groups:history", "im:history", "mpim:history")
METHODS: dict[str, tuple[str, ...]] = {
    "auth.test": (),
    "chat.delete": ("chat:write",),
    "chat.postEphemeral": ("chat:write",),
    "chat.postMessage": ("chat:write",),
    "chat.update": ("chat:write",),
    "conversations.history": _HISTORY,
    "conversations.replies": _HISTORY,
    "functions.completeError": (),
}
"""The calls that are made with the bot's token, and the scopes of each."""
APP_SCOPE = "connections:write"
"""What the app-level token of Socket Mode must be allowed."""

Mode = Literal["socket", "http"]


def manifest(mode: Mode = "socket", url: str | None = None, name: str = "Parley") -> dict[str, Any]:
    """What "Create New App > From a manifest" takes; `url` is where Slack calls in mode http."""
    address = url or "https://bot.example.com/in/slack"
    command: dict[str, Any] = {
        "command": COMMAND,
        "description": f"Ask {name}, or tell it what to do",
        "usage_hint": " | ".join((*WORDS, "your question")),
        "should_escape": False,
    }
    events: dict[str, Any] = {"bot_events": sorted(EVENTS)}
    buttons: dict[str, Any] = {"is_enabled": True}
    if mode == "http":
        command["url"] = events["request_url"] = buttons["request_url"] = address
    return {
        "display_information": {
            "name": name,
            "description": "Answers in direct messages, mentions and threads.",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": False,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": name.lower(), "always_online": True},
            "slash_commands": [command],
        },
        "oauth_config": {"scopes": {"bot": sorted(SCOPES)}},
        "settings": {
            "event_subscriptions": events,
            "interactivity": buttons,
            "org_deploy_enabled": False,
            "socket_mode_enabled": mode == "socket",
            "token_rotation_enabled": False,
        },
    }
