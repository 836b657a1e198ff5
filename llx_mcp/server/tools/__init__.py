"""The tools that a model calls, one module each. Each answers with a model of `llx_mcp.outputs`."""
