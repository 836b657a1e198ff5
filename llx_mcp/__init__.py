"""Read LlamaExtract jobs through the Model Context Protocol."""

from importlib.metadata import version

__version__ = version("llx-mcp")
