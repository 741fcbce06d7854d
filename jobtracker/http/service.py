"""ApiService: the class of all endpoints. Cornice is used here and nowhere else.

::

    jobs = ApiService("jobs", "/jobs", context=JobCollection)

    @jobs.post(permission=Permission.WRITE, body=JobIn(), returns=JobOut(), status=201)
    def post_job(request):
        return set_location(request, request.context.create(**request.validated)).row

The URL path is the traversal path, so that ``request.context`` is the resource. A context of
another class is 404, whichever path led to it.
"""

import functools
import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from cornice.service import Service, get_services
from pyramid.events import ApplicationCreated, NewRequest
from pyramid.httpexceptions import HTTPNoContent
from pyramid.request import Request

from jobtracker.errors import NotFound, VersionConflict
from jobtracker.fields import FieldType, Nested, Schema
from jobtracker.http import conditional, idempotency, validation
from jobtracker.http.conditional import ETagStrategy
from jobtracker.http.rate_limits import RateLimit, check_rate_limits
from jobtracker.permissions import Permission
from jobtracker.tree import Resource

R = TypeVar("R", bound=Resource)

# An id in a path. The tree tells a bigint from a larger number.
ID = "[1-9][0-9]{0,18}"
_ID_SEGMENT = re.compile("/[0-9]+(?=/|$)")
_ID_PLACEHOLDER = re.compile(r"/{\w+}")


class ThreadPool(StrEnum):
    """The thread pools of the server: slow operations do not delay fast ones."""

    HEALTH = "health"
    READ = "read"
    WRITE = "write"
    #: Requests to Cognito, S3 or Turnstile, which can take seconds.
    GATEWAY = "gateway"


class Operation(NamedTuple):
    """A method of a URL: what the view works with, and the OpenAPI document is made of."""

    view: Callable[[Request], Any]
    permission: Permission
    body: Schema | None
    body_types: frozenset[str]
    query: Schema | None
    returns: FieldType | None
    status: int
    errors: tuple[int, ...]
    optional_body: Schema | None
    rate_limits: tuple[RateLimit, ...]
    idempotent: bool
    if_match: Schema | None
    etag: ETagStrategy | None
    single_statement: bool
    thread_pool: ThreadPool


class ApiService(Service):
    """A URL: its context class, and for each method the permission, the schemas and the view.

    :param path: the URL path, with ids as ``{job_id}``
    :param context: the class of the resource
    :param traverse: the path of the resource, where it is not the whole URL path
    :param thread_pool: of the server; by default READ for GET and WRITE for other methods
    """

    renderer = "json"

    def __init__(
        self,
        name: str,
        path: str,
        *,
        context: type[Resource],
        traverse: str | None = None,
        thread_pool: ThreadPool | None = None,
    ) -> None:
        self.template = path
        self.thread_pool = thread_pool
        self.operations: dict[str, Operation] = {}
        super().__init__(
            name,
            re.sub(r"{(\w+)}", rf"{{\1:{ID}}}", path),
            depth=2,  # venusian attaches the service to the module of our caller
            context=context,
            traverse=traverse or path,
        )

    def add_view(
        self,
        method: str,
        view: Callable[[Request], Any],
        *,
        permission: Permission,
        body: Schema | None = None,
        query: Schema | None = None,
        returns: FieldType | Schema | None = None,
        status: int = 200,
        errors: Iterable[int] = (),
        optional_body: Schema | None = None,
        rate_limits: Iterable[RateLimit] = (),
        idempotent: bool = True,
        if_match: Schema | None = None,
        etag: ETagStrategy | None = ETagStrategy.BY_REVISION,
        single_statement: bool = False,
        thread_pool: ThreadPool | None = None,
        **kwargs: Any,
    ) -> None:
        """Add a method.

        :param permission: required of the context's ACL
        :param body: the schema of the JSON body; the view finds it in ``request.validated``
        :param query: the schema of the query, likewise
        :param returns: the type of the view's result; without one the view returns a response, or
            with status 204 nothing
        :param status: of success
        :param errors: statuses beside those that follow from permission, path, body and query
        :param optional_body: the schema of a body that the view itself validates
        :param rate_limits: checked once the request is valid
        :param idempotent: whether an authenticated POST supports Idempotency-Key
        :param if_match: the schema of the present state in a 412; If-Match is then supported, and
            its versions are in ``request.versions``
        :param etag: how an authenticated GET determines its ETag; None for none
        :param single_statement: whether one SQL statement does all writes
        :param thread_pool: of the server, where it is not the service's
        """
        method = method.upper()
        default_pool = ThreadPool.READ if method == "GET" else ThreadPool.WRITE
        is_read = method == "GET" and permission is Permission.READ and returns is not None
        is_post = method == "POST" and permission is not Permission.PUBLIC
        merge_patch = method == "PATCH"
        self.operations[method] = operation = Operation(
            view,
            permission,
            body=body,
            body_types=validation.MERGE_PATCH_TYPES if merge_patch else validation.JSON_TYPES,
            query=query,
            returns=Nested(returns) if isinstance(returns, Schema) else returns,
            status=status,
            errors=tuple(errors),
            optional_body=optional_body,
            rate_limits=tuple(rate_limits),
            idempotent=idempotent and is_post,
            if_match=if_match,
            etag=etag if is_read else None,
            single_statement=single_statement,
            thread_pool=thread_pool or self.thread_pool or default_pool,
        )
        validators = []
        if query is not None:
            validators.append(functools.partial(validation.validate_query, query))
        if body is not None:
            types = operation.body_types
            validators.append(functools.partial(validation.validate_body, body, types))
        if operation.rate_limits:
            validators.append(functools.partial(check_rate_limits, operation.rate_limits))
        super().add_view(
            method, _wrap_view(operation), permission=permission, validators=validators, **kwargs
        )


def _wrap_view(operation: Operation) -> Callable[[Request], Any]:
    @functools.wraps(operation.view)
    def wrapped(request: Request) -> Any:
        if operation.if_match is not None:
            request.versions = conditional.if_match_versions(request)
        try:
            result = operation.view(request)
        except VersionConflict as conflict:
            raise conditional.precondition_failed(conflict, operation.if_match) from None
        if (version := getattr(request.context, "version", None)) is not None:
            request.response.headers["ETag"] = f'"{version}"'
        if operation.status == 204:
            return HTTPNoContent()
        if operation.returns is None:
            return result
        request.response.status = operation.status
        return operation.returns.dump(result)

    return idempotency.idempotent(wrapped) if operation.idempotent else wrapped


def registry_property(name: str) -> Callable[[Request], Any]:
    """A request method that returns the registry's object of that name."""
    return lambda request: request.registry[name]


def set_location(request: Request, resource: R) -> R:
    """Set the response's Location to the path of a new resource."""
    request.response.headers["Location"] = resource.path
    return resource


def services_of(registry: Any) -> list["ApiService"]:
    """The services of an application."""
    registered = set(registry.cornice_services.values())
    return [service for service in get_services() if service in registered]


def index_operations(event: ApplicationCreated) -> None:
    """Let the tweens and the server look up an operation without the router."""
    registry = event.app.registry
    by_path = {
        _ID_PLACEHOLDER.sub("/{}", service.template): service.operations
        for service in services_of(registry)
    }

    def find_operation(method: str, path: str) -> Operation | None:
        operations = by_path.get(_ID_SEGMENT.sub("/{}", path.removesuffix("/")), {})
        return operations.get("GET" if method == "HEAD" else method)

    def thread_pool_for(method: str, path: str) -> ThreadPool:
        operation = find_operation(method, path)
        return ThreadPool.READ if operation is None else operation.thread_pool

    registry["find_operation"] = find_operation
    registry["thread_pool_for"] = thread_pool_for


def strip_trailing_slash(event: NewRequest) -> None:
    """``/jobs/`` is ``/jobs``: the same resource, without a redirect.

    :raises NotFound: for a newline, which ``$`` at the end of a route's pattern ignores
    """
    environ = event.request.environ
    path = environ["PATH_INFO"]
    if "\n" in path:
        raise NotFound
    if len(path) > 1 and path.endswith("/"):
        environ["PATH_INFO"] = path[:-1]


def includeme(config: Any) -> None:
    # Otherwise Cornice's views for 404 and 403 override ours, and answer text/plain.
    config.add_settings(handle_exceptions=False)
    config.include("cornice")
    config.include("jobtracker.renderer")
    config.add_subscriber(strip_trailing_slash, NewRequest)
    config.add_subscriber(index_operations, ApplicationCreated)
