"""What a platform does with a message that is not taken at once."""

from enum import StrEnum


class Patience(StrEnum):
    """How long it keeps it."""

    KEEPS = "keeps"
    """It comes again until it is taken: for a day, or until the person gives up themselves."""

    FEW_REFUSALS = "few_refusals"
    """It comes again within a minute and then no more, and too many refusals make it turn away."""

    NONE = "none"
    """It comes again within seconds, if at all: what is not taken now is lost."""
