"""Activity: what happened to a job, newest first, and how much happened in the last days."""
