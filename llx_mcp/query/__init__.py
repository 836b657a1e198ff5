"""SQL over the tables of a result: one read-only SELECT at a time, in an in-memory SQLite database, within limits."""
