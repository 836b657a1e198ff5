"""Measurements, side by side in one run and as ratios; none of them is a test."""
