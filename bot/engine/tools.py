"""A typed function that a model may call: how it is described, and how it is run."""

import asyncio
import inspect
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, Generic, overload

from pydantic import BaseModel, TypeAdapter
from typing_extensions import ParamSpec, TypeVar

from bot.domain.model import Effect, ToolSpec
from bot.domain.tool import ToolContext
from bot.engine.arguments import Used, as_used, parse
from bot.engine.finding import Lookup, look_up
from bot.engine.forking import ThisProcessOnly
from bot.engine.options import EffectName, Options, options_of, spec_of
from bot.engine.schemas import schema_of, signature_text
from bot.engine.signatures import place_of, read_signature
from bot.engine.threads import in_thread
from bot.errors import PluginError, ToolFailed

P = ParamSpec("P", default=...)
R_co = TypeVar("R_co", default=Any, covariant=True)
P2 = ParamSpec("P2")
R2 = TypeVar("R2")
M = TypeVar("M", bound=BaseModel)


class TriedToLeave(ToolFailed):
    """A function raised what would have ended the server; its cause says where."""


class Tool(Generic[P, R_co]):
    """A function and what a model is told of it; to its author it stays the plain function."""

    def __init__(
        self,
        spec: ToolSpec,
        function: Callable[P, R_co],
        *,
        parameters: type[BaseModel],
        bind: Callable[[ToolContext, str], Callable[[], object]],
        returns: TypeAdapter[Any],
        options: Options,
        plugin: str | None = None,
    ) -> None:
        self.spec = spec
        self.timeout = options.timeout
        self.lookup = options.lookup
        self.plugin = plugin or _module_of(function).rpartition(".")[2]
        self.__wrapped__ = function
        self.__doc__ = function.__doc__
        self._options = options
        self._parameters = parameters
        self._bind = bind
        self._returns = returns

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        return self.__wrapped__(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Tool {self.spec.name} from {self.source}>"

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def module(self) -> str:
        """The module that its function is written in."""
        return _module_of(self.__wrapped__)

    @property
    def source(self) -> str:
        """File and line of its function."""
        return place_of(self.__wrapped__).source

    @property
    def signature(self) -> str:
        """One line for a person."""
        return signature_text(self.spec.name, self.spec.parameters)

    @property
    def is_threaded(self) -> bool:
        """A plain function runs in a thread, which can be given up but not stopped."""
        return not _is_async(self.__wrapped__)

    def offered_by(self, plugin: str) -> "Tool[P, R_co]":
        """The same tool under the name of the plugin that the operator configured."""
        return Tool(
            self.spec,
            self.__wrapped__,
            parameters=self._parameters,
            bind=self._bind,
            returns=self._returns,
            options=self._options,
            plugin=plugin,
        )

    def as_used(self, arguments: str) -> Used:
        """A model's arguments as a person is shown them, defaults included, and as they are run.

        Raises:
            ToolRetry: the arguments are wrong; the message names the field.
            TriedToLeave: to check them tried to end the program.
        """
        with _staying(self.spec.name):
            return as_used(self._parameters, arguments)

    async def call(
        self, ctx: ToolContext, arguments: str, *, late: Callable[[], None] | None = None
    ) -> str:
        """Run it with a model's arguments and return the text that the model is given.

        `late` is called when a thread that was given up comes back after all.

        Raises:
            ToolRetry: the arguments are wrong; the message names the field.
            ToolFailed: the tool said so.
            TriedToLeave: it tried to end the program.
        """
        with _staying(self.spec.name):
            # Validators are somebody else's code as well.
            function = self._bind(ctx, arguments)
            if self.is_threaded:
                result = await in_thread(function, name=f"tool {self.spec.name}", late=late)
            else:
                result = function()
            if inspect.isawaitable(result):
                result = await ThisProcessOnly(result)
            return self._text(result)

    async def look_up(self, ctx: ToolContext) -> str | None:
        """What the call with this context's key gave; None when it surely never happened.

        Raises:
            ToolFailed: the tool has no `lookup`; it may raise anything else, too.
            TriedToLeave: it tried to end the program.
        """
        if self.lookup is None:
            raise ToolFailed(f"{self.spec.name} cannot tell what became of a call")
        with _staying(f"the lookup of {self.spec.name}"):
            found = await look_up(self.lookup, ctx)
            return None if found is None else self._text(found)

    def _text(self, result: object) -> str:
        if isinstance(result, str):
            return result
        if result is None:
            return "done"
        # Whatever a function returns against its annotation still reaches the model as JSON.
        return self._returns.dump_json(result, warnings=False, fallback=str).decode()

    @staticmethod
    def build(
        *,
        name: str,
        description: str,
        parameters: type[M],
        function: Callable[[ToolContext, M], R2],
        effect: EffectName = Effect.READ,
        needs_approval: bool = False,
        roles: Collection[str] = (),
        timeout: timedelta | float | None = None,
        private: bool = False,
        examples: Iterable[str] = (),
        lookup: Lookup | None = None,
    ) -> "Tool[[ToolContext, M], R2]":
        """Make a tool without a signature of its own, as a plugin does from its configuration.

        Raises:
            PluginError: the name, the description or an option cannot be used.
        """
        place = replace(place_of(function), function=name)
        options = options_of(
            place,
            effect=effect,
            needs_approval=needs_approval,
            roles=roles,
            timeout=timeout,
            private=private,
            examples=examples,
            lookup=lookup,
        )
        if not description.strip():
            raise PluginError(f"{place}: a tool needs a description; the model reads it")

        def bind(ctx: ToolContext, text: str) -> Callable[[], object]:
            arguments = parse(parameters, text)
            return lambda: function(ctx, arguments)

        spec = spec_of(place, name, description.strip(), schema_of(parameters), options)
        return Tool(
            spec,
            function,
            parameters=parameters,
            bind=bind,
            returns=TypeAdapter(Any),
            options=options,
        )


@overload
def tool(function: Callable[P2, R2], /) -> Tool[P2, R2]: ...


@overload
def tool(
    *,
    name: str | None = None,
    effect: EffectName = Effect.READ,
    needs_approval: bool = False,
    roles: Collection[str] = (),
    timeout: timedelta | float | None = None,
    private: bool = False,
    examples: Iterable[str] = (),
    lookup: Lookup | None = None,
) -> Callable[[Callable[P2, R2]], Tool[P2, R2]]: ...


def tool(
    function: Callable[..., Any] | None = None, /, *, name: str | None = None, **given: Any
) -> Any:
    """Offer a typed function with a docstring to the model.

    Its name, its annotations and the lines under `Args:` are the whole definition; a parameter
    annotated `ToolContext` is filled by the engine. A plain function runs in a thread.

    Raises:
        PluginError: a model could not use it as it is written; the sentence names file and line.
    """
    if function is not None:
        return _make(function, name, **given)
    return lambda function: _make(function, name, **given)


def _make(function: Callable[P2, R2], name: str | None, **given: Any) -> Tool[P2, R2]:
    place = place_of(function)
    options = options_of(place, **given)
    signature = read_signature(function)
    known_as = name or str(getattr(function, "__name__", place.function))
    spec = spec_of(place, known_as, signature.description, dict(signature.schema), options)

    def bind(ctx: ToolContext, text: str) -> Callable[[], object]:
        parsed = parse(signature.arguments, text)
        values = {known: getattr(parsed, field) for field, known in signature.fields.items()}
        if signature.context is not None:
            values[signature.context] = ctx
        called: Callable[..., object] = function
        return lambda: called(**values)

    return Tool(
        spec,
        function,
        parameters=signature.arguments,
        bind=bind,
        returns=signature.returns,
        options=options,
    )


@contextmanager
def _staying(name: str) -> Iterator[None]:
    """Within, somebody else's code may raise what it likes, and the server goes on."""
    try:
        yield
    except (asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as error:
        if isinstance(error, Exception):
            raise
        # SystemExit, KeyboardInterrupt: they would pass every guard and stop the server.
        raise TriedToLeave(f"{name} tried to end the program") from error


def _is_async(function: Callable[..., object]) -> bool:
    inner = inspect.unwrap(function)
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(
        getattr(inner, "__call__", None)  # noqa: B004  # an object whose call is async
    )


def _module_of(function: Callable[..., object]) -> str:
    return str(getattr(inspect.unwrap(function), "__module__", "") or "")
