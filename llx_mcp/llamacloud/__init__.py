"""LlamaCloud over HTTP. Importing this is cheap: the HTTP client is imported when one is opened."""

from llx_mcp.llamacloud.opening import open_client

__all__ = ["open_client"]
