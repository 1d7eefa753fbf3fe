"""How a surface tells that nobody is there any more."""


class Left(Exception):
    """The person has left by Ctrl-C."""
