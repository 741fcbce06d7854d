"""How much of a body each operation takes."""

from typing import Any

from jobtracker.http.service import services_of
from jobtracker.permissions import Permission

KIB = 1024
# They take a file of 1 MiB, with the escapes of JSON, or in base64.
OF_FILES = ("/imports/csv", "/imports/csv/check")


def test_operations_take_as_much_as_they_need(app: Any):
    for service in services_of(app.registry):
        for method, operation in service.operations.items():
            limit = operation.max_body_bytes
            if operation.body is None and operation.optional_body is None:
                assert limit <= KIB, (service.template, method)
            elif operation.permission is Permission.PUBLIC:
                assert limit <= 16 * KIB, (service.template, method)
            else:
                factor = 4 if service.template in OF_FILES else 1
                assert 16 * KIB <= limit <= factor * KIB * KIB, (service.template, method)
