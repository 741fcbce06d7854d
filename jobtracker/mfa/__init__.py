"""TOTP as a second factor that users enable and disable for themselves."""

from typing import Any


def includeme(config: Any) -> None:
    config.scan("jobtracker.mfa.views")
