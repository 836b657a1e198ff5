"""Tests of the relations between values."""
