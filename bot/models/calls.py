"""Tool calls joined from fragments, by what providers really send."""

from typing import Any

import msgspec

from bot.errors import Transient


class _Call:
    __slots__ = ("arguments", "id", "index", "is_guess", "name")

    def __init__(self, index: int | None, id: str, name: str, arguments: str) -> None:
        self.index = index
        self.id = id
        self.name = name
        self.arguments = arguments
        self.is_guess = False
        """Begun without a name of its own, behind arguments that were whole."""


class Calls:
    """The calls of one answer.

    A fragment belongs to the call of its index. Where the index is missing or says too little,
    the id decides, and then whether the arguments so far are already whole. Ids and names come
    once, again and again, empty or as null: the first that is not empty stands. An empty object
    as the head of arguments is left out, and arguments that are told again make no second call.
    """

    __slots__ = ("_calls", "_step")

    def __init__(self, step: int) -> None:
        self._calls: list[_Call] = []
        self._step = step

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, index: int | None, id: str | None, name: str | None, arguments: Any) -> None:
        """Put a fragment where it belongs."""
        text = _as_text(arguments)
        call = self._known(index, id or "")
        if call is None or _begins(call, index, id or "", name or "", text):
            self.put(id, name or (call.name if call is not None else ""), arguments, index=index)
            self._calls[-1].is_guess = call is not None and not name
            return
        call.id = call.id or id or ""
        call.name = call.name or name or ""
        if _is_empty(call.arguments) and text.lstrip().startswith("{"):
            call.arguments = ""
        call.arguments += text

    def put(
        self, id: str | None, name: str | None, arguments: Any, *, index: int | None = None
    ) -> None:
        """Take a call that comes as one, or the head of one."""
        self._calls.append(_Call(index, id or "", name or "", _as_text(arguments)))

    def joined(self, rung: str) -> list[tuple[str, str, str]]:
        """Id, name and arguments of each; ids are unique, arguments never empty.

        Raises:
            Transient: a call has no name.
        """
        seen: set[str] = set()
        joined: list[tuple[str, str, str]] = []
        for number, call in enumerate(self._made(), start=1):
            if not call.name:
                raise Transient(f"{rung}: a tool call without a name")
            id = call.id
            if not id or id in seen:
                id = f"{id or 'call'}_{self._step}_{number}"
            seen.add(id)
            joined.append((id, call.name, _arguments(call.arguments)))
        return joined

    def _made(self) -> list[_Call]:
        """Those that are made: one that only says again what stands before it is none."""
        made: list[_Call] = []
        for call in self._calls:
            before = next((one for one in reversed(made) if one.index == call.index), None)
            if before is None or not _is_told_again(call, before):
                made.append(call)
        return made

    def _known(self, index: int | None, id: str) -> _Call | None:
        if index is not None:
            # The newest: Gemini's compatible endpoint gives every parallel call the index 0.
            return next((call for call in reversed(self._calls) if call.index == index), None)
        if id:
            named = next((call for call in self._calls if call.id == id), None)
            if named is not None:
                return named
        return self._calls[-1] if self._calls else None


def _begins(call: _Call, index: int | None, id: str, name: str, arguments: str) -> bool:
    """Whether a fragment that points at this call is the head of another one."""
    if not call.name:
        return False
    if name and name != call.name:
        return True
    # vLLM has sent a fresh id, and no name, with every fragment of one call.
    if name and id and call.id and id != call.id:
        return not call.arguments or _is_whole(call.arguments)
    if not arguments.lstrip().startswith("{"):
        return False
    # Some gateways to Claude have put an empty object before the arguments of a call.
    is_same = _is_empty(call.arguments) or (id != "" and id == call.id)
    if is_same and (index is not None or not name):
        return False
    return _is_whole(call.arguments)


def _is_told_again(call: _Call, before: _Call) -> bool:
    # vLLM's xlam parser sends all of the arguments once more at the end (vllm-project/vllm#51697),
    # others an empty object. Whoever makes a second call at the same index names it (Gemini).
    if not call.is_guess or call.name != before.name:
        return False
    return _is_empty(call.arguments) or _value(call.arguments) == _value(before.arguments)


def _as_text(arguments: Any) -> str:
    """Some servers send the object itself instead of its JSON text."""
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return msgspec.json.encode(arguments).decode()


def _is_empty(arguments: str) -> bool:
    return arguments.strip() in {"{}", "null"}


def _is_whole(arguments: str) -> bool:
    # Asked of every fragment that begins with a brace: what can be told without reading is.
    if not arguments.rstrip().endswith(("}", "null")):
        return False
    try:
        msgspec.json.decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _value(arguments: str) -> str:
    """The arguments in one form, however they are spaced and ordered."""
    text = _arguments(arguments)
    try:
        return msgspec.json.encode(msgspec.json.decode(text), order="sorted").decode()
    except (msgspec.DecodeError, RecursionError):
        return text


def _arguments(text: str) -> str:
    """Providers send nothing, or null, for a tool without parameters."""
    stripped = text.strip()
    return "{}" if stripped in {"", "null"} else stripped
