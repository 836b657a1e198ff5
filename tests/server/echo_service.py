"""A service that repeats the API key in every place where a response has text."""

import json
from typing import Any

import httpx

KEY = "llx-aB3dE6gH9kLmN2pQ5sT8vW1yZ4cF7hJ0rX"
# Whole; with white space, markup, and an invisible character inside; half of it, as a cut text leaves it.
FORMS = [
    KEY,
    f"{KEY[:9]}\n{KEY[9:]}",
    f"{KEY[:9]}<b>{KEY[9:]}",
    f"{KEY[:9]}\u200b{KEY[9:]}",
    f"{'so says the page ' * 40}{KEY}",
]


def build_job(form: str, status: str = "COMPLETED") -> dict[str, Any]:
    """Return a job that repeats the key in its fields, values and metadata."""
    rows = [{"name": form, form: index, "note": f"{index}: {form}"} for index in range(60)]
    metadata = {"name": {"confidence": 0.4, "citation": [{"page": 1, "matching_text": f"see {form}"}]}, "rows": []}
    return {
        "id": "ext-1",
        "status": status,
        "error_message": f"cannot use {form}",
        "file_input": "dfl-1",
        "document_input_value": form,
        "configuration_id": f"cfg-{form}",
        "created_at": "2026-01-01T00:00:00Z",
        "configuration": {
            "system_prompt": form,
            "data_schema": {"type": "object", "properties": {form: {"description": form}}},
            "webhook_configurations": [{"webhook_url": f"https://host/{form}", "webhook_headers": {form: form}}],
        },
        "extract_result": {"name": form, form: form, "long": f"{'x ' * 300}{form}", "rows": rows},
        "extract_metadata": {
            "parse_job_id": "pjb-1",
            "field_metadata": {"document_metadata": metadata, "page_metadata": [{form: form}]},
        },
        "usage": {form: form},
        "metadata": {form: form},
    }


def respond(form: str, request: httpx.Request, status: str = "COMPLETED") -> httpx.Response:
    """Return a response that repeats the key, also in its status line and headers."""
    reason = form if form.isascii() and form.isprintable() else KEY
    head: dict[str, Any] = {
        "headers": {"x-key": KEY, "etag": KEY},
        "extensions": {"reason_phrase": reason.encode()},
    }
    path = request.url.path
    if path == "/api/v2/extract":
        # No client sends the key in a URL, so a list that goes on ends with an error.
        token = None if "status" in request.url.params else form
        page = {"items": [build_job(form, status)], "next_page_token": token}
        return httpx.Response(200, json=page, **head)
    if path == "/api/v1/beta/files":
        return httpx.Response(200, json={"items": [{"id": "1", "name": form}]}, **head)
    if path == "/api/v2/parse/pjb-1":
        pages = [{"page_number": 1, "text": form}, {"page_number": 2, "text": f"so says the page: {form}"}]
        return httpx.Response(200, json={"text": {"pages": pages}}, **head)
    if path == "/api/v2/extract/ext-1":
        return httpx.Response(200, json=build_job(form, status), **head)
    if path == "/api/v2/extract/ext-html":
        return httpx.Response(500, text=f"<html>{form}</html>", **head)
    return httpx.Response(404, json={"detail": f"no such job; your key is {form}"}, **head)


def find_key(text: str) -> str | None:
    """Return the part of a text that repeats the key or half of it; None if no part does."""
    plain = json.dumps(text, ensure_ascii=True)
    for gap in ("\\\\", "\\n", "n", "u200b", "<b>", " "):
        parts = [KEY[index : index + 19] for index in range(len(KEY) - 18)]
        found = next((part for part in parts if part in plain), None)
        if found is not None:
            return found
        plain = plain.replace(gap, "")
    return None
