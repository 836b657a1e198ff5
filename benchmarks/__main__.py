"""`make bench`: run each benchmark in turn."""

from benchmarks import startup, tokens

for title, run in (("Start-up", startup.run), ("Tokens", tokens.run)):
    print(f"\n## {title}\n")
    run()
