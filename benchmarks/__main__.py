"""`make bench`: run each benchmark in turn."""

from benchmarks import questions, reading, serving, startup, tokens, waiting

for title, run in (
    ("Start-up", startup.run),
    ("Tokens", tokens.run),
    ("Questions", questions.run),
    ("Reading", reading.run),
    ("Waiting", waiting.run),
    ("Serving", serving.run),
):
    print(f"\n## {title}\n")
    run()
