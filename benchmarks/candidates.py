"""The servers that could serve JobTracker, each as ``[server:main]`` of an ini file."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """A server, with two processes of eight threads."""

    name: str
    section: dict[str, str]
    # As in production.ini: waitress' own, which is one process.
    processes: int = 2


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
        "granian",
        {"paste.server_factory": "benchmarks.embedded_granian:server_factory", "threads": "8"},
    ),
    Candidate("granian-asgi", {"use": "egg:jobtracker#granian", "threads": "8"}),
)
