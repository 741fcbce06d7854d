"""The SQL of the networks from which users have signed in. PostgreSQL computes the hashes."""

import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import insert

from jobtracker.auth.models import SignInNetwork
from jobtracker.db.base import NOW
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.expiry import ExpiredRows
from jobtracker.db.signing_keys import SigningKey
from jobtracker.db.statements import Command, ScalarStatement

# The name of the key of the hashes, which its migration inserts.
KEY_NAME = "sign_in_networks"

# How long a network is known after the last sign-in, and how many are for each account.
TTL = datetime.timedelta(days=30)
MAX_NETWORKS = 20
# A sign-in is recorded unless one from the same network was in the last day.
RESOLUTION = datetime.timedelta(days=1)


def _hash(name: str) -> Any:
    """The SHA-256 of the key and a parameter."""
    key = select(SigningKey.key).where(SigningKey.name == KEY_NAME).scalar_subquery()
    given = func.convert_to(bindparam(name, type_=sa.Text), "UTF8")
    return func.sha256(key.op("||")(given))


_C = SignInNetwork.__table__.c
_ACCOUNT, _NETWORK = _hash("account"), _hash("network")
_FIND = ScalarStatement[datetime.datetime](
    select(_C.signed_in_at).where(
        _C.account_hash == _ACCOUNT, _C.network_hash == _NETWORK, _C.signed_in_at > NOW - TTL
    )
)
# Without waiting for locks, so that concurrent sign-ins cannot deadlock.
_surplus = (
    select(_C.network_hash)
    .where(_C.account_hash == _ACCOUNT, _C.network_hash != _NETWORK)
    .order_by(_C.signed_in_at.desc())
    .offset(MAX_NETWORKS - 1)
    .with_for_update(skip_locked=True)
)
_deleted = (
    sa.delete(SignInNetwork.__table__)
    .where(_C.account_hash == _ACCOUNT, _C.network_hash.in_(_surplus))
    .cte("deleted")
)
_NEW = insert(SignInNetwork.__table__).values(account_hash=_ACCOUNT, network_hash=_NETWORK)
_RECORD = Command(
    _NEW.on_conflict_do_update(
        index_elements=["account_hash", "network_hash"],
        set_={"signed_in_at": _NEW.excluded.signed_in_at},
        where=_C.signed_in_at <= _NEW.excluded.signed_in_at - RESOLUTION,
    ).add_cte(_deleted)
)
_DELETE = Command(sa.delete(SignInNetwork.__table__).where(_C.account_hash == _ACCOUNT))
EXPIRED = ExpiredRows(SignInNetwork, _C.signed_in_at <= NOW - TTL)


def is_sign_in_network(connection: SupportsExecute, email: str, network: str) -> bool:
    """Whether the owner of the account has signed in from that network in the last TTL."""
    return _FIND.first(connection, **_parameters(email, network)) is not None


def record_sign_in_network(connection: SupportsExecute, email: str, network: str) -> None:
    """Record a sign-in; the networks of the account beyond the latest MAX_NETWORKS are deleted."""
    _RECORD.execute(connection, **_parameters(email, network))


def delete_sign_in_networks(connection: SupportsExecute, email: str) -> None:
    _DELETE.execute(connection, account=email)


def _parameters(email: str, network: str) -> dict[str, str]:
    return {"account": email, "network": f"{network} {email}"}
