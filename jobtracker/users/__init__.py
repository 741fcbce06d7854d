"""The authenticated user: profile, settings, password."""
