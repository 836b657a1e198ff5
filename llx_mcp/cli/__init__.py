"""The command `llx-mcp`."""
