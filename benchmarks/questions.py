"""The cost for a model of the forty questions in `tests/questions.py`: calls, and tokens of their answers."""

import json
from collections import defaultdict
from typing import Any

import anyio

from benchmarks.tokens import CORPUS, count_tokens
from llx_mcp.result.sanitize import dump_json
from tests.clients import call, connect_to_corpus, structured, text_of
from tests.questions import QUESTIONS

MOST_TOKENS = 4_000
LARGEST = 4
MOST_SHARE = 0.03


def run() -> None:
    """Print the cost of each question."""
    if not CORPUS.exists():
        print(f"{CORPUS} is missing, so no question is measured.")
        return
    anyio.run(_measure_all)


async def _measure_all() -> None:
    whole = {
        question.job: count_tokens(dump_json(json.loads((CORPUS / f"{question.job}.job.json").read_bytes())))
        for question in QUESTIONS
    }
    largest = sorted(whole, key=lambda job: -whole[job])[:LARGEST]
    print("| question | calls | tokens, text / structured | share of the whole job |\n|---|---|---|---|")
    worst: dict[str, float] = defaultdict(float)
    async with connect_to_corpus(CORPUS) as client:
        for question in QUESTIONS:
            text, data = 0, 0
            for tool, arguments in question.calls:
                request: dict[str, Any] = {"job_id": question.job, **arguments}
                result = await call(client, tool, **request)
                request_tokens = count_tokens(dump_json({"name": tool, "arguments": request}))
                text += request_tokens + count_tokens(text_of(result))
                data += request_tokens + count_tokens(dump_json(structured(result)))
            share = max(text, data) / whole[question.job]
            worst["tokens"] = max(worst["tokens"], text, data)
            if question.job in largest:
                worst["share"] = max(worst["share"], share)
            print(f"| {question.job}: {question.words} | {len(question.calls)} | {text} / {data} | {share:.1%} |")
    print(f"\nMost tokens for a question: {worst['tokens']:.0f} (bar {MOST_TOKENS:,}).")
    print(f"Largest share on the {LARGEST} largest jobs: {worst['share']:.1%} (bar {MOST_SHARE:.0%}).")
