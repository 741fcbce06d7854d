"""The servers that are compared, each as ``[server:main]`` of an ini file."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """A server; its section gets ``workers`` and the address when it is run."""

    name: str
    section: dict[str, str]


WAITRESS = {
    "threads": "8",
    "max_request_body_size": "8388608",
    "connection_limit": "1000",
    "asyncore_use_poll": "true",
    "channel_timeout": "60",
}

CANDIDATES = (
    Candidate(
        "waitress",
        {"paste.server_factory": "benchmarks.forked_waitress:server_factory", **WAITRESS},
    ),
    Candidate(
        "gunicorn",
        {
            "use": "egg:gunicorn#main",
            "worker_class": "gthread",
            "threads": "8",
            "control_socket_disable": "true",
        },
    ),
    Candidate(
        "granian-wsgi",
        {"paste.server_factory": "benchmarks.granian_wsgi:server_factory", "threads": "8"},
    ),
    Candidate("granian-asgi", {"use": "egg:jobtracker#granian", "threads": "8"}),
)
