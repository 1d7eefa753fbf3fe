"""What must not be found in any file of a database once it is forgotten."""

from pathlib import Path

MARKER = "xyzzy-marker-plugh"


def traces(folder: Path) -> list[str]:
    """Every file beside the database that holds the marker, in whatever encoding it is text."""
    return [path.name for path in sorted(folder.iterdir()) if MARKER.encode() in path.read_bytes()]
