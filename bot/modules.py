"""Import what a `use` in the configuration names: a dotted module or a `.py` file."""

import importlib
import importlib.util
import pkgutil
import re
import sys
import traceback
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from zlib import crc32

from bot.errors import ConfigError

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def import_used(use: str, folder: Path) -> ModuleType:
    """Import a module; a path starts in `folder`.

    Raises:
        ConfigError: why it could not be imported, with file and line where there is one.
    """
    path = folder / use if use.endswith(".py") else None
    if path is not None and not path.is_file():
        raise ConfigError(f"there is no file {path}")
    if path is None and not _DOTTED.fullmatch(use):
        raise ConfigError("write a dotted module (plugins.clock) or the path of a .py file")
    try:
        return _import_file(path) if path else importlib.import_module(use)
    except ConfigError:
        raise
    except ModuleNotFoundError as error:
        raise ConfigError(f"{_not_found(use, error)}{_where(error)}") from error
    except SyntaxError as error:
        where = f"{error.filename} line {error.lineno}"
        raise ConfigError(f"it is no valid Python: {error.msg} at {where}") from error
    # Foreign code runs here: whatever it raises, the operator needs file and line.
    except (Exception, SystemExit) as error:
        raise ConfigError(f"importing it failed: {_words(error)}{_where(error)}") from error


def _import_file(path: Path) -> ModuleType:
    # Two folders may both hold an orders.py; the last part is what an operator calls the plugin.
    name = f"file_{crc32(str(path.resolve()).encode()):08x}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Annotations are looked up through sys.modules while the file runs.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _not_found(use: str, error: ModuleNotFoundError) -> str:
    missing = error.name or ""
    if use != missing and not use.startswith(f"{missing}."):
        return f"it needs the package {missing}, which is not installed here"
    package, _, name = use.partition(".")
    known = _members(package)
    near = get_close_matches(name, known, n=1)
    if near:
        return f"there is no such module; did you mean {package}.{near[0]}?"
    return f"there is no such module{f'; {package} has ' + ', '.join(known) if known else ''}"


def _members(package: str) -> list[str]:
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    return sorted(found.name for found in pkgutil.iter_modules(folders or ()))


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _where(error: BaseException) -> str:
    """The deepest line that still lies in the module's own folder, not in a library it called."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename != __file__ and "importlib" not in frame.filename
    ]
    if not frames:
        return ""
    folder = Path(frames[0].filename).parent
    frame = [frame for frame in frames if Path(frame.filename).is_relative_to(folder)][-1]
    return f" at {frame.filename} line {frame.lineno}"
