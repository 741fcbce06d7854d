"""History: the steps of a job through its statuses."""
