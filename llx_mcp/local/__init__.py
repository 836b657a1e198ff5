"""The embedded LlamaExtract API: an HTTP service over SQLite that needs no account and no network."""

from llx_mcp.local.app import create_app
from llx_mcp.local.database import StoreError
from llx_mcp.local.job_store import JobStore
from llx_mcp.local.samples import SAMPLE_RUNNING_ID, SAMPLES, Sample
from llx_mcp.local.seeding import open_store

__all__ = ["SAMPLES", "SAMPLE_RUNNING_ID", "JobStore", "Sample", "StoreError", "create_app", "open_store"]
