"""Activity: the events of a job, recorded by triggers."""
