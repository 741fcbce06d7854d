"""Benchmarks of JobTracker, the twin and PostgreSQL: README.md describes them."""
