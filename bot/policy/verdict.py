"""What a policy decided: yes, yes once the person agrees, or no with its reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allow:
    """Go on."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Go on after the person's own yes to exactly this."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """No. `sentence` is a name in `domain/sentences.py` that `values` fill: what a person reads.

    `reason` is for the operator and the model, in English, without text of the conversation.
    """

    sentence: str
    reason: str
    values: tuple[tuple[str, str], ...] = ()


Verdict = Allow | Ask | Refuse
