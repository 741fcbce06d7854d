"""The deletion of an account: what it comprises, and the tasks that carry it out."""
