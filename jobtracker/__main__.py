"""``python -m jobtracker``: the same as the command ``jobtracker``."""

from jobtracker.commands import main

main()
