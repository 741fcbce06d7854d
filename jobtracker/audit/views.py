"""``/users/me/audit``."""

from pyramid.request import Request

from jobtracker.audit.resources import AuditCollection
from jobtracker.audit.schemas import AuditEntryOut, AuditQuery
from jobtracker.fields import ListOf, Rendered
from jobtracker.http.conditional import ETagStrategy
from jobtracker.http.pagination import paginate
from jobtracker.http.service import ApiService
from jobtracker.permissions import Permission

audit = ApiService("audit", "/users/me/audit", context=AuditCollection)


@audit.get(
    permission=Permission.READ,
    query=AuditQuery(),
    returns=ListOf(AuditEntryOut()),
    # Entries do not increment the revision, and `current` depends on the token.
    etag=ETagStrategy.BY_BODY,
)
def get_audit(request: Request) -> Rendered:
    """What happened to your account, newest first: sign-ins, failed ones, changes of the password
    and of MFA, exports.

    Failed attempts of one kind, network and UTC day are one entry, from `at` to `last_at`, with
    their `count`; so is everything of a kind beyond 100 entries a day. `client` stands for the
    network of the client, null for several, and `session` for a sign-in with all its refreshes:
    what is the same has the same text. `current` says whether it is the session of this request.
    """
    return paginate(request, request.context.page, **request.validated)
