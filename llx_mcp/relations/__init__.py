"""Sums, products, running balances and orders that a result shows by itself, and the values that break them."""
