"""``/jobs/{job_id}/contacts``."""

from pyramid.request import Request

from jobtracker.fields import ListOf, Rendered
from jobtracker.http.pagination import PageQuery, paginate
from jobtracker.http.service import ApiService, set_location
from jobtracker.permissions import Permission

from .queries import ContactRow
from .resources import ContactCollection, ContactResource
from .schemas import ContactIn, ContactOut

CONTACT_OUT = ContactOut()

contacts = ApiService("contacts", "/jobs/{job_id}/contacts", context=ContactCollection)
contact = ApiService("contact", "/jobs/{job_id}/contacts/{contact_id}", context=ContactResource)


@contacts.get(permission=Permission.READ, query=PageQuery(), returns=ListOf(CONTACT_OUT))
def get_contacts(request: Request) -> Rendered:
    """The contacts of a job, A to Z."""
    return paginate(request, request.context.page, **request.validated)


@contacts.post(permission=Permission.WRITE, body=ContactIn(), returns=CONTACT_OUT, status=201)
def post_contact(request: Request) -> ContactRow:
    """Add a contact."""
    return set_location(request, request.context.add(**request.validated)).row


@contact.get(permission=Permission.READ, returns=CONTACT_OUT)
def get_contact(request: Request) -> ContactRow:
    """One contact."""
    return request.context.row


@contact.delete(permission=Permission.WRITE, status=204)
def delete_contact(request: Request) -> None:
    """Delete a contact."""
    request.context.delete()
