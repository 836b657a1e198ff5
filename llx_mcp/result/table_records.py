"""The tables of a result as records for CSV, each data column followed by its page and its confidence."""

from collections.abc import Iterator
from typing import Any

from llx_mcp.result.document import Document
from llx_mcp.result.records import Records
from llx_mcp.result.sql_cells import CellCutter
from llx_mcp.result.sql_tables import (
    DETAILS,
    FIELD_COLUMNS,
    FIELDS,
    TABLE_COLUMNS,
    TABLES,
    SqlTable,
    find_sql_tables,
    iter_details,
    iter_fields,
    iter_rows,
    list_columns,
)

_SHOWN_DETAILS = ("page", "confidence")


def list_table_names(document: Document) -> list[str]:
    """Return the names of all tables, as a query names them."""
    return [*(table.name for table in find_sql_tables(document)), FIELDS, TABLES]


def find_table_records(document: Document, name: str) -> Records | None:
    """Return the rows of a table, with long texts whole; None where there is no table of this name."""
    whole = CellCutter(is_off=True)
    sql_tables = {table.name: table for table in find_sql_tables(document)}
    if name == FIELDS:
        return Records(list(FIELD_COLUMNS), iter_fields(document, whole))
    if name == TABLES:
        return Records(list(TABLE_COLUMNS), _iter_tables(list(sql_tables.values()), document))
    return _build_records(sql_tables[name], document, whole) if name in sql_tables else None


def _iter_tables(sql_tables: list[SqlTable], document: Document) -> Iterator[list[Any]]:
    for table in sql_tables:
        yield [
            table.name,
            len(table.positions),
            list_columns([c.name for c in table.data_columns if not c.is_hidden], table.num_omitted),
        ]
    yield [FIELDS, document.num_values, ", ".join(FIELD_COLUMNS)]


def _build_records(sql_table: SqlTable, document: Document, whole: CellCutter) -> Records:
    if not document.has_provenance:
        return Records(sql_table.columns, iter_rows(sql_table, whole))
    columns: list[str] = []
    for column in sql_table.data_columns:
        columns += [column.name, *(f"{column.name}.{detail}" for detail in _SHOWN_DETAILS)]
    columns += sql_table.columns[len(sql_table.data_columns) :]
    return Records(columns, _iter_cited_rows(sql_table, document, whole))


def _iter_cited_rows(sql_table: SqlTable, document: Document, whole: CellCutter) -> Iterator[list[Any]]:
    picked = [DETAILS.index(detail) for detail in _SHOWN_DETAILS]
    details = [iter_details(sql_table, column, document, whole) for column in sql_table.data_columns]
    for row in iter_rows(sql_table, whole):
        cited: list[Any] = []
        for index, cell in enumerate(row):
            cited.append(cell)
            if index < len(details):
                found = next(details[index])
                cited += [found[detail] for detail in picked]
        yield cited
