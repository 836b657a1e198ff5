"""`make bench`: run each benchmark in turn."""

from benchmarks import startup, tokens, waiting

for title, run in (("Start-up", startup.run), ("Tokens", tokens.run), ("Waiting", waiting.run)):
    print(f"\n## {title}\n")
    run()
