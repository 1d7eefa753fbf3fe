"""What the commands say, in English and Chinese; the language is the shell's."""

import os
from collections.abc import Mapping

_CATALOGUE: Mapping[str, tuple[str, str]] = {
    "about": (
        "Parley: one conversation engine for Slack, Telegram, WeChat and the web.",
        "Parley：同时服务 Slack、Telegram、微信和网页的对话引擎。",
    ),
    "about_config": (
        "Configuration file; else $PARLEY_CONFIG, else ./config.yaml if there.",
        "配置文件；缺省为 $PARLEY_CONFIG，其次是当前目录下的 config.yaml。",
    ),
    "about_tenant": ("Whose data.", "属于哪个租户。"),
    "about_serve": ("Run the server until Ctrl-C.", "运行服务，按 Ctrl-C 停止。"),
    "about_chat": (
        "Talk in the terminal, with the running server or without one.",
        "在终端里对话，无论服务是否在运行。",
    ),
    "about_name": ("Who is talking; your user name if absent.", "对话者的名字，缺省为系统用户名。"),
    "about_init": (
        "Ask a few questions and write a small configuration file.",
        "回答几个问题，生成一份简短的配置文件。",
    ),
    "about_check": (
        "Show every setting with its source, and ask everything how it is.",
        "显示每项设置及其来源，并检查所有部分是否正常。",
    ),
    "about_migrate": (
        "Bring the database to this version's schema.",
        "把数据库升级到当前版本的结构。",
    ),
    "about_history": (
        "Show what a person said and was told (platform:account:id).",
        "显示某人说过和得到的内容（platform:account:id）。",
    ),
    "about_limit": ("The newest entries, at most.", "最多显示最近多少条。"),
    "about_rows": ("The oldest rows, at most.", "最多列出最早的多少条。"),
    "more_rows": (
        "… and more: --limit {limit} shows twice as many.",
        "……还有更多：--limit {limit} 可显示两倍的条数。",
    ),
    "bad_state": (
        "--state {state}: there is no such state; write one of {known}",
        "--state {state}：没有这种状态，可用的有 {known}",
    ),
    "bad_sender": (
        "{text}: a person has the form platform:account:id, like telegram:BOT:SENDER",
        "{text}：人的形式是 platform:account:id，例如 telegram:BOT:SENDER",
    ),
    "bad_address": (
        "{text}: an address has the form platform:account:chat or …:chat:thread",
        "{text}：地址的形式是 platform:account:chat 或 …:chat:thread",
    ),
    "none_given_up": (
        "Nothing was given up: there is nothing to retry.",
        "没有已放弃的，无需重试。",
    ),
    "about_erase": (
        "Delete a conversation for good (ADDRESS: platform:account:chat).",
        "永久删除一个对话（ADDRESS：platform:account:chat）。",
    ),
    "about_yes": ("Do not ask.", "不再询问，直接执行。"),
    "about_status": (
        "Tell which servers run, and what waits.",
        "显示哪些服务在运行，以及有多少消息在等待。",
    ),
    "about_version": ("Print the version.", "显示版本。"),
    "about_plugins": ("The functions that the model may call.", "模型可以调用的函数。"),
    "about_plugin_list": (
        "Show each function with its signature, effect, audiences and source.",
        "列出每个函数的签名、效果、受众和来源。",
    ),
    "about_inbox": (
        "Messages that wait, or were given up.",
        "等待处理或已放弃的消息。",
    ),
    "about_inbox_list": (
        "List them: those that wait, and those that three crashes were the end of.",
        "列出它们：等待中的，以及连续三次崩溃后放弃的。",
    ),
    "about_inbox_show": ("Show one (ID as in the list).", "显示一条（ID 见列表）。"),
    "about_inbox_retry": (
        "Have one that was given up answered after all; look at a waiting one now.",
        "重新处理已放弃的消息；立即查看等待中的消息。",
    ),
    "about_inbox_drop": ("Leave one without an answer.", "不作回答，直接丢弃一条。"),
    "about_text": ("With its words, too.", "同时显示其文字内容。"),
    "about_outbox": ("Answers that have not been sent.", "尚未发送的回答。"),
    "about_outbox_list": ("List them, dead letters included.", "列出它们，包括已放弃的。"),
    "about_state": ("Only this state; may be repeated.", "只列出这种状态，可重复使用。"),
    "about_outbox_show": ("Show one (ID as in the list).", "显示一条（ID 见列表）。"),
    "about_outbox_retry": ("Send dead or held ones again.", "重新发送已放弃或被搁置的。"),
    "about_all": ("Every dead letter.", "所有已放弃的。"),
    "about_outbox_drop": ("Delete one without sending it.", "不发送，直接删除一条。"),
    "about_slack": ("Setting up a Slack app.", "设置 Slack 应用。"),
    "about_manifest": (
        "Print what Slack's “Create an app from a manifest” takes.",
        "输出 Slack“从 manifest 创建应用”所需的内容。",
    ),
    "about_mode": ("socket needs no address; http does.", "socket 不需要地址，http 需要。"),
    "about_url": (
        "Where Slack calls in mode http: <public_url>/in/<adapter>.",
        "http 模式下 Slack 调用的地址：<public_url>/in/<适配器>。",
    ),
    "about_app_name": ("What the app is called.", "应用的名称。"),
    "configuration": ("configuration: {path}", "配置：{path}"),
    "no_file": ("no file, all defaults", "没有文件，全部使用默认值"),
    "ok": ("ok", "正常"),
    "wrong": ("wrong", "异常"),
    "all_well": ("Everything is in order.", "一切正常。"),
    "in_server": ("{name} (server)", "{name}（服务端）"),
    "some_wrong": ("{count} of {all} need your attention.", "{all} 项中有 {count} 项需要处理。"),
    "migrated": ("The database has the schema of this version.", "数据库结构已是当前版本。"),
    "nothing_said": (
        "Nothing is kept of {sender}.",
        "没有保存 {sender} 的任何内容。",
    ),
    "erase_sure": (
        "Delete everything that was said at {address}? It cannot be undone.",
        "删除 {address} 的全部内容？此操作无法撤销。",
    ),
    "erased": ("Deleted: {address}.", "已删除：{address}。"),
    "not_erased": ("There is no conversation at {address}.", "{address} 没有对话。"),
    "kept": ("Nothing was changed.", "没有做任何改动。"),
    "outbox_empty": ("Nothing waits to be sent.", "没有等待发送的回答。"),
    "retried": ("{id}: due now.", "{id}：将立即发送。"),
    "dropped": ("{id}: deleted.", "{id}：已删除。"),
    "not_retried": (
        "{id}: there is no dead or held answer of this name.",
        "{id}：没有这个名称的已放弃或被搁置的回答。",
    ),
    "not_dropped": (
        "{id}: there is nothing of this name that could be deleted.",
        "{id}：没有可删除的同名回答。",
    ),
    "not_there": (
        "{id}: there is no unsent answer of this name.",
        "{id}：没有这个名称的未发送回答。",
    ),
    "name_one": ("Name at least one ID, or use --all.", "请至少给出一个 ID，或使用 --all。"),
    "bad_id": (
        "{id}: an ID has the form conversation/turn/piece, as in parley outbox list.",
        "{id}：ID 的形式是 对话/轮次/片段，见 parley outbox list。",
    ),
    "inbox_empty": ("No message waits, and none was given up.", "没有等待或已放弃的消息。"),
    "taken_again": ("{id}: will be answered now.", "{id}：将立即处理。"),
    "message_not_there": (
        "{id}: no message of this name waits or was given up.",
        "{id}：没有这个编号的等待中或已放弃的消息。",
    ),
    "bad_message_id": (
        "{id}: an ID is a number, as in parley inbox list.",
        "{id}：ID 是一个数字，见 parley inbox list。",
    ),
    "crashed_thrice": ("in flight at three crashes", "三次崩溃时都在处理中"),
    "hidden_text": (
        "{count} characters; --text shows them.",
        "{count} 个字符；加 --text 显示内容。",
    ),
    "made_at": ("made: {at}", "生成：{at}"),
    "received_at": ("received: {at}", "收到：{at}"),
    "by_adapter": ("through: {adapter}, from: {sender}", "经由：{adapter}，发送者：{sender}"),
    "due_at": ("next try: {at}", "下次尝试：{at}"),
    "expires_at": ("expires: {at}", "过期：{at}"),
    "repeated_times": ("sent again: {count}", "已重发：{count}"),
    "because": ("because: {why}", "原因：{why}"),
    "unsure_calls": (
        "calls of which nobody knows whether they were done (when, function, turn, key):",
        "无法确定是否已执行的调用（时间、函数、轮次、键）：",
    ),
    "no_database": (
        "There is no database yet; parley serve makes it.",
        "还没有数据库；parley serve 会创建它。",
    ),
    "runs": ("server: running (process {pid})", "服务：正在运行（进程 {pid}）"),
    "runs_not": ("server: not running on this database", "服务：没有在这个数据库上运行"),
    "node_runs": (
        "server {name}: running, conversations in hand: {held}",
        "服务 {name}：正在运行，处理中的对话：{held}",
    ),
    "node_silent": (
        "server {name}: SILENT, its lease ended {when}, conversations to take over: {held}",
        "服务 {name}：无响应，租约已于 {when} 到期，待接管的对话：{held}",
    ),
    "node_stopped": (
        "server {name}: stopped, conversations to take over: {held}",
        "服务 {name}：已停止，待接管的对话：{held}",
    ),
    "database": ("database: {url}", "数据库：{url}"),
    "waiting": (
        "messages waiting: {waiting}, given up: {dead}",
        "等待中的消息：{waiting}，已放弃：{dead}",
    ),
    "unsent": ("answers not sent: {states}", "未发送的回答：{states}"),
    "none": ("none", "无"),
    "size": ("size: {size}", "大小：{size}"),
    "unexpected_gone": (
        "The server went away. Look with: parley status",
        "服务已断开。请查看：parley status",
    ),
    "engine_ended": (
        "The engine of this chat has stopped ({why}). What it had accepted is kept; "
        "start parley chat again to go on.",
        "对话引擎已停止（{why}）。已接收的消息都已保存；请重新运行 parley chat 继续。",
    ),
    "everyone": ("everyone", "所有人"),
    "no_audience": ("nobody", "无"),
    "not_loaded": ("NOT LOADED", "未加载"),
    "no_tools": ("No plugin is configured.", "没有配置插件。"),
    "approval": ("asks first", "需确认"),
    "only_roles": ("only for {roles}", "仅限 {roles}"),
    "waits": ("waiting", "等待中"),
}


def spoken() -> str | None:
    """The language of the shell, `en` or `zh`; None where it shows none that we speak."""
    shown = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    return shown[:2] if shown[:2] in {"en", "zh"} else None


def locale() -> str:
    """The language that commands speak."""
    return spoken() or "en"


def words(name: str, /, **values: object) -> str:
    """The sentence of that name, filled, in the shell's language."""
    return words_in(locale(), name, **values)


def words_in(language: str, name: str, /, **values: object) -> str:
    """The same in another language."""
    english, chinese = _CATALOGUE[name]
    return (chinese if language == "zh" else english).format(**values)
