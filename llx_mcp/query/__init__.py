"""SQL over the tables of a result: one read-only SELECT, on SQLite in memory, within limits."""
