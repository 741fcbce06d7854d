"""The permissions that ACLs of the resource tree grant and services require."""

from enum import StrEnum


class Permission(StrEnum):
    """What an endpoint requires of its context's ACL."""

    PUBLIC = "public"
    READ = "read"
    WRITE = "write"
