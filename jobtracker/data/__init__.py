"""What is no Python package, but belongs to the installation: links to the top of the repository.

``migrations/``, ``deploy/`` and the ini files; a wheel contains copies of them.
"""

from pathlib import Path

DATA = Path(__file__).parent
