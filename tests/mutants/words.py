"""What people say while something is under way: a yes, a second message, an edit."""

from tests.mutants.mutant import mutant

INTERRUPTING = "tests/engine/test_interrupting.py"

MUTANTS = (
    mutant(
        "yes-before-question",
        "a yes that was said before the question was shown allows the call",
        (
            "bot/engine/beginning.py",
            "if asked.shown_at is None or row.received_at < asked.shown_at:",
            "if asked.shown_at is None:",
        ),
        tests="tests/engine/test_approvals.py",
    ),
    mutant(
        "shown-as-drawn",
        "who is asked to allow a call sees what the model wrote and not what the function gets",
        ("bot/engine/turn.py", "drawn(question.arguments)", "drawn(question.call.arguments)"),
        tests="tests/engine/test_approvals.py",
    ),
    mutant(
        "interrupted-by-itself",
        "a message whose word comes late cuts the turn that answers it",
        (
            "bot/engine/stopping.py",
            "            and row.id > running.turn.inbounds[-1]\n            and _wants",
            "            and _wants",
        ),
        tests=INTERRUPTING,
    ),
    mutant(
        "interrupted-for-nothing",
        "a message that gets no answer of its own silences the one before it",
        ("bot/engine/stopping.py", "            and _wants_turn(row)\n", ""),
        tests=INTERRUPTING,
    ),
    mutant(
        "call-looked-at",
        "a call is answered without a look whether the platform has hung up",
        ("adapters/wechat/webhook.py", "LOOKS = 24", "LOOKS = 0"),
        tests="tests/adapters/wechat/test_late_replies.py",
    ),
)
