"""Write an ini file with all settings, their descriptions and defaults.

One that is named development.ini is that of the local stack, which needs jobtracker[local].
"""

import argparse
import re
from pathlib import Path

from jobtracker.data import DATA

PARSER = argparse.ArgumentParser()
PARSER.add_argument(
    "ini", metavar="INI", nargs="?", default="production.ini", help="default: production.ini"
)


def run(arguments: argparse.Namespace) -> str | None:
    path = Path(arguments.ini)
    is_local = path.name == "development.ini"
    template = DATA / ("development.ini" if is_local else "production.ini")
    text = template.read_text()
    try:
        with path.open("x") as file:
            file.write(text)
    except FileExistsError:
        return f"{path} exists: it is not overwritten"
    except OSError as error:
        return f"{path}: {error.strerror}"
    print(f"{path} is written.")
    if is_local:
        print(f"Then: jobtracker serve {path}")
        return None
    required = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    variables = dict.fromkeys(re.findall(r"\$\{(\w+)\}", required))
    print(f"Its environment variables: {', '.join(variables)}")
    print(f"The templates of AWS, of the database and of services: {DATA / 'deploy'}")
    commands = (f"jobtracker {name} {path}" for name in ("check", "migrate", "serve"))
    print(f"Then: {', '.join(commands)}")
    return None
