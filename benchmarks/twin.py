"""The twin: a part of the same API without a framework, to compare JobTracker with.

Starlette, asyncpg, orjson and PyJWT on uvicorn with uvloop and httptools::

    uvicorn benchmarks.twin:app --workers 2 --loop uvloop --http httptools --no-access-log

Like JobTracker it verifies the access token, reads the user's row, accesses rows of that user only,
and returns the same JSON. It has no CORS, ETags, response cache, search or OpenAPI document.
"""

# ruff: noqa: S310, S608 (a URL that the benchmark sets, SQL of constants)

import contextlib
import datetime
import os
import re
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg  # type: ignore[import-untyped]
import jwt
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

POOL_SIZE = 10
LEEWAY = 10

STATUSES = frozenset(
    [
        "saved",
        "applied",
        "recruiter_screen",
        "interviewing",
        "onsite",
        "offer",
        "accepted",
        "rejected",
        "withdrawn",
        "ghosted",
        "archived",
    ]
)
LENGTHS = {"company_name": 255, "job_title": 255, "location": 255, "job_url": 2000}
REQUIRED = ("company_name", "job_title")
FIELDS = (*LENGTHS, "status", "applied_date", "tags")

JOB = (
    "id, company_name, job_title, location, status, applied_date, job_url, tags, created_at, "
    "updated_at, last_activity_at, priority, next_action_at, next_action_title, last_action_at"
)
USER_BY_SUB = """
    SELECT id, email, name, auto_refresh_seconds, ui_preferences, created_at, email_verified_at
    FROM users WHERE cognito_sub = $1
"""
JOBS_OF_USER = f"""
    SELECT {JOB} FROM jobs WHERE user_id = $1 ORDER BY last_activity_at DESC, id DESC
"""
PAGE_OF_USER = JOBS_OF_USER + " LIMIT $2"
JOB_BY_ID = f"SELECT {JOB} FROM jobs WHERE user_id = $1 AND id = $2"
NOTES_OF_JOB = """
    SELECT id, application_id, body, created_at FROM notes
    WHERE user_id = $1 AND application_id = $2 ORDER BY created_at DESC, id DESC
"""
INSERT_JOB = f"""
    INSERT INTO jobs (user_id, company_name, job_title, location, job_url, status, applied_date,
                      tags)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {JOB}
"""

Handler = Callable[[Request, Any, Any], Awaitable[Response]]


class ApiError(Exception):
    """An error with the status of its response."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = orjson.dumps(value, option=orjson.OPT_UTC_Z)
    return Response(body, status, headers, media_type="application/json")


class TokenVerifier:
    """Verifies access tokens; the JWKS is fetched once."""

    def __init__(self) -> None:
        self.issuer, self.client_id = os.environ["ISSUER"], os.environ["COGNITO_CLIENT_ID"]
        with urllib.request.urlopen(os.environ["JWKS_URL"]) as document:
            keys = jwt.PyJWKSet.from_dict(orjson.loads(document.read())).keys
        self.keys = {key.key_id: key for key in keys}

    def verify(self, request: Request) -> str:
        """The ``sub`` of a request's access token.

        :raises ApiError: 401, without a valid token
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise ApiError(401, "Please sign in.")
        try:
            claims = jwt.decode(
                token,
                self.keys[jwt.get_unverified_header(token)["kid"]],
                algorithms=["RS256"],
                issuer=self.issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "sub"], "verify_aud": False},
            )
        except (jwt.PyJWTError, KeyError) as error:
            raise ApiError(401, "Please sign in.") from error
        if claims.get("token_use") != "access" or claims.get("client_id") != self.client_id:
            raise ApiError(401, "Please sign in.")
        return str(claims["sub"])


def authenticated(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """A handler that is called with a connection and the row of the authenticated user."""

    async def wrapped(request: Request) -> Response:
        state = request.app.state
        try:
            sub = state.token_verifier.verify(request)
            async with state.database.acquire() as connection:
                user = await connection.fetchrow(USER_BY_SUB, sub)
                if user is None:
                    raise ApiError(401, "Please sign in.")
                return await handler(request, connection, user)
        except ApiError as error:
            return json_response({"error": error.status, "message": str(error)}, error.status)

    return wrapped


async def me(_request: Request, _connection: Any, user: Any) -> Response:
    return json_response(
        {
            **user,
            "ui_preferences": orjson.Fragment(user["ui_preferences"]),
            "is_email_verified": user["email_verified_at"] is not None,
        }
    )


async def get_jobs(request: Request, connection: Any, user: Any) -> Response:
    limit = request.query_params.get("limit")
    if limit is None:
        rows = await connection.fetch(JOBS_OF_USER, user["id"])
    else:
        rows = await connection.fetch(PAGE_OF_USER, user["id"], int(limit))
    return json_response([dict(row) for row in rows])


async def get_job(request: Request, connection: Any, user: Any) -> Response:
    row = await connection.fetchrow(JOB_BY_ID, user["id"], request.path_params["id"])
    if row is None:
        raise ApiError(404, "Not found.")
    notes = await connection.fetch(NOTES_OF_JOB, user["id"], row["id"])
    return json_response({**row, "notes": [dict(note) for note in notes]})


async def post_job(request: Request, connection: Any, user: Any) -> Response:
    fields = validate(await body_of(request))
    if not all(fields.get(name) for name in REQUIRED):
        raise ApiError(422, "Please check what you entered.")
    # A single statement is its own transaction.
    row = await connection.fetchrow(
        INSERT_JOB,
        user["id"],
        fields["company_name"],
        fields["job_title"],
        fields.get("location"),
        fields.get("job_url"),
        fields.get("status") or "applied",
        fields.get("applied_date"),
        fields.get("tags") or [],
    )
    return json_response(dict(row), 201, {"Location": f"/jobs/{row['id']}"})


async def patch_job(request: Request, connection: Any, user: Any) -> Response:
    fields = validate(await body_of(request))
    if any(name in fields and not fields[name] for name in (*REQUIRED, "status")):
        raise ApiError(422, "Please check what you entered.")
    row = await connection.fetchrow(JOB_BY_ID, user["id"], request.path_params["id"])
    if row is None:
        raise ApiError(404, "Not found.")
    changes = {name: value for name, value in fields.items() if row[name] != value}
    if changes:
        names = ", ".join(f"{name} = ${at}" for at, name in enumerate(changes, start=3))
        row = await connection.fetchrow(
            f"UPDATE jobs SET {names}, updated_at = statement_timestamp(), "
            "last_activity_at = greatest(last_activity_at, statement_timestamp()) "
            f"WHERE user_id = $1 AND id = $2 RETURNING {JOB}",
            user["id"],
            row["id"],
            *changes.values(),
        )
    return json_response(dict(row))


async def health(_request: Request) -> Response:
    return json_response({"status": "ok"})


async def body_of(request: Request) -> dict[str, Any]:
    try:
        value = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise ApiError(400, "The body is not valid JSON.") from error
    if not isinstance(value, dict) or not value.keys() <= set(FIELDS):
        raise ApiError(422, "Please check what you entered.")
    return value


def validate(given: dict[str, Any]) -> dict[str, Any]:
    """The fields, validated and normalized.

    :raises ApiError: 422
    """
    fields = dict(given)
    for name, length in LENGTHS.items():
        if (text := fields.get(name)) is not None:
            if not isinstance(text, str) or len(text) > length or "\0" in text:
                raise ApiError(422, "Please check what you entered.")
            fields[name] = text.strip() or None
    if (url := fields.get("job_url")) and not re.match("https?://[^/]", url):
        raise ApiError(422, "Please check what you entered.")
    if (status := fields.get("status")) is not None and status not in STATUSES:
        raise ApiError(422, "Please check what you entered.")
    if (day := fields.get("applied_date")) is not None:
        try:
            fields["applied_date"] = datetime.date.fromisoformat(day)
        except (TypeError, ValueError) as error:
            raise ApiError(422, "Please check what you entered.") from error
    if "tags" in fields:
        tags = fields["tags"] or []
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise ApiError(422, "Please check what you entered.")
        fields["tags"] = sorted({normalized for tag in tags if (normalized := tag.strip().lower())})
        if len(fields["tags"]) > 50 or any(len(tag) > 64 for tag in fields["tags"]):
            raise ApiError(422, "Please check what you entered.")
    return fields


async def no_reset(_connection: Any) -> None:
    """Replaces the query by which asyncpg resets a released connection: no session state is set."""


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.token_verifier = TokenVerifier()
    url = os.environ["DATABASE_URL"]
    async with asyncpg.create_pool(
        url,
        # asyncpg ignores it in a URL that has a port.
        host=parse_qs(urlsplit(url).query).get("host", [None])[0],
        min_size=POOL_SIZE,
        max_size=POOL_SIZE,
        reset=no_reset,
        server_settings={"TimeZone": "UTC"},
        # As sqlalchemy.prepare = false behind PgBouncer.
        **({"statement_cache_size": 0} if "PGBOUNCER" in os.environ else {}),
    ) as app.state.database:
        yield


app = Starlette(
    routes=[
        Route("/users/me", authenticated(me), methods=["GET"]),
        Route("/jobs", authenticated(get_jobs), methods=["GET"]),
        Route("/jobs", authenticated(post_job), methods=["POST"]),
        Route("/jobs/{id:int}", authenticated(get_job), methods=["GET"]),
        Route("/jobs/{id:int}", authenticated(patch_job), methods=["PATCH"]),
        Route("/health", health, methods=["GET"]),
    ],
    lifespan=lifespan,
)
