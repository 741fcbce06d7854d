"""Notes on a job."""
