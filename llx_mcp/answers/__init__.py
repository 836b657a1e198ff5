"""What the tools answer, within a budget of characters. Pure: no I/O."""
