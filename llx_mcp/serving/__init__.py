"""The server over streamable HTTP: who may call, as whom, within which limits."""
