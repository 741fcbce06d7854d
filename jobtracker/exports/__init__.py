"""Exports: archives of all that a user stores, which a task writes to S3."""
