"""Fetches, caches and polls jobs."""
