"""What judges the server from outside, run against `llx-mcp serve --local`."""
