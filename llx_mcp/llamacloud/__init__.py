"""The HTTP client of LlamaCloud. Importing this package does not import httpx; `open_client` does."""

from llx_mcp.llamacloud.opening import open_client

__all__ = ["open_client"]
