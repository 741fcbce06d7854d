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
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from cornice.errors import Errors
from cornice.pyramidhook import register_service_views
from cornice.service import Service, get_services
from pyramid.config.views import MultiView
from pyramid.events import ApplicationCreated, NewRequest
from pyramid.httpexceptions import HTTPNoContent
from pyramid.interfaces import IMultiView, IRequestExtensions, IRequestFactory
from pyramid.request import Request

from jobtracker.errors import ApiError, NotFound, VersionConflict
from jobtracker.fields import FieldType, Nested, Schema
from jobtracker.http import conditional, idempotency, links, validation
from jobtracker.http.conditional import ETagStrategy
from jobtracker.http.rate_limits import RateLimit, check_rate_limits
from jobtracker.permissions import Permission
from jobtracker.settings import InvalidSettings
from jobtracker.tree import Resource

R = TypeVar("R", bound=Resource)

# An id in a path. The tree rejects ids above bigint.
ID = "[1-9][0-9]{0,18}"
# A name in a path. The tree rejects those that do not exist.
NAME = "[a-z_]+"
_ID_SEGMENT = re.compile("/[0-9]+(?=/|$)")
_ID_PLACEHOLDER = re.compile(r"/{\w+}")


class ThreadPool(StrEnum):
    """The thread pools of the server: slow operations do not delay fast ones."""

    HEALTH = "health"
    READINESS = "readiness"
    READ = "read"
    WRITE = "write"
    #: Requests to Cognito, S3 or Turnstile, which can take seconds.
    GATEWAY = "gateway"


#: The pools of the probes of load balancers, which wait for nothing else.
PROBES = (ThreadPool.HEALTH, ThreadPool.READINESS)


class Operation(NamedTuple):
    """A method of a URL: what the view works with, and the OpenAPI document is made of."""

    view: Callable[[Request], Any]
    #: Required of the context's ACL.
    permission: Permission
    #: The schema of the JSON body; the view finds it in ``request.validated``.
    body: Schema | None = None
    body_types: frozenset[str] = validation.JSON_TYPES
    #: The schema of the query, likewise.
    query: Schema | None = None
    #: The type of the view's result; without one it returns a response, or with 204 nothing.
    returns: FieldType | None = None
    #: Of success.
    status: int = 200
    #: Whether a 202 has the Location of its task; not where the token is revoked.
    has_location: bool = True
    #: Statuses beside those that follow from permission, path, body and query.
    errors: tuple[int, ...] = ()
    #: The schema of a body that the view itself validates.
    optional_body: Schema | None = None
    #: The maximum size of the body, beyond which a server receives none of it.
    max_body_bytes: int = validation.MAX_IGNORED_BODY_BYTES
    #: Checked once the request is valid.
    rate_limits: Sequence[RateLimit] = ()
    #: Whether it supports Idempotency-Key; None for each authenticated POST.
    idempotent: bool | None = None
    #: The schema of the current state in a 412; If-Match is then supported, and its versions are in
    #: ``request.versions``.
    if_match: Schema | None = None
    #: How an authenticated GET determines its ETag; None for none.
    etag: ETagStrategy | None = ETagStrategy.BY_REVISION
    #: Whether one SQL statement does all writes.
    single_statement: bool = False
    thread_pool: ThreadPool = ThreadPool.WRITE
    #: The template of the URL's path, ``/jobs/{job_id}``.
    route: str = ""


class ApiService(Service):
    """A URL: its context class, and for each method the permission, the schemas and the view.

    Ids in the path are like ``{job_id}``; ``traverse``: the resource's path, if it is another;
    ``names``: the placeholders that are no ids, with their values, read when the application is
    created.
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
        names: Mapping[str, Iterable[str]] = MappingProxyType({}),
    ) -> None:
        self.template = path
        self.thread_pool = thread_pool
        self.names = names
        self.operations: dict[str, Operation] = {}
        super().__init__(
            name,
            re.sub(r"{(\w+)}", lambda m: f"{{{m[1]}:{NAME if m[1] in names else ID}}}", path),
            depth=2,  # venusian attaches the service to the module of our caller
            context=context,
            traverse=traverse or path,
        )

    def templates(self) -> list[str]:
        """The template of the path, with each of the names in it."""
        found = [self.template]
        for placeholder, names in self.names.items():
            found = [each.replace(f"{{{placeholder}}}", name) for each in found for name in names]
        return found

    def add_view(
        self, method: str, view: Callable[[Request], Any], *, permission: Permission, **options: Any
    ) -> None:
        """Add a method; the options are the fields of :class:`Operation`."""
        method = method.upper()
        is_get = method == "GET"
        default_pool = self.thread_pool or (ThreadPool.READ if is_get else ThreadPool.WRITE)
        options.setdefault("thread_pool", default_pool)
        options["route"] = self.template
        if method == "PATCH":
            options["body_types"] = validation.MERGE_PATCH_TYPES
        if isinstance(returns := options.get("returns"), Schema):
            options["returns"] = Nested(returns)
        is_public = permission is Permission.PUBLIC
        if options.get("body") or options.get("optional_body"):
            limit = validation.MAX_PUBLIC_BODY_BYTES if is_public else validation.MAX_BODY_BYTES
            options.setdefault("max_body_bytes", limit)
        operation = Operation(view, permission, **options)
        if not is_get or is_public or operation.returns is None:
            operation = operation._replace(etag=None)
        if is_public or operation.idempotent is None:
            operation = operation._replace(idempotent=method == "POST" and not is_public)
        self.operations[method] = operation
        validators: list[Callable[..., None]] = []
        if operation.query is not None:
            validators.append(functools.partial(validation.validate_query, operation.query))
        if (body := operation.body) is not None:
            types = operation.body_types
            validate = functools.partial(validation.validate_body, body, types)
            if operation.max_body_bytes > validation.MAX_BODY_BYTES:
                validate.keywords["max_bytes"] = operation.max_body_bytes
            validators.append(validate)
        if operation.rate_limits:
            validators.append(functools.partial(check_rate_limits, operation.rate_limits))
        view = _wrap_view(operation)
        if not is_public:
            validators = [_check_token_of_invalid(each) for each in validators]
        super().add_view(method, view, permission=permission, validators=validators)


def _check_token_of_invalid(validator: Callable[..., None]) -> Callable[..., None]:
    """A validator that raises Unauthorized for the invalid request of a revoked token.

    Of a valid request, the statement that finds the user finds that out.
    """

    @functools.wraps(validator)
    def wrapped(request: Request, **kwargs: Any) -> None:
        try:
            validator(request, **kwargs)
        except ApiError:
            _ = request.identity
            raise

    return wrapped


def _wrap_view(operation: Operation) -> Callable[[Request], Any]:
    @functools.wraps(operation.view)
    def wrapped(request: Request) -> Any:
        if operation.if_match is not None:
            request.versions = conditional.if_match_versions(request)
        try:
            result = operation.view(request)
        except VersionConflict as conflict:
            schema = operation.if_match
            details = {"current": schema.dump(conflict.current)} if schema is not None else None
            raise ApiError(status=412, details=details) from None
        response = request.response
        if (version := getattr(request.context, "version", None)) is not None:
            response.headerlist.append(("ETag", f'"{version}"'))
        if operation.status == 204:
            return HTTPNoContent()
        if operation.returns is None:
            return result
        # Without a renderer of Pyramid's: the type of the result renders it.
        response.status_code = operation.status
        if operation.returns.media_type != response.default_content_type:
            response.content_type = operation.returns.media_type
        body = operation.returns.render(result)
        if isinstance(body, bytes):
            response.body = body
        else:
            response.app_iter = body
        return response

    return idempotency.idempotent(wrapped) if operation.idempotent else wrapped


def registry_property(name: str) -> Callable[[Request], Any]:
    """A request method that returns an object of the registry."""
    return lambda request: request.registry[name]


def set_location(request: Request, resource: R) -> R:
    """Set the response's Location to the path of a new resource."""
    request.response.headers["Location"] = links.reference(request, resource.path)
    return resource


def services_of(registry: Any) -> list["ApiService"]:
    registered = set(registry.cornice_services.values())
    return [service for service in get_services() if service in registered]


def schema_of(context: type[Resource]) -> Schema:
    """The schema of the GET of an item."""
    returned = (
        each.operations["GET"].returns
        for each in get_services()
        if each.arguments["context"] is context and each.template.endswith("}")
    )
    return next(field.schema for field in returned if isinstance(field, Nested))


def index_operations(event: ApplicationCreated) -> None:
    """Let the tweens and the server look up an operation without the router."""
    registry = event.app.registry
    services = services_of(registry)
    service_of = {
        _ID_PLACEHOLDER.sub("/{}", template.rstrip("/")): each
        for each in services
        for template in each.templates()
    }
    by_path = {path: each.operations for path, each in service_of.items()}
    prefix = links.configured_prefix(registry)
    own = [*by_path, "/docs"]
    if prefix and any(f"{path}/".startswith(f"{prefix}/") for path in own):
        raise InvalidSettings(("http.public_origin", "its path is one of the API's own"))

    def find_operation(method: str, path: str) -> Operation | None:
        path = links.without_prefix(path, links.configured_prefix(registry)).removesuffix("/")
        operations = by_path.get(_ID_SEGMENT.sub("/{}", path), {})
        return operations.get("GET" if method == "HEAD" else method)

    templates = {path: each.template for path, each in service_of.items()}

    def find_route(path: str) -> str | None:
        """The template of a path, whatever the method; None of a path of no service."""
        path = links.without_prefix(path, links.configured_prefix(registry)).removesuffix("/")
        if path.startswith("/docs/"):
            return "/docs/{name}"
        return "/docs" if path == "/docs" else templates.get(_ID_SEGMENT.sub("/{}", path))

    registry["find_operation"] = find_operation
    registry["find_route"] = find_route


def operation_of(request: Request) -> Operation | None:
    """``request.operation``: what the method and the path of the request name, if anything."""
    environ = request.environ
    operation: Operation | None = environ.get("jobtracker.operation")  # the server's look-up
    if operation is None:
        operation = request.registry["find_operation"](request.method, environ["PATH_INFO"])
    return operation


def make_request_class(event: ApplicationCreated) -> None:
    """Make one class with the added request methods; Pyramid would make one for each request."""
    extensions = event.app.registry.queryUtility(IRequestExtensions)
    attributes = {**extensions.methods, **extensions.descriptors}
    request_class = type("JobTrackerRequest", (Request,), attributes)
    extensions.methods.clear()
    extensions.descriptors.clear()
    event.app.request_extensions = None
    event.app.registry.registerUtility(request_class, IRequestFactory)
    event.app.request_factory = request_class


class MethodDispatcher(MultiView):
    """The views of a URL, of which one is called; Pyramid calls each until one does not raise
    PredicateMismatch, a response that takes long to make: benchmarks/README.md."""

    def __call__(self, context: Any, request: Request) -> Any:
        return self.match(context, request)(context, request)


def dispatch_by_method(event: ApplicationCreated) -> None:
    for registration in event.app.registry.registeredAdapters():
        if registration.provided is IMultiView:
            registration.factory.__class__ = MethodDispatcher


def normalize_path(event: NewRequest) -> None:
    """``/jobs/`` is ``/jobs``, and so is ``/api/jobs`` below ``/api``: the same resource, without a
    redirect."""
    environ = event.request.environ
    prefix = links.configured_prefix(event.request.registry)
    path = links.without_prefix(environ["PATH_INFO"], prefix) or "/"
    if "\n" in path:  # which "$" at the end of a route's pattern ignores
        raise NotFound
    environ["PATH_INFO"] = path[:-1] if len(path) > 2 and path.endswith("/") else path


def includeme(config: Any) -> None:
    # What Cornice's includeme() does, without its views for 404 and 403, which would override ours,
    # and without its callbacks for each response.
    config.registry.cornice_services = {}
    config.add_directive("add_cornice_service", register_service_views)
    config.add_request_method(lambda _request: Errors(), "errors", reify=True)
    config.add_request_method(lambda _request: {}, "info", reify=True)
    config.add_request_method(lambda _request: {}, "validated", reify=True)
    config.add_request_method(operation_of, "operation", reify=True)
    config.add_subscriber(normalize_path, NewRequest)
    config.add_subscriber(make_request_class, ApplicationCreated)
    config.add_subscriber(dispatch_by_method, ApplicationCreated)
    config.add_subscriber(index_operations, ApplicationCreated)
