"""`parley` as a shell or a service manager may start it: with few files to open.

`python -m tests.journeys.few_files serve …`, with the soft and the hard limit in `FILES`.
"""

import os
import resource

from bot.cli import main


def start() -> None:
    """Be `parley` within these limits."""
    soft, hard = map(int, os.environ["FILES"].split(":"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    main()


if __name__ == "__main__":
    start()
