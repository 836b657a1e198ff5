"""Read LlamaExtract jobs through the Model Context Protocol."""


def __getattr__(name: str) -> str:
    """Return `__version__`, read when it is first needed: the import behind it takes 40 ms of a worker's start."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("llx-mcp")
