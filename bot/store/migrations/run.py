"""Bring a database to the schema of this code; the only module that imports Alembic.

It takes most of a second to import, so it is imported only when there is something to do.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, delete, insert

from bot.store.tables import READABLE_FROM, VERSION, Row, SchemaRow


def upgrade(connection: Connection) -> None:
    """Run every step that is missing, and write down which schema this is now.

    The caller commits: on both databases the steps are part of one transaction.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    schema = Row.metadata.tables[str(SchemaRow.__tablename__)]
    connection.execute(delete(schema))
    connection.execute(insert(schema).values(id=1, version=VERSION, readable_from=READABLE_FROM))
