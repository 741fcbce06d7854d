"""The endpoints of the API, and one example of each resource that it creates."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from cornice.service import get_services

from jobtracker.db.connections import transaction
from jobtracker.http.service import ApiService
from jobtracker.permissions import Permission
from jobtracker.tasks.queries import enqueue
from tests.common.api import Api

PLACEHOLDER = re.compile(r"{(\w+)}")
ITEM = re.compile(r"(.*)/{(\w+)}")


class Endpoint(NamedTuple):
    method: str
    template: str
    permission: Permission


def endpoints() -> Iterator[Endpoint]:
    for service in get_services():
        for method, _view, arguments in service.definitions:
            yield Endpoint(method, service.template, arguments["permission"])


def fill(template: str, ids: dict[str, int]) -> str:
    """The path with ids for its placeholders.

    :raises KeyError: for a placeholder without an id
    """
    return template.format_map(ids)


def missing_ids() -> dict[str, int]:
    """An id that no resource has, for each placeholder."""
    names = {name for service in get_services() for name in PLACEHOLDER.findall(service.template)}
    return {name: 1_000_001 + number for number, name in enumerate(sorted(names))}


def example_ids(client: Api) -> dict[str, int]:
    """The ids of one resource of each kind, by placeholder: the client's own, or new ones.

    A new one is created from the example of the body's schema.
    """
    services: dict[str, ApiService] = {service.template: service for service in get_services()}
    ids: dict[str, int] = {}
    for template in sorted(services, key=lambda template: template.count("/")):
        if item := ITEM.fullmatch(template):
            collection, name = item.groups()
            if template == "/tasks/{task_id}":  # no request lists or creates them
                ids[name] = _enqueue(client)
                continue
            found = client.get(fill(collection, ids)).json
            ids[name] = found[0]["id"] if found else _create(client, services, collection, ids)
    return ids


def _enqueue(client: Api) -> int:
    user_id = client.get("/users/me").json["id"]
    with transaction(client.app.app.registry["db_sessions"]) as connection:
        return enqueue(connection, user_id, "example")


def _create(
    client: Api, services: dict[str, ApiService], collection: str, ids: dict[str, int]
) -> int:
    """POST to the collection, or to the path below it that creates its items. Returns the id."""
    (create,) = (
        service
        for template, service in services.items()
        if re.fullmatch(rf"{re.escape(collection)}(/[\w-]+)?", template)
        and "POST" in service.operations
        and service.operations["POST"].status == 201
    )
    body = create.operations["POST"].body
    assert body is not None
    answer = client.post(fill(create.template, ids), body.example, status=201)
    location = answer.headers["Location"]
    assert re.search(rf"{re.escape(fill(collection, ids))}/[1-9][0-9]*$", location)
    return int(location.rpartition("/")[2])
