"""A bare `MCPServer` with one tool, over streamable HTTP, as the measure of ours. Run with a port."""

import sys

import uvicorn
from mcp.server.mcpserver import MCPServer

server = MCPServer[None](name="echo", log_level="WARNING")


@server.tool()
def echo(text: str) -> str:
    """Return the text."""
    return text


if __name__ == "__main__":
    app = server.streamable_http_app(stateless_http=True)
    uvicorn.run(app, port=int(sys.argv[1]), http="h11", ws="none", log_level="warning", access_log=False)
