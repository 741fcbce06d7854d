"""JobTracker: a REST backend for people who look for work."""

import logging
from typing import Any

__version__ = "0.1.0"

log = logging.getLogger(__name__)

# The tweens, from the outside in. Exception views run outside of the transaction: by then it is
# rolled back, and pyramid_tm has marked what can be tried again.
TWEENS = (
    "jobtracker.http.request_id.request_id_tween_factory",  # X-Request-ID, the access log
    "jobtracker.http.security_headers.security_headers_tween_factory",  # on every response
    "jobtracker.http.cors.cors_tween_factory",  # headers on every response, preflights
    "pyramid.tweens.excview_tween_factory",  # exceptions as JSON
    "jobtracker.http.conditional.conditional_tween_factory",  # ETags: 304, cached responses
    "pyramid_tm.tm_tween_factory",  # a transaction for each request that may write
)

# The feature packages, in the order in which their routes are matched. Alembic, pshell, the OpenAPI
# document and the server read this list.
FEATURES = [
    "jobtracker.jobs",
    "jobtracker.users",
    "jobtracker.notes",
    "jobtracker.documents",
    "jobtracker.document_versions",
    "jobtracker.interviews",
    "jobtracker.saved_views",
    "jobtracker.activity",
    "jobtracker.history",
    "jobtracker.details",
    "jobtracker.board",
    "jobtracker.search",
    "jobtracker.usage",
    "jobtracker.accounts",
    "jobtracker.retention",
    "jobtracker.stats",
    "jobtracker.reports",
    "jobtracker.exports",
    "jobtracker.auth",
    "jobtracker.mfa",
    "jobtracker.audit",
    "jobtracker.tasks",
    "jobtracker.trash",
    "jobtracker.imports",
    "jobtracker.csv_imports",
]

# What PasteDeploy's ``__script__`` is where the application is served; the latter on the local
# stack's database.
SERVING = ("pserve", "local pserve")


def main(global_config: dict[str, str] | None, **settings: str) -> Any:
    """The WSGI application, from the settings of an ini file's ``[app:main]``.

    :raises jobtracker.settings.InvalidSettings: with a line for each invalid setting
    :raises SystemExit: in pserve, when the database is not migrated, or a pooler unsuitable
    """
    # Not imported above: commands begin at once, and can be interrupted without a traceback.
    from jobtracker.logs.uncaught import logged_exit

    with logged_exit():
        return _make_app(global_config, settings)


def _make_app(global_config: dict[str, str] | None, settings: dict[str, str]) -> Any:
    # Alembic logs each of its plugins when it is imported.
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
    from pyramid.config import Configurator

    from jobtracker import settings as settings_
    from jobtracker.db.checks import Migrations, check_database
    from jobtracker.db.poolers import check_pooler
    from jobtracker.tree import Root

    checked = settings_.read(settings)
    for name, reason in settings_.insecure_settings(checked):
        log.warning("Setting %s: %s", name, reason)
    config = Configurator(settings={**checked, "pyramid.tweens": TWEENS}, root_factory=Root)

    config.include("jobtracker.logs")  # no secrets in them
    config.include("jobtracker.db.connections")  # request.connection, transactions
    config.include("jobtracker.db.replicas")  # reads on a replica
    config.include("jobtracker.db.readiness")  # for /ready
    config.include("pyramid_tm")
    config.include("pyramid_retry")  # of deadlocks and serialization failures
    config.include("jobtracker.errors")  # exception views
    config.include("jobtracker.http.links")  # Location and Link
    config.include("jobtracker.http.rate_limits")
    config.include("jobtracker.http.service")  # Cornice, JSON, the class of requests
    config.include("jobtracker.http.pagination")  # cursors
    config.include("jobtracker.http.conditional")  # ETags
    config.include("jobtracker.http.idempotency")  # Idempotency-Key
    config.include("jobtracker.security")  # request.identity, permissions
    config.include("jobtracker.auth")  # request.cognito, request.access_tokens, request.turnstile
    config.include("jobtracker.documents")  # request.bucket
    for feature in FEATURES:
        config.scan(feature)
    config.scan("jobtracker.http.health")
    config.include("jobtracker.openapi")  # of all of these
    config.include("jobtracker.tracing")  # of all of these, where OTEL_* variables are set
    script = global_config.get("__script__") if global_config else None
    if checked["metrics.listen"] is not None and script in SERVING:
        config.include("jobtracker.metrics")

    app = config.make_wsgi_app()
    if global_config and script in SERVING:
        config.registry["database_check"].migrations = Migrations.of(global_config["__file__"])
    if global_config and script == "pserve":
        check_pooler(config.registry["db_engine"], checked)
        if "db_replica" in config.registry:
            check_pooler(config.registry["db_replica"].engine, checked)
        check_database(config.registry["db_engine"], global_config["__file__"])
    return app
