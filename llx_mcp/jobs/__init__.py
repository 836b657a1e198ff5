"""Jobs as the tools ask for them: fetched, and waited for."""
