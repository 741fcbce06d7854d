"""The board: all jobs as cards, by status."""
