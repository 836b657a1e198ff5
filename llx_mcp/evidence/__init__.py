"""Checks citations against the text of the document: where a value and its quote stand. Pure functions."""
