"""The archive of an account: a zip of all that a user stores: docs/export-format.md."""
