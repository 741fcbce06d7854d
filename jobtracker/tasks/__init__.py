"""Tasks: work that takes longer than a request, which workers do."""
