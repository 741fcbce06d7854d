"""The environment of production.ini."""

from collections.abc import Mapping


def production_environment(
    settings: Mapping[str, str], database_url: str | None = None
) -> dict[str, str]:
    """The variables of production.ini, for the settings of the tests; it has no endpoints.

    :param database_url: the URL of another database
    """
    return {
        "DATABASE_URL": database_url or settings["sqlalchemy.url"],
        "AWS_REGION": settings["cognito.region"],
        "COGNITO_USER_POOL_ID": settings["cognito.user_pool_id"],
        "COGNITO_CLIENT_ID": settings["cognito.client_id"],
        "COGNITO_CLIENT_SECRET": settings["cognito.client_secret"],
        "S3_BUCKET": settings["s3.bucket"],
        "TURNSTILE_SECRET": settings["turnstile.secret"],
        "CORS_ORIGINS": "",
    }
