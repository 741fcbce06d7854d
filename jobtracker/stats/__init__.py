"""Statistics: the funnel of the user's jobs."""
