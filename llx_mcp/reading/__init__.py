"""Job in, answer out: pure functions, no I/O, no clock, no MCP."""
