"""Processes beside the server: large jobs are read in them, and queries run in them, so that both can be ended."""
