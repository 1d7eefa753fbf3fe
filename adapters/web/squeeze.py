"""The page's files without what only their authors need: comments, indentation, loose spaces.

No build makes these files, so what is served is made from what is written, once, at the start.
What stands in quotes, templates and regular expressions stays as it is.
"""

import re
from collections.abc import Callable, Mapping

# A regular expression begins where a value may begin; elsewhere a slash divides
_VALUE = r"(?:(?<=[(,=:\[!&|?{};>])|(?<=[(,=:\[!&|?{};>]\x20))"
_SCRIPT = re.compile(
    rf"""(?P<literal>"(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | `(?:\\.|[^`\\])*`
        | {_VALUE}/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/[a-z]*)
    | /\*.*?\*/ | //[^\n]*
    | \x20(?P<sum>[-+])\x20(?![-+])
    | \x20*(?P<mark>[=<>!&|?:;,*%(){{}}\[\]]+)(?P<rest>\s*)
    | (?P<line>\s*\n\s*)""",
    re.VERBOSE | re.DOTALL,
)
# A promise to whoever reads the source; to a browser both mean the same where nothing breaks it
_CONST = re.compile(r"\bconst\b")
_STYLE = re.compile(
    r"""(?P<literal>"[^"]*"|'[^']*')
    | /\*.*?\*/ | \s*(?P<mark>[{};,])\s* | (?P<colon>:)\x20 | (?P<space>\s+)""",
    re.VERBOSE | re.DOTALL,
)


def script(text: str) -> str:
    """JavaScript; a line still ends where a statement may end without a semicolon."""
    kept: list[str] = []
    done = 0
    for found in _SCRIPT.finditer(text):
        kept.append(_CONST.sub("let", text[done : found.start()]))
        kept.append(found["literal"] or found["sum"] or _mark(found, kept))
        done = found.end()
    return "".join([*kept, _CONST.sub("let", text[done:])]).strip()


def style(text: str) -> str:
    """CSS on one line."""
    squeezed = _STYLE.sub(_rule, text)
    return squeezed.replace(";}", "}").strip()


def page(text: str) -> str:
    """HTML without the line breaks between tags."""
    return text.replace(">\n<", "><")


SQUEEZED: Mapping[str, Callable[[str], str]] = {".css": style, ".html": page, ".js": script}
"""How the files of each kind are made smaller; the others are served as they are."""


def _mark(found: re.Match[str], kept: list[str]) -> str:
    if found["line"]:
        return "\n"
    mark: str = found["mark"] or ""
    if mark[:1] in set("}])") and not kept[-1] and len(kept) > 1:
        kept[-2] = kept[-2].removesuffix("\n").removesuffix(";" if mark[0] == "}" else "")
    ends = mark[-1:] in set(")]}>") and "\n" in found["rest"]
    return mark + "\n" if ends else mark


def _rule(found: re.Match[str]) -> str:
    return found["literal"] or found["mark"] or found["colon"] or (" " if found["space"] else "")
