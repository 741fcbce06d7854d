"""JobTracker: a REST backend for people who look for work."""

from typing import Any

from pyramid.config import Configurator

from jobtracker import settings as settings_
from jobtracker.security import CognitoSecurityPolicy
from jobtracker.tree import Root

__version__ = "0.1.0"


def main(global_config: dict[str, str] | None, **settings: str) -> Any:
    """The WSGI application, of the settings of an ini file's ``[app:main]``.

    :raises jobtracker.settings.InvalidSettings: with one line that names the setting at fault
    """
    config = Configurator(settings=settings_.read(settings), root_factory=Root)

    # How a request is served, from the outside in.
    config.include("jobtracker.cors")  # headers on every answer, preflights
    config.include("pyramid_retry")  # deadlocks and serialization failures: once more
    config.include("jobtracker.db")  # request.db, and which requests have a transaction
    config.include("pyramid_tm")
    config.include("jobtracker.errors")  # every failure is one JSON shape
    config.include("jobtracker.api")  # Cornice, the JSON renderer, trailing slashes
    config.set_security_policy(CognitoSecurityPolicy())

    # What is served.
    config.include("jobtracker.health")
    config.include("jobtracker.auth")
    config.include("jobtracker.users")
    config.include("jobtracker.jobs")
    config.include("jobtracker.notes")
    config.include("jobtracker.documents")

    return config.make_wsgi_app()
