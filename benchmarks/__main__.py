"""`make bench`: run each benchmark in turn."""

from benchmarks import grounding, questions, reading, replicas, serving, startup, tokens, waiting

for title, run in (
    ("Start-up", startup.run),
    ("Tokens", tokens.run),
    ("Questions", questions.run),
    ("Reading", reading.run),
    ("Grounding", grounding.run),
    ("Waiting", waiting.run),
    ("Replicas", replicas.run),
    ("Serving", serving.run),
):
    print(f"\n## {title}\n")
    run()
