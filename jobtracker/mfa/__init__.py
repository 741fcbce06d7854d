"""TOTP as a second factor, by the choice of who is signed in."""

from typing import Any


def includeme(config: Any) -> None:
    config.scan("jobtracker.mfa.views")
