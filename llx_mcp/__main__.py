"""`python -m llx_mcp` is `llx-mcp`."""

from llx_mcp.cli.main import main

if __name__ == "__main__":
    main()
