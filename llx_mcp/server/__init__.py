"""The MCP server: tools, resources, prompts, subscriptions and tasks, over stdio and HTTP."""
