"""Slack's own codes for what is wrong, in words that say where to mend it."""

from collections.abc import Mapping

from bot import Said

_REINSTALLED = (
    "install the app again under Install App and copy the new token",
    "请在 Install App 中重新安装并复制新的令牌",
)

TOKENS: Mapping[str, Said] = {
    "account_inactive": Said(
        f"the app was uninstalled from this workspace, or the workspace is gone: {_REINSTALLED[0]}",
        f"应用已从该工作区卸载，或工作区已不存在：{_REINSTALLED[1]}",
    ),
    "app_uninstalled": Said(
        f"the app was uninstalled from this workspace: {_REINSTALLED[0]}",
        f"应用已从该工作区卸载：{_REINSTALLED[1]}",
    ),
    "token_revoked": Said(
        f"the token was revoked: {_REINSTALLED[0]}",
        f"令牌已被吊销：{_REINSTALLED[1]}",
    ),
    "tokens_revoked": Said(
        f"the token was revoked: {_REINSTALLED[0]}",
        f"令牌已被吊销：{_REINSTALLED[1]}",
    ),
    "token_expired": Said(
        "the token has expired: switch token rotation off for this app and copy the token again",
        "令牌已过期：请为该应用关闭令牌轮换(token rotation)，然后重新复制令牌",
    ),
    "not_allowed_token_type": Said(
        "this is a token of another kind: bot_token begins with xoxb-, app_token with xapp-",
        "这是另一种令牌：bot_token 以 xoxb- 开头，app_token 以 xapp- 开头",
    ),
    "team_access_not_granted": Said(
        "the organisation has not granted the app this workspace: ask an organisation admin to "
        "add it",
        "组织尚未允许该应用进入此工作区：请组织管理员添加",
    ),
    "access_denied": Said(
        "Slack denies access to this app: ask a workspace admin to approve it",
        "Slack 拒绝此应用访问：请工作区管理员批准",
    ),
}
"""What keeps a token from opening anything."""

OUTSIDE: Mapping[str, Said] = {
    "removed": Said("the bot was removed from it", "机器人已被移出"),
    "not_in_channel": Said("the bot is not in it", "机器人不在其中"),
    "channel_not_found": Said("the bot is not in it, or it is gone", "机器人不在其中，或已不存在"),
    "user_not_in_channel": Said("the person who asked is not in it", "提问者不在其中"),
    "is_archived": Said("it is archived", "已归档"),
    "restricted_action": Said(
        "a rule of the workspace lets nobody post there", "工作区规则不允许在此发言"
    ),
    "messages_tab_disabled": Said(
        "the app's messages tab is off: switch it on under App Home > Show Tabs",
        "应用的 Messages 标签页已关闭：请在 App Home > Show Tabs 中打开",
    ),
}
"""What keeps the bot from writing in a channel."""

INVITABLE = frozenset({"removed", "not_in_channel", "channel_not_found"})
"""Of these, what an invitation mends."""

DISCONNECTS: Mapping[str, Said] = {
    "link_disabled": Said(
        "Socket Mode was switched off for this app: switch it on under Settings > Socket Mode, "
        "or take `mode: http`",
        "此应用的 Socket Mode 已关闭：请在 Settings > Socket Mode 中打开，或改用 `mode: http`",
    ),
    "too_many_websockets": Said(
        "too many sockets are open for this app (Slack allows ten): stop other programs that use "
        "its app_token",
        "此应用打开的连接过多(Slack 最多允许十个)：请停止使用同一 app_token 的其他程序",
    ),
}
"""Why Slack closes a socket for longer than a moment."""
