"""Engines over a small result."""

from typing import Any

from llx_mcp.query.engine import Engine
from tests.result.documents import build_document, build_entry, build_metadata

RESULT = {
    "number": "A-1",
    "seller": {"name": "Acme", "vat id": "X"},
    "long": "word " * 100,
    "tags": ["a", "b"],
    "orders": [
        {"id": 1, "items": [{"sku": "p", "n": 2}, {"sku": "q", "n": 3}], "total": 5.5},
        {"id": 2, "items": [{"sku": "p", "n": 4, "number": "own"}], "total": None},
    ],
    "big": 10**20,
    "ok": True,
}
TREE = {
    "number": build_entry(0.9, 1, "No. A-1"),
    "orders": [
        {
            "id": build_entry(0.7, 4, "1"),
            "total": build_entry(0.6, 3, "5.50"),
            "items": [{"sku": build_entry(0.95, 7, "p")}],
        }
    ],
}


def engine_of(result: Any = RESULT, tree: Any = TREE) -> Engine:
    """The engine for a result and its metadata."""
    return Engine(build_document(result, build_metadata(tree)))


def rows(sql: str, engine: Engine | None = None) -> list[list[Any]]:
    """Run a query and return its rows."""
    engine = engine or engine_of()
    engine.build(sql)
    return engine.run(sql, max_rows=100, max_chars=200, deadline_seconds=10).rows
