"""What was deleted, until it is purged: restored, or deleted for good."""
