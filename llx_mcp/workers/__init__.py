"""Worker processes that read large jobs and run queries, so that both can be stopped."""
