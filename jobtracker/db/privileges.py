"""What the role of the connection may do, and may not."""

from typing import NamedTuple

from sqlalchemy import Connection, text

from jobtracker.db.base import Base

# Alembic's table, which /ready reads.
VERSIONS = "alembic_version"
NEEDED = ["SELECT", "INSERT", "UPDATE", "DELETE"]
ROLE = text("""
    SELECT current_user AS name, current_schema() IS NOT NULL AS has_schema,
        rolsuper AS is_superuser,
        pg_is_in_recovery() OR current_setting('transaction_read_only')::bool AS is_read_only
    FROM pg_roles WHERE rolname = current_user
""")
TABLES = text("""
    SELECT relname AS name, pg_has_role(relowner, 'USAGE') AS is_owner, ARRAY(
        SELECT privilege FROM unnest(
            CASE relname WHEN :versions THEN ARRAY['SELECT'] ELSE CAST(:needed AS text[]) END
        ) AS privilege
        WHERE NOT has_table_privilege(pg_class.oid, privilege)
    ) AS missing
    FROM pg_class WHERE relname = ANY (CAST(:names AS text[])) AND relkind IN ('r', 'p')
        AND relnamespace = current_schema()::regnamespace
    ORDER BY relname
""")


class Privileges(NamedTuple):
    """The role of a connection.

    :param has_schema: whether it may use the schema of its ``search_path``
    :param is_read_only: whether it can write nothing, as on a standby
    :param missing: the privileges that the application needs and it has not, by table
    """

    role: str
    has_schema: bool
    is_superuser: bool
    is_read_only: bool
    missing: dict[str, list[str]]
    owns_tables: bool


def privileges(connection: Connection) -> Privileges:
    """The privileges of the role of a connection, as far as the application needs them."""
    role = connection.execute(ROLE).one()
    names = [*Base.metadata.tables, VERSIONS]
    parameters = {"needed": NEEDED, "versions": VERSIONS, "names": names}
    tables = connection.execute(TABLES, parameters).all() if role.has_schema else ()
    return Privileges(
        *(role.name, role.has_schema, role.is_superuser, role.is_read_only),
        missing={table.name: table.missing for table in tables if table.missing},
        owns_tables=any(table.is_owner for table in tables),
    )
