"""Relations that a result shows by itself: sums, products, running balances, counts, and the order of dates.

A relation counts where it holds in nearly all rows, more often than by chance, or where names of fields tell it. What
breaks it is probably wrong. All numbers are compared exactly, as integers.
"""

from dataclasses import dataclass

from llx_mcp.result.deadline import Deadline
from llx_mcp.result.outline import Node
from llx_mcp.result.relation_balances import check_balances, row_node_around
from llx_mcp.result.relation_dates import check_dates
from llx_mcp.result.relation_findings import RelationFindings, WrongValue, find_wrong_values
from llx_mcp.result.relation_rows import check_rows
from llx_mcp.result.relation_series import Flow, check_series
from llx_mcp.result.relation_tables import NumberReader, NumberTable, build_table, find_row_nodes
from llx_mcp.result.relation_totals import check_totals
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
        if deadline.is_over:
            found.unchecked[f"objects were not compared with one another: {TIME_IS_UP}"] += rows.types["object"]
            continue
        check_dates(rows, found)
        if (table := build_table(rows, reader)) is None:
            continue
        tables[id(rows)] = table
        check_rows(table, found)
        check_totals(table, found)
        if rows.parent is not None:
            flows += [(table, flow) for flow in check_series(table, found)]
    for inner, flow in flows:
        around = row_node_around(inner.rows, root)
        if around is not None and id(around) in tables:
            check_balances(tables[id(around)], inner, flow, found)
    return RelationCheck(find_wrong_values(found), dict(found.confirmed), dict(found.ordered), dict(found.unchecked))
