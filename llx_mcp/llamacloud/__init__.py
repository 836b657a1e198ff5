"""LlamaCloud over HTTP. Importing this imports the HTTP client: do so when it is first needed."""

from llx_mcp.llamacloud.client import LlamaCloudClient, open_client

__all__ = ["LlamaCloudClient", "open_client"]
