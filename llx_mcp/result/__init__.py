"""The decoded result of a job and its metadata, stored by column. Does no I/O."""
