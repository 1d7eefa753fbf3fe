"""`parley` whose own pool has room for one or two statements at a time, and no more.

`python -m tests.faults.narrow serve …`, with the number in `FAULTS_POOL`. Nobody can configure
that; what holds with so few connections holds with any number of conversations for each of ten.
"""

import os

from bot.cli import main
from bot.store.postgres_pool import Pool

MOST = "FAULTS_POOL"


def serve() -> None:
    """Narrow the pool, and be `parley`; leases are renewed beside it, as they always are."""
    vars(Pool)["__init__"].__kwdefaults__["most"] = int(os.environ[MOST])
    main()


if __name__ == "__main__":
    serve()
