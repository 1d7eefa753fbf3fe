"""What a strict provider refuses, in its own words. Pure: None, or a `Problem`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from tests.peers.log import Json
from tests.peers.model_answers import Dialect

ROLES = ("system", "developer", "user", "assistant", "tool")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
SPEAKER = re.compile(r"[^\s<|\\/>]{1,64}")
MAX_TOOLS = 128
MAX_TOP_LOGPROBS = 20
PARAMETERS = frozenset(
    "model messages stream stream_options tools tool_choice parallel_tool_calls temperature top_p "
    "n stop max_tokens max_completion_tokens presence_penalty frequency_penalty logit_bias "
    "logprobs top_logprobs user seed response_format reasoning_effort verbosity store metadata "
    "service_tier modalities prediction safety_identifier prompt_cache_key thinking "
    "enable_thinking extra_body".split()
)
PARTS = frozenset("text image_url input_audio file refusal".split())


@dataclass(frozen=True, slots=True)
class Problem:
    """A 4xx with the provider's error object."""

    message: str
    param: str | None = None
    code: str | None = None
    status: int = 400
    type: str = "invalid_request_error"

    def as_json(self) -> Json:
        """The body on the wire."""
        error = {"message": self.message, "type": self.type, "param": self.param}
        return {"error": {**error, "code": self.code}}


def check(body: Json, *, budget: int | None, dialect: Dialect) -> Problem | None:
    """The first thing that is wrong with a request, in the order in which a provider looks."""
    for problem in _problems(body, budget, dialect):
        return problem
    return None


def tokens_of(body: Json) -> int:
    """The size of a prompt: four characters are a token."""
    return (_size(body.get("messages")) + _size(body.get("tools"))) // 4


def _size(value: object) -> int:
    # A letter is a letter, whatever its bytes: decode what was encoded without escapes.
    return 0 if value is None else len(msgspec.json.encode(value).decode())


def _problems(body: Json, budget: int | None, dialect: Dialect) -> Iterator[Problem]:
    yield from _check_parameters(body)
    yield from _check_tools(body)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        yield Problem("[] is too short - 'messages'", "messages")
        return
    for index, message in enumerate(messages):
        yield from _check_message(index, message)
    yield from _check_order(messages)
    if dialect.reasoning_back == "demanded":
        yield from _check_reasoning(messages)
    yield from _check_length(body, budget)


def _check_parameters(body: Json) -> Iterator[Problem]:
    for name in body:
        if name not in PARAMETERS:
            yield Problem(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    if not isinstance(body.get("model"), str) or not body["model"]:
        yield Problem("you must provide a model parameter")
    if body.get("stream_options") is not None and not body.get("stream"):
        reason = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        yield Problem(reason, "stream_options")
    if "max_tokens" in body and "max_completion_tokens" in body:
        yield Problem(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            "max_tokens",
        )
    for name, low, high in (("temperature", 0, 2), ("top_p", 0, 1)):
        value = body.get(name)
        if value is not None and not (isinstance(value, int | float) and low <= value <= high):
            reason = f"Invalid '{name}': expected a number between {low} and {high}."
            yield Problem(reason, name, "invalid_value")


def _check_tools(body: Json) -> Iterator[Problem]:
    tools = body.get("tools")
    if tools is None:
        for name in ("tool_choice", "parallel_tool_calls"):
            if body.get(name) is not None:
                reason = f"'{name}' is only allowed when 'tools' are specified."
                yield Problem(reason, name)
        return
    if not isinstance(tools, list) or not tools:
        yield Problem("[] is too short - 'tools'", "tools", "empty_array")
        return
    if len(tools) > MAX_TOOLS:
        reason = f"Invalid 'tools': array too long. Expected at most {MAX_TOOLS}."
        yield Problem(reason, "tools", "array_above_max_length")
    names: set[str] = set()
    for index, tool in enumerate(tools):
        yield from _check_tool(index, tool, names)
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("function", {}).get("name") not in names:
        yield Problem("Tool choice names a tool that is not in 'tools'.", "tool_choice")


def _check_tool(index: int, tool: Json, names: set[str]) -> Iterator[Problem]:
    at = f"tools[{index}].function"
    function = tool.get("function") if tool.get("type") == "function" else None
    if not isinstance(function, dict):
        yield Problem(f"Missing required parameter: '{at}'.", at, "missing_required_parameter")
        return
    name = function.get("name")
    if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
        reason = (
            f"Invalid '{at}.name': string does not match pattern. Expected a string that matches "
            "the pattern '^[a-zA-Z0-9_-]+$'."
        )
        yield Problem(reason, f"{at}.name", "invalid_value")
        return
    if name in names:
        yield Problem(f"Tool names must be unique: '{name}'.", f"{at}.name", "invalid_value")
    names.add(name)
    schema = function.get("parameters", {"type": "object"})
    kind = schema.get("type") if isinstance(schema, dict) else None
    if kind != "object":
        reason = (
            f"Invalid schema for function '{name}': schema must be a JSON Schema of "
            f"'type: \"object\"', got 'type: \"{kind}\"'."
        )
        yield Problem(reason, f"{at}.parameters", "invalid_function_parameters")


def _check_message(index: int, message: object) -> Iterator[Problem]:
    at = f"messages[{index}]"
    if not isinstance(message, dict):
        yield Problem(f"Invalid type for '{at}': expected an object.", at, "invalid_type")
        return
    role = message.get("role")
    if role not in ROLES:
        supported = ", ".join(f"'{known}'" for known in ROLES)
        reason = f"Invalid value: '{role}'. Supported values are: {supported}."
        yield Problem(reason, f"{at}.role", "invalid_value")
        return
    name = message.get("name")
    if name is not None and not (isinstance(name, str) and SPEAKER.fullmatch(name)):
        reason = (
            f"Invalid '{at}.name': string does not match pattern. Expected a string that matches "
            "the pattern '^[^\\s<|\\\\/>]+$'."
        )
        yield Problem(reason, f"{at}.name", "invalid_value")
    yield from _check_content(at, role, message)
    for number, call in enumerate(message.get("tool_calls") or ()):
        yield from _check_call(f"{at}.tool_calls[{number}]", call)


def _check_content(at: str, role: str, message: Json) -> Iterator[Problem]:
    content = message.get("content")
    if content is None:
        if role != "assistant" or not message.get("tool_calls"):
            reason = f"Invalid value for 'content': expected a string, got null ({at})."
            yield Problem(reason, f"{at}.content")
        return
    if isinstance(content, list):
        for part in content:
            if not isinstance(part, dict) or part.get("type") not in PARTS:
                yield Problem(f"Invalid part in '{at}.content'.", f"{at}.content", "invalid_value")
        return
    if not isinstance(content, str):
        reason = f"Invalid type for '{at}.content': expected a string or an array of objects."
        yield Problem(reason, f"{at}.content", "invalid_type")


def _check_call(at: str, call: Json) -> Iterator[Problem]:
    function = call.get("function") or {}
    if call.get("type") != "function" or not call.get("id"):
        yield Problem(f"Missing required parameter: '{at}.id' or '{at}.type'.", at)
    if not TOOL_NAME.fullmatch(str(function.get("name", ""))):
        yield Problem(f"Invalid '{at}.function.name': string does not match pattern.", at)
    try:
        msgspec.json.decode(function["arguments"], type=dict)
    except (KeyError, TypeError, msgspec.DecodeError):
        # Several providers parse what they once wrote themselves, and refuse what is no object.
        yield Problem(f"Invalid '{at}.function.arguments': not a JSON object.", at)


def _check_order(messages: list[Json]) -> Iterator[Problem]:
    open_calls: list[str] = []
    seen: set[str] = set()
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            if message.get("tool_call_id") not in open_calls:
                yield _stray(index)
                return
            open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            break
        open_calls = [call["id"] for call in message.get("tool_calls") or ()]
        if len(set(open_calls)) < len(open_calls) or seen & set(open_calls):
            yield Problem(f"Duplicate tool call id in messages[{index}].", f"messages[{index}]")
        seen.update(open_calls)
    if open_calls:
        reason = (
            "An assistant message with 'tool_calls' must be followed by tool messages responding "
            "to each 'tool_call_id'. The following tool_call_ids did not have response messages: "
            + ", ".join(open_calls)
        )
        yield Problem(reason, "messages")


def _stray(index: int) -> Problem:
    reason = (
        "Invalid parameter: messages with role 'tool' must be a response to a preceeding message "
        "with 'tool_calls'."
    )
    return Problem(reason, f"messages.[{index}].role")


def _check_reasoning(messages: list[Json]) -> Iterator[Problem]:
    last_user = max((i for i, m in enumerate(messages) if m["role"] == "user"), default=-1)
    for index, message in enumerate(messages):
        given = message.get("reasoning_content")
        if index > last_user and message.get("tool_calls") and not given:
            reason = "The reasoning_content in the thinking mode must be passed back to the API."
            yield Problem(reason, f"messages[{index}]")
        if index < last_user and given:
            reason = "reasoning_content of earlier turns must not be passed back to the API."
            yield Problem(reason, f"messages[{index}]")


def _check_length(body: Json, budget: int | None) -> Iterator[Problem]:
    size = tokens_of(body)
    if budget is not None and size > budget:
        reason = (
            f"This model's maximum context length is {budget} tokens. However, your messages "
            f"resulted in {size} tokens. Please reduce the length of the messages."
        )
        yield Problem(reason, "messages", "context_length_exceeded")
