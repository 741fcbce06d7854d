"""Details: a job with its notes, interviews and activity in one response."""
