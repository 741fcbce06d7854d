"""The local stack of development.ini: PostgreSQL, and emulators of Cognito, S3 and Turnstile.

An app factory that starts what the settings leave out, adds the settings of what it started, and
calls :func:`jobtracker.main`. Production does not import this package.
"""

from pathlib import Path
from typing import Any

# Of deploy/aws.yaml and migrations/, wherever the ini file is.
CHECKOUT = Path(__file__).parents[2]


def main(global_config: dict[str, str], **settings: str) -> Any:
    """Return the WSGI application of development.ini."""
    # Not imported above: CHECKOUT is used without the packages of the extra "local".
    import jobtracker
    from jobtracker.local import migrations
    from jobtracker.local.guard import GuardedApplication
    from jobtracker.local.stack import Stack, local_services

    stack = Stack.from_settings(settings)
    is_local = "postgres" in stack.parts  # and migrated below
    config = {**global_config, "__script__": ""} if is_local else global_config
    app = jobtracker.main(config, **stack.with_local_settings(settings))
    if is_local and global_config.get("__script__") != "alembic":
        migrations.upgrade(app.registry["db_engine"])
    app.registry["local_services"] = local_services(settings)  # for the banner
    return GuardedApplication(app, stack.hosts)
