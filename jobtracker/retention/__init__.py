"""The retention of closed jobs, by the user's setting ``data_retention_days``."""
