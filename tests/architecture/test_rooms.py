"""The rules of the rooms that no linter knows; who may import whom inside is import-linter's."""

import ast
import sys
from collections.abc import Iterator

from tests.architecture.source import Source, dotted, sources

OURS = {"bot", "adapters", "plugins", "tests", "bench"}
PROGRAM = ("bot/*", "adapters/*", "plugins/*")
PURE = ("bot/domain/*", "bot/policy/*", "adapters/*/normalise.py", "adapters/*/render.py")

# The wire of the OpenAI protocol: how it is asked, its client, what its exceptions mean.
OPENAI = tuple(f"bot/models/{name}.py" for name in ("openai", "openai_client", "openai_errors"))

# Vendor package -> where it may be imported. A package that is not here has no room yet.
VENDORS = {
    "aiohttp": ("adapters/*", "plugins/*", "bot/models/openai_errors.py", "bot/app/*"),
    "alembic": ("bot/store/*",),
    "apscheduler": ("bot/scheduler*",),
    "asyncpg": ("bot/store/*", "plugins/lookup/*"),
    "httpx2": OPENAI,
    "msgspec": PROGRAM,
    "openai": ("bot/models/openai_client.py", "bot/models/openai_errors.py"),
    "prometheus_client": ("bot/metrics.py",),
    "prompt_toolkit": ("adapters/terminal/*",),
    "pydantic": PROGRAM,
    "pydantic_core": PROGRAM,
    "pydantic_settings": ("bot/config*",),
    "pyromark": ("adapters/telegram/*",),
    "rich": ("bot/cli*", "adapters/terminal/*"),
    "slack_bolt": ("adapters/slack/*",),
    "slack_sdk": ("adapters/slack/*",),
    "sqlalchemy": ("bot/store/*",),
    "sqlite3": ("bot/store/*", "plugins/lookup/*"),
    "sqlmodel": ("bot/store/*",),
    "starlette": ("bot/server.py", "adapters/web/*", "adapters/api/*"),
    "structlog": ("bot/logs.py", "bot/telemetry.py"),
    "telegram": ("adapters/telegram/*",),
    "telegramify_markdown": ("adapters/telegram/*",),
    # ParamSpec with a default is newer than Python 3.11
    "typing_extensions": ("bot/engine/tools.py",),
    "typer": ("bot/cli*",),
    "uvicorn": ("bot/serving.py",),
    "uvloop": ("bot/serving.py",),
    "wechatpy": ("adapters/wechat/*",),
    "yaml": ("bot/config*",),
}

# The process's one HTTP session is handed through these; they name its type and never use it.
TYPES_ONLY = {
    ("bot/domain/tool.py", "aiohttp"),
    ("bot/engine/parts.py", "aiohttp"),
    ("bot/ports/adapter.py", "aiohttp"),
}

PLATFORMS_AND_VENDORS = (
    *("slack", "telegram", "wechat", "weixin", "openai", "azure"),
    *("sqlite", "postgres", "sqlalchemy", "aiohttp", "httpx", "structlog", "prometheus"),
)

# (file, function) -> why everything is caught there. Design section 8 names the kinds of places;
# beside them stand a foreign import and the end of a thread, which has nobody to raise to.
BROAD_EXCEPTS = {
    ("bot/engine/answer.py", "Answering.think"): "the lane around a turn",
    ("bot/engine/closing.py", "_tried"): "the loop of a draft",
    ("bot/engine/drafting.py", "Drafting._run"): "the loop of a draft",
    ("bot/engine/lane.py", "Lane.run"): "the lane around a turn",
    ("bot/engine/listening.py", "keep_listening"): "the restart of a listener",
    ("bot/engine/looking.py", "look"): "the outbox around a send",
    ("bot/engine/outbox.py", "Delivery._try"): "the outbox around a send",
    ("bot/engine/runner.py", "Runner._run"): "the lane around a turn",
    ("bot/engine/threads.py", "_outcome_of"): "carried over from a thread, raised where awaited",
    ("bot/engine/toolbox.py", "Toolbox._came_to"): "the call of a tool",
    ("bot/engine/toolbox.py", "Toolbox._found"): "the call of a tool",
    ("bot/engine/tools.py", "_staying"): "the call of a tool: what would end the server",
    ("bot/modules.py", "import_used"): "a plugin's or an adapter's import: anybody's code",
    ("bot/probing.py", "Probing._ask"): "a probe",
    ("bot/scheduler.py", "Schedule.fire"): "the run of a tick",
    ("bot/server.py", "Site.__call__"): "the outermost ASGI wrapper",
}

# Catches everything and is silent: the error is raised again where the thread is awaited.
CARRIED_OVER = {("bot/engine/threads.py", "_outcome_of")}

# The one place that reads the machine's clock; everybody else is given `ports.Clock`.
CLOCKS = ("bot/clock.py",)
CLOCK_CALLS = {"datetime.now", "datetime.utcnow", "date.today", "time.time", "time.sleep"}


def test_the_domain_stands_on_the_standard_library_alone() -> None:
    allowed = sys.stdlib_module_names
    assert not [
        f"{source.path} imports {name}"
        for source in sources("bot/domain/*")
        for name in source.imports()
        if name.partition(".")[0] not in allowed
        and not name.startswith(("bot.domain", "bot.errors"))
        and (source.path, name) not in TYPES_ONLY
    ]


def test_what_is_pure_never_awaits() -> None:
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert not [
        f"{source.path}:{node.lineno}"
        for source in sources(*PURE)
        for node in ast.walk(source.tree)
        if isinstance(node, waiting)
    ]


def test_the_engine_names_no_platform_and_no_vendor() -> None:
    assert not [
        f"{source.path}:{line} says {word}"
        for source in sources("bot/engine/*", "bot/policy/*", "bot/ports/*")
        for line, word in _words(source)
        if any(name in word.lower() for name in PLATFORMS_AND_VENDORS)
    ]


def test_a_vendor_is_imported_only_in_its_room() -> None:
    assert not [
        f"{source.path} imports {name}"
        for source in sources(*PROGRAM)
        for name in source.imports()
        if _is_foreign(name) and not _is_at_home(source, name)
    ]


def test_only_types_are_taken_from_what_is_named_for_its_type() -> None:
    assert not [
        f"{source.path} imports {node.module} when it runs"
        for source in sources(*(path for path, _ in TYPES_ONLY))
        for node in source.tree.body
        if isinstance(node, ast.ImportFrom) and (source.path, node.module) in TYPES_ONLY
    ]


def test_everything_is_caught_only_where_foreign_code_is_called() -> None:
    found = {place for source in sources(*PROGRAM) for place in _broad_excepts(source)}
    assert found == BROAD_EXCEPTS.keys()


def test_what_is_caught_as_a_last_resort_is_reported_or_raised_again() -> None:
    assert not [
        f"{source.path}:{handler.lineno} in {function}"
        for source in sources(*PROGRAM)
        for function, handler in _with_function(source.tree, "")
        if isinstance(handler, ast.ExceptHandler) and _catches_all(handler)
        if (source.path, function) not in CARRIED_OVER and not _speaks(handler)
    ]


def test_time_comes_from_an_injected_clock() -> None:
    assert not [
        f"{source.path}:{node.lineno} calls {dotted(node.func)}"
        for source in sources(*PROGRAM)
        if not source.is_in(*CLOCKS)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and _ends_with(dotted(node.func), CLOCK_CALLS)
    ]


def test_the_public_names_of_bot_are_exactly_what_it_imports() -> None:
    (root,) = sources("bot/__init__.py")
    bound = {
        alias.asname or alias.name
        for node in root.tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    exported = [
        name
        for node in root.tree.body
        if isinstance(node, ast.Assign) and dotted(node.targets[0]) == "__all__"
        for name in ast.literal_eval(node.value)
    ]
    assert sorted(bound) == sorted(exported)


def test_tests_wait_for_conditions_and_stand_on_fakes() -> None:
    assert not [
        f"{source.path}:{node.lineno} calls {dotted(node.func)}"
        for source in sources("tests/*")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and (_ends_with(dotted(node.func), {"monkeypatch.setattr"}) or _sleeps(source, node))
    ]


def _is_foreign(name: str) -> bool:
    top = name.partition(".")[0]
    return top in VENDORS or (top not in OURS and top not in sys.stdlib_module_names)


def _is_at_home(source: Source, name: str) -> bool:
    rooms = VENDORS.get(name.partition(".")[0], ())
    return source.is_in(*rooms) or (source.path, name) in TYPES_ONLY


def _words(source: Source) -> Iterator[tuple[int, str]]:
    """Names and strings; comments and docstrings may tell why with an example."""
    docstrings = {
        id(node.value)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(source.tree):
        match node:
            case ast.Name(id=word) | ast.Attribute(attr=word) | ast.arg(arg=word):
                yield node.lineno, word
            case ast.Constant(value=str(word)) if id(node) not in docstrings:
                yield node.lineno, word
            case ast.FunctionDef(name=word) | ast.AsyncFunctionDef(name=word):
                yield node.lineno, word
            case ast.ClassDef(name=word):
                yield node.lineno, word
            case _:
                pass


def _broad_excepts(source: Source) -> Iterator[tuple[str, str]]:
    for function, node in _with_function(source.tree, ""):
        match node:
            case ast.ExceptHandler() if _catches_all(node):
                yield source.path, function
            case ast.Call(func=called, args=caught) if dotted(called).endswith("suppress"):
                if any(map(_is_broad, caught)):
                    yield source.path, function
            case _:
                pass


def _catches_all(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or _is_broad(handler.type)


def _speaks(handler: ast.ExceptHandler) -> bool:
    return any(
        isinstance(node, ast.Raise)
        or (isinstance(node, ast.Call) and dotted(node.func).endswith("observer.failed"))
        for node in ast.walk(handler)
    )


def _is_broad(caught: ast.expr) -> bool:
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(dotted(name) in {"Exception", "BaseException"} for name in names)


def _with_function(node: ast.AST, function: str) -> Iterator[tuple[str, ast.AST]]:
    """Every node with the dotted name of the function or class that it stands in."""
    for child in ast.iter_child_nodes(node):
        inner = function
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{function}.{child.name}".lstrip(".")
        yield inner, child
        yield from _with_function(child, inner)


def _ends_with(name: str, calls: set[str]) -> bool:
    return any(name == call or name.endswith(f".{call}") for call in calls)


def _sleeps(source: Source, call: ast.Call) -> bool:
    """`sleep(0)` lets others run; any longer one waits for luck. Peers may be slow on purpose."""
    if not source.path.rpartition("/")[2].startswith("test_"):
        return False
    zero = call.args and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0
    return dotted(call.func).endswith("sleep") and not zero
