"""JobTracker: a REST backend for people who look for work."""

from typing import Any

from pyramid.config import Configurator

from jobtracker import settings as settings_
from jobtracker.security import CognitoSecurityPolicy
from jobtracker.tree import Root

__version__ = "0.1.0"


# How a request is served, from the outside in. Exceptions become answers outside of the
# transaction: it is rolled back by then, and pyramid_tm has said whether it is worth another try.
TWEENS = (
    "jobtracker.http.request_id.request_id_tween_factory",  # X-Request-ID, the access log
    "jobtracker.http.cors.cors_tween_factory",  # headers on every answer, preflights
    "pyramid.tweens.excview_tween_factory",  # every failure is one JSON shape
    "jobtracker.http.conditional.conditional_tween_factory",  # ETags: 304, cached responses
    "pyramid_tm.tm_tween_factory",  # a transaction for each request that may write
)


def main(global_config: dict[str, str] | None, **settings: str) -> Any:
    """The WSGI application, of the settings of an ini file's ``[app:main]``.

    :raises jobtracker.settings.InvalidSettings: with one line that names the setting at fault
    """
    checked = settings_.read(settings)
    config = Configurator(settings={**checked, "pyramid.tweens": TWEENS}, root_factory=Root)

    # What holds for every request.
    config.include("jobtracker.logs")  # no secrets in them
    config.include("jobtracker.db.base")  # request.db, and which requests have a transaction
    config.include("pyramid_tm")
    config.include("pyramid_retry")  # deadlocks and serialization failures: once more
    config.include("jobtracker.errors")
    config.include("jobtracker.http.rate_limits")
    config.include("jobtracker.http.request")
    config.include("jobtracker.http.service")  # Cornice, the JSON renderer, trailing slashes
    config.include("jobtracker.http.pagination")  # cursors
    config.include("jobtracker.http.conditional")  # ETags
    config.set_security_policy(CognitoSecurityPolicy())

    # What is served. Routes are tried in this order: first what is asked for all the time.
    config.include("jobtracker.jobs")
    config.include("jobtracker.users")
    config.include("jobtracker.notes")
    config.include("jobtracker.documents")
    config.include("jobtracker.interviews")
    config.include("jobtracker.saved_views")
    config.include("jobtracker.activity")
    config.include("jobtracker.history")
    config.include("jobtracker.details")
    config.include("jobtracker.board")
    config.include("jobtracker.search")
    config.include("jobtracker.stats")
    config.include("jobtracker.auth")
    config.include("jobtracker.mfa")
    config.include("jobtracker.http.health")
    config.include("jobtracker.openapi")  # of all of these

    return config.make_wsgi_app()
