"""The PostgreSQL, Cognito, S3 and Turnstile of your own machine, which development.ini starts.

Production never imports this: it is an app factory of its own, which starts what the settings leave
out, completes them with where that listens, and hands over to :func:`jobtracker.main`. From there
on nothing tells the local parts from AWS.
"""

from pathlib import Path
from typing import Any

# The template and the migrations are the checkout's, wherever the ini file is.
CHECKOUT = Path(__file__).parents[2]


def main(global_config: dict[str, str], **settings: str) -> Any:
    """The WSGI application of development.ini."""
    # At import time nothing is known of the local parts to who only wants the folder above.
    import jobtracker
    from jobtracker.local import migrations
    from jobtracker.local.stack import Stack

    stack = Stack.of_settings(settings)
    app = jobtracker.main(global_config, **stack.complete(settings))
    if "postgres" in stack.parts and global_config.get("__script__") != "alembic":
        migrations.upgrade(app.registry["db_engine"])
    return app
