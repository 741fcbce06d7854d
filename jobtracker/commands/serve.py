"""Serve the application of an ini file: pserve, with all of its options.

Values of the file can refer to variables, which follow it: %(http_port)s, http_port=8080.
"""

import argparse
import sys

from plaster_pastedeploy import Loader
from pyramid.scripts.pserve import PServeCommand

from jobtracker.commands import ini

PARSER = PServeCommand.parser


class ServerLoader(Loader):
    """A loader whose errors are one line."""

    def get_wsgi_server(self, name: str | None = None, defaults: object = None) -> object:
        section = f"[server:{name or 'main'}]"
        with ini.errors_of(self.uri.path, section):
            return super().get_wsgi_server(name, defaults)

    def setup_logging(self, defaults: object = None) -> None:
        with ini.errors_of(self.uri.path, "the sections of logging"):
            super().setup_logging(defaults)


class Serve(PServeCommand):
    @staticmethod
    def _get_config_loader(uri: str) -> ServerLoader:
        return ServerLoader(ini.load(uri).uri)


def run(arguments: argparse.Namespace) -> object:
    for each in arguments.config_vars:
        if "=" not in each:
            PARSER.exit(2, f"jobtracker serve: {each} is no variable name=value\n")
    return Serve(["jobtracker", *sys.argv[2:]]).run()
