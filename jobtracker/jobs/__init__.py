"""Jobs: the user's applications."""
