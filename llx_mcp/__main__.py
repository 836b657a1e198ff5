"""Runs the command `llx-mcp` with `python -m llx_mcp`."""

from llx_mcp.cli.main import main

if __name__ == "__main__":
    main()
