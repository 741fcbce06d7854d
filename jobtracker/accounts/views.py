"""``/users/me/deletion``. The deletion itself is ``DELETE /users/me``."""

from typing import Any

from pyramid.request import Request

from jobtracker.accounts.resources import DeletionResource
from jobtracker.accounts.schemas import DeletionOut
from jobtracker.http.rate_limits import USAGE_BY_USER
from jobtracker.http.service import ApiService
from jobtracker.permissions import Permission

account_deletion = ApiService("account_deletion", "/users/me/deletion", context=DeletionResource)


@account_deletion.get(
    permission=Permission.READ, returns=DeletionOut(), rate_limits=[USAGE_BY_USER]
)
def get_deletion(request: Request) -> dict[str, Any]:
    """What `DELETE /users/me` deletes: how many things of each kind, the trash included, the bytes
    of the documents, and the files. For `grace_days` the support can undo it; 0 for never."""
    content = request.context.content()
    sizes = {"document_bytes": content.document_bytes, "objects": content.objects}
    return {"counts": content, **sizes, "grace_days": request.context.grace_days}
