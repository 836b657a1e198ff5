"""A decoded result and its metadata, read by column. Pure: no I/O."""
