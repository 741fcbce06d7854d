"""The audit trail: what happened to the accounts of users, and from where."""
