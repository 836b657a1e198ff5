"""Relations that a result shows by itself: sums, products, running balances, counts, and the order of dates.

A relation counts where it holds in nearly all rows, more often than by chance, or where names of fields tell it. What
breaks it is probably wrong. All numbers are compared exactly, as integers.
"""

from dataclasses import dataclass

from llx_mcp.relations.balances import check_balances, row_node_around
from llx_mcp.relations.dates import check_dates
from llx_mcp.relations.due import check_due_dates
from llx_mcp.relations.findings import RelationFindings, WrongValue, find_wrong_values
from llx_mcp.relations.labels import check_total_rows
from llx_mcp.relations.pivots import find_pivots
from llx_mcp.relations.rates import check_taxes_by_rate
from llx_mcp.relations.rows import check_rows
from llx_mcp.relations.series import Flow, check_series
from llx_mcp.relations.tables import (
    NumberReader,
    NumberTable,
    build_table,
    count_fields_left_out,
    find_row_nodes,
)
from llx_mcp.relations.totals import check_named_parts, check_totals
from llx_mcp.result.deadline import Deadline
from llx_mcp.result.outline import Node, walk_members
from llx_mcp.result.schema_check import TIME_IS_UP


@dataclass(frozen=True, slots=True)
class RelationCheck:
    """What the relations of a result show.

    Attributes:
        wrong: the values that probably are wrong, the worst first.
        confirmed: for each field, by `id` of its node, the positions of values that a relation with others confirms.
        ordered: for each field, by `id` of its node, the positions of values that are in order with others.
        unchecked: what was not compared, in words, with how many.
    """

    wrong: list[WrongValue]
    confirmed: dict[int, set[int]]
    ordered: dict[int, set[int]]
    unchecked: dict[str, int]


def check_relations(root: Node, deadline: Deadline) -> RelationCheck:
    """Find the values of a result that break a relation with others.

    Args:
        root: the outline of the result.
        deadline: when the check must stop; lists that it does not reach are counted as not compared.
    """
    found = RelationFindings(deadline)
    tables: dict[int, NumberTable] = {}
    flows: list[tuple[NumberTable, Flow]] = []
    reader = NumberReader()
    for rows in find_row_nodes(root):
        if not deadline.is_over:
            dates = check_dates(rows, found)
            if (table := build_table(rows, reader)) is not None:
                tables[id(rows)] = table
                flows += _check_table(table, found)
                check_due_dates(dates, table, found)
            if left_out := count_fields_left_out(rows):
                found.unchecked["fields were not compared with the others of their object: too many fields"] += left_out
        if deadline.is_over:
            # What was compared before the time was up counts as well, since more could have been found in it.
            found.unchecked[f"values were not compared with one another: {TIME_IS_UP}"] += _count_values(rows)
    for table in find_pivots(root, reader, found):
        check_rows(table, found, with_products=False)
        check_named_parts(table, found)
    for rows in found.deadline.limit(find_row_nodes(root)):
        check_total_rows(rows, reader, found)
    for inner, flow in flows:
        around = row_node_around(inner.rows, root)
        if around is not None and id(around) in tables:
            check_balances(tables[id(around)], inner, flow, found)
    return RelationCheck(find_wrong_values(found), dict(found.confirmed), dict(found.ordered), dict(found.unchecked))


def _check_table(table: NumberTable, found: RelationFindings) -> list[tuple[NumberTable, Flow]]:
    check_rows(table, found)
    check_totals(table, found)
    check_taxes_by_rate(table, found)
    return [(table, flow) for flow in check_series(table, found)] if table.rows.parent is not None else []


def _count_values(rows: Node) -> int:
    """Return the number of values of the objects of a node, without those in lists within them."""
    types = (node.types for node in walk_members(rows))
    return sum(one.total() - one["object"] - one["list"] for one in types)
