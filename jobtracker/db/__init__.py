"""The database: engines, connections, statements, keyset pagination."""
