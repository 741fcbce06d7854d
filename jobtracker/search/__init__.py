"""Full-text search over jobs and their notes."""
