"""Print all settings with their effective values, defaults included; secrets are masked."""

import argparse
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from plaster_pastedeploy import Loader

from jobtracker import settings as settings_
from jobtracker.commands import ini
from jobtracker.environment import UnsetVariable, expand

PARSER = ini.parser()

MASK = "***"
# Of a name, that of another package too.
SECRET = re.compile(r"(?i)secret|passw|token$|credential|access_key|private_key|dsn")
URL_PASSWORD = re.compile(r"(://[^:/@?#\s]*:)([^@\s]*)@")
QUERY_PASSWORD = re.compile(r"(?i)([?&][^=&\s]*(?:passw|secret|token)[^=&\s]*=)([^&\s]*)")
# Characters: a shorter secret is a part of other words.
MIN_LENGTH = 4


def run(arguments: argparse.Namespace) -> str | None:
    raw = ini.load(arguments.ini).get_wsgi_app_settings()
    typed, problems = settings_.parse(raw)
    local = _local_names(raw)
    problems = [(name, reason) for name, reason in problems if name not in local]
    invalid = {name for name, _reason in problems}
    # A variable that several settings use is reported once.
    invalid |= {
        each.name for each in settings_.SETTINGS if each.default is ... and typed[each.name] is None
    }
    for name, value in {**raw, **typed}.items():
        if name in local:
            print(f"{name} = (of the local stack)")
        elif name not in invalid:
            print(f"{name} = {masked(name, value)}".rstrip())
    sys.stdout.flush()
    return "\n".join(f"Setting {name}: {reason}" for name, reason in problems) or None


def masked(name: str, value: Any) -> str:
    """The value of a setting, as an ini file has it, without secrets."""
    text = _as_text(value)
    if text and SECRET.search(name):
        return MASK
    text = URL_PASSWORD.sub(rf"\1{MASK}@", text)
    return QUERY_PASSWORD.sub(rf"\1{MASK}", text)


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        separator = "; " if any(" " in str(each) for each in value) else " "
        return separator.join(map(str, value))
    return " ".join(str(value).split())


def secrets_of(raw: Mapping[str, str]) -> set[str]:
    """The secrets of the settings, percent-encoded and decoded."""
    found: set[str] = set()
    for name, value in raw.items():
        try:
            text = expand(value)
        except UnsetVariable:
            continue
        if SECRET.search(name):
            found.add(text)
        for pattern in (URL_PASSWORD, QUERY_PASSWORD):
            found |= {match[2] for match in pattern.finditer(text)}
    return {
        each for secret in found for each in (secret, unquote(secret)) if len(each) >= MIN_LENGTH
    }


def mask(text: str, secrets: Iterable[str]) -> str:
    """A text without the secrets."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def _local_names(raw: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the settings that the local stack provides."""
    if not ini.is_local(raw):
        return ()
    from jobtracker.local.stack import SERVICES, local_services

    services = (SERVICES[name] for name in local_services(raw))
    return tuple(name for each in services for name in (*each.required, *each.optional))


def effective(loader: Loader) -> dict[str, str]:
    """The settings of an ini file, with those of the local stack, which is started for them."""
    raw = dict(loader.get_wsgi_app_settings())
    if not ini.is_local(raw):
        return raw
    from jobtracker.local import leave_environment
    from jobtracker.local.stack import Stack, local_services

    leave_environment(local_services(raw))
    return Stack.from_settings(raw).with_local_settings(raw)
