"""Explains errors of SQLite: what is wrong with a query, what exists instead, and what to do next."""

import re
from collections.abc import Mapping, Sequence
from itertools import chain

from llx_mcp.errors import excerpt
from llx_mcp.query.catalog import Catalog
from llx_mcp.query.names import find_by_words, find_similar
from llx_mcp.query.sandbox import FUNCTIONS, MAX_VALUE_BYTES
from llx_mcp.result.sql_tables import DETAILS, FIELDS

_MAX_NAME_CHARS = 60
_MAX_SUGGESTED = 3

_UNKNOWN_TABLE = re.compile(r"no such table: (.*)")
_UNKNOWN_COLUMN = re.compile(r"no such column: (.*)")
_UNKNOWN_FUNCTION = re.compile(r"(?:no such function: |not authorized to use function: )(.*)")
_FORBIDDEN = re.compile("prohibited|not authorized|cannot modify")
_TOO_LARGE = re.compile("too many|too large|too complex")
# A table where a query reads it, and the name that the query gives it.
_SOURCE = re.compile(r"(?:\bfrom|\bjoin|,)\s*[\"`\[]?(\w+)(?=[\"`\]]?(?:\s+(?:as\s+)?(\w+))?)", re.IGNORECASE)


def explain(message: str, sql: str, catalog: Catalog, deadline_seconds: float) -> str:
    """Return an error of SQLite in words that say what to do next.

    Args:
        message: the words of SQLite.
        sql: the query.
        catalog: the tables that there are.
        deadline_seconds: how long the query was allowed to take.
    """
    sources = _find_sources(sql, catalog)
    if match := _UNKNOWN_TABLE.search(message):
        return _explain_table(match.group(1).removeprefix("main.").removeprefix("temp."), catalog)
    if match := _UNKNOWN_COLUMN.search(message):
        return _explain_column(match.group(1), sources, catalog)
    if match := _UNKNOWN_FUNCTION.search(message):
        allowed = " ".join(sorted(name for name in FUNCTIONS if name.isalnum()))
        return f"no function {excerpt(match.group(1), _MAX_NAME_CHARS)}. Available functions: {allowed}."
    if message == "interrupted":
        return f"stopped after {deadline_seconds:g} s. Read fewer rows, join on _row and _parent, or aggregate first."
    if _FORBIDDEN.search(message):
        return f"only a SELECT over the tables of this result can be run. {catalog.describe()}"
    if "one statement" in message:
        return "only one statement can be run. Remove what follows the first semicolon."
    if message == "too many SQL variables":
        return "a query has no parameters such as ? or :name. Write the values into it."
    if message == "string or blob too big":
        return f"a value has more than {MAX_VALUE_BYTES:,} bytes. Leave it out, or join fewer texts to one."
    if _TOO_LARGE.search(message):
        return f"{excerpt(message)}. Select less at once."
    return f"{excerpt(message, 160)}. {_describe(list(sources.values()), catalog)}"


def _explain_table(name: str, catalog: Catalog) -> str:
    shown = f"no table {excerpt(name, _MAX_NAME_CHARS)}"
    if columns := catalog.find_object(name):
        return f"{shown}: it is an object, whose parts are in these tables. {catalog.describe(columns)}"
    close = catalog.find_like(name)
    return f"{shown}{_suggest(close)} {_describe(close, catalog)}"


def _explain_column(name: str, sources: Mapping[str, str], catalog: Catalog) -> str:
    qualifier, _, column = name.lower().rpartition(".")
    used = [sources[qualifier]] if qualifier in sources else list(dict.fromkeys(sources.values()))
    read = used or [*catalog.sql_tables, FIELDS]
    shown = f"no column {excerpt(name, _MAX_NAME_CHARS)}"
    if not qualifier and any(column in map(str.lower, catalog.list_labels(table)) for table in read):
        # For example, a subquery that does not select it.
        return f"{shown} in this part of the query. {_describe(used, catalog)}"
    others = [table for table in catalog.find_with(column) if table not in read][:_MAX_SUGGESTED]
    shown += f"; it is in {' and '.join(others)}" if others else ""
    return f"{shown}{_suggest(_find_columns_like(column, read, catalog))} {_describe([*used, *others], catalog)}"


def _find_columns_like(name: str, tables: Sequence[str], catalog: Catalog) -> list[str]:
    """Return the columns of some tables that are most like a name, with those that say where a value stands."""
    labels: dict[str, str] = {}
    for label, column in chain.from_iterable(catalog.list_labels(table).items() for table in tables):
        labels.setdefault(label, column)
    if name in DETAILS:
        # Each column has its own.
        sql_tables = (catalog.sql_tables[table] for table in tables if table in catalog.sql_tables)
        own = [
            f"{column.name}_{name}"
            for sql_table in sql_tables
            for column in sql_table.data_columns
            if not column.is_hidden
        ]
        return [*find_by_words(name, labels), *own][:_MAX_SUGGESTED]
    base, _, detail = name.rpartition("_")
    if base and detail in DETAILS:
        return [f"{column}_{detail}" for column in find_similar(base, labels)] or find_similar(name, labels)
    return find_similar(name, labels)


def _find_sources(sql: str, catalog: Catalog) -> dict[str, str]:
    """Return the tables that a query reads, by each name that it uses for them, in lower case."""
    sources: dict[str, str] = {}
    for name, alias in _SOURCE.findall(sql):
        if (table := catalog.find(name)) is not None:
            sources |= {name.lower(): table, **({alias.lower(): table} if alias else {})}
    return sources


def _suggest(close: Sequence[str]) -> str:
    return f"; did you mean {' or '.join(close)}?" if close else "."


def _describe(tables: Sequence[str], catalog: Catalog) -> str:
    return catalog.describe({table: catalog.list_columns(table) for table in tables})
