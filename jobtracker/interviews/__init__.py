"""Interviews for a job."""
