"""ApiService: what every endpoint is made with. All that JobTracker knows of Cornice is here.

::

    jobs = ApiService("jobs", "/jobs", context=JobCollection)

    @jobs.post(permission=Permission.WRITE, body=JobIn(), returns=JobOut(), status=201)
    def create_job(request):
        new = request.context.create(**request.validated)
        return created(request, new).job

The URL's path is the traversal path, so the view finds its resource as ``request.context``. A
context of another class is 404, whatever way the path led to it.
"""

import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, NoReturn, TypeVar

import colander
from cornice.service import Service, get_services
from pyramid.events import ApplicationCreated, NewRequest
from pyramid.httpexceptions import HTTPNoContent
from pyramid.request import Request

from jobtracker.errors import (
    BadRequest,
    NotFound,
    PayloadTooLarge,
    UnsupportedMediaType,
    ValidationFailed,
    VersionConflict,
)
from jobtracker.fields import Nested, Schema, TextList, Type, errors_of
from jobtracker.http import conditional, idempotency
from jobtracker.http.conditional import ETagStrategy
from jobtracker.http.rate_limits import RateLimit, check_rates
from jobtracker.security import Permission
from jobtracker.tree import Resource

R = TypeVar("R", bound=Resource)

# An id in a path. What is longer than a bigint is told from it by the tree.
ID = "[1-9][0-9]{0,18}"

JSON_TYPES = frozenset({"application/json"})
MERGE_PATCH_TYPES = frozenset({"application/json", "application/merge-patch+json"})  # RFC 7396

# The largest note has 10,000 characters: 120,000 bytes when each is written as \uXXXX\uXXXX.
MAX_BODY_BYTES = 1024 * 1024


class Operation(NamedTuple):
    """What one method of a URL asks, takes and gives: what the view works by, and the OpenAPI
    document is made of."""

    view: Callable[[Request], Any]
    permission: Permission
    body: Schema | None = None
    body_types: frozenset[str] = JSON_TYPES
    query: Schema | None = None
    returns: Type | None = None
    status: int = 200
    errors: tuple[int, ...] = ()
    optional_body: Schema | None = None
    rate_limits: tuple[RateLimit, ...] = ()
    idempotent: bool = False
    if_match: Schema | None = None
    conditional: ETagStrategy | None = None
    one_statement: bool = False


class ApiService(Service):
    """One URL: its context class, and for each method permission, schemas and view.

    :param path: the URL's path, ids as ``{job_id}``
    :param context: the class of the resource that the path leads to
    :param traverse: the path to that resource where it is not the whole URL's
    """

    renderer = "json"

    def __init__(
        self, name: str, path: str, *, context: type[Resource], traverse: str | None = None
    ) -> None:
        self.template = path
        self.operations: dict[str, Operation] = {}
        super().__init__(
            name,
            re.sub(r"{(\w+)}", rf"{{\1:{ID}}}", path),
            depth=2,  # venusian is to find the module that called us
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
        returns: Type | Schema | None = None,
        status: int = 200,
        errors: Iterable[int] = (),
        optional_body: Schema | None = None,
        rate_limits: Iterable[RateLimit] = (),
        idempotent: bool = True,
        if_match: Schema | None = None,
        conditional: ETagStrategy | None = ETagStrategy.BY_REVISION,
        one_statement: bool = False,
        **kwargs: Any,
    ) -> None:
        """One method of the URL.

        :param permission: what the context's ACL must allow
        :param body: the request's JSON, which the view finds in ``request.validated``
        :param query: the request's query, likewise
        :param returns: what the view's value goes out as; without one the view returns a response,
            or, where the status is 204, nothing
        :param status: of success
        :param errors: statuses beyond those that follow from permission, path, body and query
        :param optional_body: a body that the view reads by itself, and does not insist on
        :param rate_limits: how often it may be asked, looked at once all else is found right
        :param if_match: what goes out with a 412, where the context has a version: If-Match is
            then in ``request.versions``
        :param conditional: by what a GET of somebody who is signed in can be told to be unchanged
        :param one_statement: whether all that it changes is changed by one statement of SQL
        :param idempotent: whether a POST of somebody who is signed in heeds Idempotency-Key
        """
        method = method.upper()
        self.operations[method] = operation = Operation(
            view,
            permission,
            body=body,
            body_types=MERGE_PATCH_TYPES if method == "PATCH" else JSON_TYPES,
            query=query,
            returns=Nested(returns) if isinstance(returns, Schema) else returns,
            status=status,
            errors=tuple(errors),
            optional_body=optional_body,
            rate_limits=tuple(rate_limits),
            idempotent=idempotent and method == "POST" and permission is not Permission.PUBLIC,
            if_match=if_match,
            conditional=conditional
            if method == "GET" and permission is Permission.READ and returns is not None
            else None,
            one_statement=one_statement,
        )
        validators = []
        if query is not None:
            validators.append(functools.partial(validate_query, query))
        if body is not None:
            validators.append(functools.partial(validate_body, body, operation.body_types))
        if operation.rate_limits:
            validators.append(functools.partial(check_rates, operation.rate_limits))
        super().add_view(
            method, _answering(operation), permission=permission, validators=validators, **kwargs
        )


def _answering(operation: Operation) -> Callable[[Request], Any]:
    @functools.wraps(operation.view)
    def answering(request: Request) -> Any:
        if operation.if_match is not None:
            request.versions = conditional.versions(request)
        try:
            result = operation.view(request)
        except VersionConflict as changed:
            raise conditional.refusal(changed, operation.if_match) from None
        if (version := getattr(request.context, "version", None)) is not None:
            request.response.headers["ETag"] = f'"{version}"'
        if operation.status == 204:
            return HTTPNoContent()
        if operation.returns is None:
            return result
        request.response.status = operation.status
        return operation.returns.dump(result)

    return idempotency.once(answering) if operation.idempotent else answering


def gateway(name: str) -> Callable[[Request], Any]:
    """What a request reaches a gateway by: the registry has one for all requests."""
    return lambda request: request.registry[name]


def created(request: Request, resource: R) -> R:
    """Tell the path of what was made."""
    request.response.headers["Location"] = resource.path
    return resource


def paths(services: Iterable["ApiService"]) -> re.Pattern[str]:
    """What matches the paths of services, and no others."""
    templates = (re.sub(r"{\w+}", "[0-9]+", service.template) for service in services)
    return re.compile(f"({'|'.join(templates) or '(?!)'})/?")


def find_one_statement_paths(event: ApplicationCreated) -> None:
    """Find out, once, which requests need no transaction."""
    registry = event.app.registry
    found: dict[str, list[ApiService]] = {}
    for service in services_of(registry):
        for method, operation in service.operations.items():
            if operation.one_statement:
                found.setdefault(method, []).append(service)
    registry["one_statement_paths"] = {method: paths(some) for method, some in found.items()}


def find_conditional_paths(event: ApplicationCreated) -> None:
    """Find out, once, which paths can be asked for conditionally."""
    registry = event.app.registry
    found: dict[ETagStrategy, list[ApiService]] = {kind: [] for kind in ETagStrategy}
    for service in services_of(registry):
        operation = service.operations.get("GET")
        if operation is not None and operation.conditional is not None:
            found[operation.conditional].append(service)
    registry["conditional_paths"] = {kind: paths(some) for kind, some in found.items()}


def services_of(registry: Any) -> list["ApiService"]:
    """The services of an application."""
    registered = set(registry.cornice_services.values())
    return [service for service in get_services() if service in registered]


def validate_body(schema: Schema, types: frozenset[str], request: Request, **_kwargs: Any) -> None:
    """Put the checked JSON body into ``request.validated``.

    :raises UnsupportedMediaType: for another type than JSON
    :raises PayloadTooLarge: beyond :data:`MAX_BODY_BYTES`
    :raises BadRequest: for what is not a JSON object
    :raises ValidationFailed: for wrong and unknown fields
    """
    if request.content_type.lower() not in types:
        raise UnsupportedMediaType
    request.validated = _deserialized(schema, json_object(request), "body")


def validate_optional_body(schema: Schema, request: Request) -> dict[str, Any]:
    """The checked body of an operation with an ``optional_body``; without one, the defaults.

    :raises ApiError: as :func:`validate_body`
    """
    if not request.content_length:
        return schema.deserialize({})
    validate_body(schema, JSON_TYPES, request)
    return request.validated


def json_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object.

    The standard library's parser, not orjson: it lets lone surrogates through to the fields, where
    they are told by name.

    :raises PayloadTooLarge:
    :raises BadRequest:
    """
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise PayloadTooLarge
    try:
        value = _JSON.decode(request.body.decode())
    except (ValueError, RecursionError):
        raise BadRequest("The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are no JSON (RFC 8259, section 6)


_JSON = json.JSONDecoder(parse_constant=_refuse_constant)


def validate_query(schema: Schema, request: Request, **_kwargs: Any) -> None:
    """Put the checked query into ``request.validated``. Empty and unknown parameters are ignored.

    :raises BadRequest: for what is not UTF-8
    :raises ValidationFailed: for wrong values, and for two where there is one
    """
    try:
        given = request.GET
    except UnicodeDecodeError:
        raise BadRequest("The query is not UTF-8.") from None
    parameters: dict[str, Any] = {}
    for node in schema.children:
        values = [value for value in given.getall(node.name) if value]
        if len(values) > 1 and not isinstance(node.typ, TextList):
            fault = {"loc": ["query", node.name], "msg": "Must be given once.", "type": "repeated"}
            raise ValidationFailed([fault])
        if values:
            parameters[node.name] = values if isinstance(node.typ, TextList) else values[0]
    request.validated = _deserialized(schema, parameters, "query")


def _deserialized(schema: Schema, value: Mapping[str, Any], where: str) -> Any:
    try:
        return schema.deserialize(value)
    except colander.Invalid as invalid:
        raise ValidationFailed(errors_of(invalid, where)) from None


def strip_trailing_slash(event: NewRequest) -> None:
    """``/jobs/`` is ``/jobs``: the same resource, answered directly, never a redirect.

    :raises NotFound: for a newline, which the ``$`` at the end of a route's pattern does not see
    """
    environ = event.request.environ
    path = environ["PATH_INFO"]
    if "\n" in path:
        raise NotFound
    if len(path) > 1 and path.endswith("/"):
        environ["PATH_INFO"] = path[:-1]


def includeme(config: Any) -> None:
    # Off, or Cornice's own views for 404 and 403 would win over ours, and answer text/plain.
    config.add_settings(handle_exceptions=False)
    config.include("cornice")
    config.include("jobtracker.renderer")
    config.add_subscriber(strip_trailing_slash, NewRequest)
    config.add_subscriber(find_one_statement_paths, ApplicationCreated)
    config.add_subscriber(find_conditional_paths, ApplicationCreated)
