"""The endpoints of the API, and one example of each resource that it creates."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from cornice.service import get_services

from jobtracker.db.connections import transaction
from jobtracker.http.service import ApiService
from jobtracker.permissions import Permission
from jobtracker.tasks.queries import enqueue
from tests.common.api import Api

#: The value of the placeholder that is no id.
KIND: dict[str, Any] = {"kind": "note"}
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


def fill(template: str, ids: dict[str, Any]) -> str:
    """The path with ids for its placeholders.

    :raises KeyError: for a placeholder without an id
    """
    return template.format_map(ids)


def missing_ids() -> dict[str, Any]:
    """An id that no resource has, for each placeholder."""
    names = {name for service in get_services() for name in PLACEHOLDER.findall(service.template)}
    return {name: 1_000_001 + number for number, name in enumerate(sorted(names))} | KIND


def example_ids(client: Api) -> dict[str, Any]:
    """The ids of one resource of each kind, by placeholder: the client's own, or new ones.

    A new one is created from the example of the body's schema.
    """
    services: dict[str, ApiService] = {service.template: service for service in get_services()}
    ids: dict[str, Any] = {**KIND}
    for template in sorted(services, key=lambda template: template.count("/")):
        if item := ITEM.fullmatch(template):
            collection, name = item.groups()
            if template == "/trash/{kind}/{id}":
                continue
            if template == "/tasks/{task_id}":  # no request lists or creates them
                ids[name] = _enqueue(client)
                continue
            found = client.get(fill(collection, ids)).json
            ids[name] = found[0]["id"] if found else _create(client, services, collection, ids)
    return {**ids, "id": _trashed_note(client, ids), "version_id": _version(client, ids)}


def _trashed_note(client: Api, ids: dict[str, Any]) -> int:
    """The id of a note in the trash."""
    if not (found := client.get("/trash?kind=note").json):
        path = fill("/jobs/{job_id}/notes", ids)
        note = client.post(path, {"body": "in the trash"}).json["id"]
        client.delete(f"{path}/{note}")
        found = client.get("/trash?kind=note").json
    return int(found[0]["id"])


def _version(client: Api, ids: dict[str, Any]) -> int:
    """The id of a document that was replaced by the one in the ids."""
    path = fill("/jobs/{job_id}/documents/{document_id}/versions", ids)
    if not (found := client.get(path).json):
        with transaction(client.app.app.registry["db_sessions"]) as connection:
            connection.execute(
                """INSERT INTO documents (user_id, application_id, doc_type, original_filename,
                       size_bytes, upload_key, object_key, upload_expires_at, status, uploaded_at,
                       trashed_at, trash_reason)
                   SELECT user_id, application_id, doc_type, 'replaced.pdf', 1, 'incoming/' || id,
                       'documents/' || id, now(), 'uploaded', now(), now(), 'replaced'
                   FROM documents WHERE application_id = %(job_id)s AND id = %(document_id)s""",
                ids,
            )
        found = client.get(path).json
    return int(found[0]["id"])


def _enqueue(client: Api) -> int:
    user_id = client.get("/users/me").json["id"]
    with transaction(client.app.app.registry["db_sessions"]) as connection:
        return enqueue(connection, user_id, "example")


def _create(
    client: Api, services: dict[str, ApiService], collection: str, ids: dict[str, Any]
) -> int:
    """POST to the collection, or to the path below it that creates its items. Returns the id."""
    creating = (
        service
        for template, service in services.items()
        if re.fullmatch(rf"{re.escape(collection)}(/[\w-]+)?", template)
        and "POST" in service.operations
        and service.operations["POST"].status in (201, 202)
    )
    create = min(creating, key=lambda service: len(service.template))
    operation = create.operations["POST"]
    assert operation.body is not None
    path = fill(create.template, ids)
    answer = client.post(path, operation.body.example, status=operation.status)
    location = answer.headers["Location"]
    assert re.search(rf"{re.escape(fill(collection, ids))}/[1-9][0-9]*$", location)
    return int(location.rpartition("/")[2])
