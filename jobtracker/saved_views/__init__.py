"""Saved views: the user's named filters and columns."""
