"""The checks of a review. Each finds the values of one kind of finding, by field."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from llx_mcp.answers.citation_checks import CitationChecks
from llx_mcp.answers.finding_groups import FieldFindings, Group
from llx_mcp.relations.check import check_relations
from llx_mcp.relations.findings import WrongValue
from llx_mcp.result.deadline import Deadline
from llx_mcp.result.descriptions import find_described_root
from llx_mcp.result.document import Column, Document, is_scalar
from llx_mcp.result.outline import walk_nodes
from llx_mcp.result.paths import show_path
from llx_mcp.result.quote_match import quotes_contain_value
from llx_mcp.result.sanitize import dump_json, sanitize_json
from llx_mcp.result.schema_check import TIME_IS_UP, BrokenRule, SchemaCheck


def explain_by_rule(group: Group) -> str | None:
    """Say which rule the values of a group break."""
    return group.fields[0].rule or None


@dataclass(frozen=True)
class Findings:
    """The findings of one kind.

    Attributes:
        kind: the kind.
        fields: the findings of each field.
        unchecked: what was not checked, and why, in words.
        explain: says why the values of a group are listed.
    """

    kind: str
    fields: list[FieldFindings]
    unchecked: Sequence[str] = ()
    explain: Callable[[Group], str | None] = field(default=explain_by_rule)

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(len(found.positions) for found in self.fields)


def check_schema(document: Document, schema: Any, deadline: Deadline) -> list[Findings]:
    """Find values that break the schema, and required fields that are missing."""
    root = find_described_root(schema, document.root) if isinstance(schema, dict) else document.root
    check = SchemaCheck(schema, root, deadline)
    unchecked = [
        _describe_unchecked(count, "checked against the schema", reason) for reason, count in check.unchecked.items()
    ]
    return [
        Findings("schema", list(map(_of_rule, check.violations)), unchecked),
        Findings("required", list(map(_of_rule, check.missing))),
    ]


def count_incomplete(missing: Findings) -> int:
    """Return how many objects lack one or more required fields."""
    objects: set[tuple[int, int]] = set()
    for found in missing.fields:
        node, positions = found.node, iter(found.positions)
        if found.absent is None and node.parent is not None:
            # The field is null in these objects.
            if node.parent_positions is not None:
                positions = map(node.parent_positions.__getitem__, positions)
            node = node.parent
        objects.update((id(node), position) for position in positions)
    return len(objects)


@dataclass(frozen=True)
class CitationFindings:
    """What a comparison of all citations with the text of the document found.

    Attributes:
        quotes: values that their quotes do not contain.
        pages: values whose quote does not stand on its page.
        ambiguous: values whose quote stands on several pages, but not on its own.
        num_verified: how many values stand on their page, in the words of their quote.
        num_unchecked: how many values with a citation were not checked.
    """

    quotes: Findings
    pages: Findings
    ambiguous: Findings
    num_verified: int
    num_unchecked: int

    @property
    def findings(self) -> list[Findings]:
        """All findings, worst kind first."""
        return [self.quotes, self.pages, self.ambiguous]


def compare_citations(document: Document, checks: CitationChecks, deadline: Deadline) -> CitationFindings:
    """Compare the citations of all values with the text of the document."""
    fields: defaultdict[str, list[FieldFindings]] = defaultdict(list)
    reasons: Counter[str] = Counter()
    num_verified = 0
    for column in document.columns:
        found: defaultdict[str, list[int]] = defaultdict(list)
        cited = document.cited(column)
        num_checked = 0
        for position, is_cited in deadline.limit(enumerate(cited)):
            num_checked += 1
            if not is_cited:
                continue
            check = checks.check(column, position)
            found[check.verdict].append(position)
            if check.verdict == "unchecked":
                reasons[check.reason] += 1
        reasons[TIME_IS_UP] += sum(cited[num_checked:])
        num_verified += len(found["verified"])
        for verdict in ("value_not_in_quote", "not_on_page", "ambiguous"):
            fields[verdict] += _by_confidence(column, found[verdict])
    unchecked = [_describe_unchecked(count, "compared with their page", reason) for reason, count in (+reasons).items()]
    return CitationFindings(
        Findings("quote", fields["value_not_in_quote"], unchecked),
        Findings("page", fields["not_on_page"]),
        Findings("ambiguous", fields["ambiguous"]),
        num_verified,
        reasons.total(),
    )


def check_quotes(document: Document, deadline: Deadline) -> Findings:
    """Find values that none of their quotes contains."""
    fields: list[FieldFindings] = []
    unchecked = 0
    if document.metadata is not None:
        quotes_of = document.metadata.reader.quotes
        for column in document.columns:
            num_checked = 0
            found: list[int] = []
            for position, entry in deadline.limit(enumerate(column.entries)):
                num_checked += 1
                value = column.node.values[position]
                if entry is None or not is_scalar(value):
                    continue
                quotes = quotes_of(entry)
                if quotes and not quotes_contain_value(value, quotes):
                    found.append(position)
            fields += _by_confidence(column, found)
            unchecked += sum(map(is_scalar, column.node.values[num_checked:]))
    return Findings("quote", fields, _list_unchecked(unchecked, "compared with their quotes"))


def check_arithmetic(document: Document, deadline: Deadline) -> list[Findings]:
    """Find values that break a sum or an order which other values show."""
    check = check_relations(document.root, deadline)
    unchecked = [f"{count:,} {what}" for what, count in check.unchecked.items()]
    return [
        _of_wrong_values("sum", check.wrong, unchecked),
        _of_wrong_values("order", check.wrong),
    ]


def check_confidence(document: Document, threshold: float) -> Findings:
    """Find values with a confidence below the threshold."""
    fields: list[FieldFindings] = []
    for column in document.columns:
        confidences = enumerate(column.confidences)
        found = [position for position, value in confidences if value is not None and value < threshold]
        fields += _by_confidence(column, found)

    def explain(group: Group) -> str | None:
        columns = [(document.column(found.node), found.positions) for found in group.fields]
        highest = max(column.confidences[position] or 0.0 for column, found in columns for position in found)
        facts = [f"up to {round(highest, 3):g}"] if group.count > 1 else []
        if document.num_with_citation and (
            without := sum(_count_without_citation(document, *item) for item in columns)
        ):
            facts.append("no citation" if group.count == 1 else f"{without} without citation")
        return ", ".join(facts) or None

    return Findings("confidence", fields, explain=explain)


def check_citations(document: Document) -> Findings:
    """Find values without a citation, where others have one."""
    fields: list[FieldFindings] = []
    if document.num_with_citation:
        for column in document.columns:
            cited = enumerate(zip(document.cited(column), column.node.values, strict=True))
            fields += _by_confidence(column, [at for at, (has, value) in cited if not has and is_scalar(value)])
    return Findings("citation", fields)


def without_listed(findings: Findings, others: Iterable[Findings]) -> Findings:
    """Return the findings without the values that are among the others."""
    listed: dict[int, set[int]] = {}
    for other in (found for one in others for found in one.fields if found.absent is None):
        listed.setdefault(id(other.node), set()).update(other.positions)
    fields: list[FieldFindings] = []
    for found in findings.fields:
        known = listed.get(id(found.node), set())
        if left := [position for position in found.positions if position not in known]:
            worst = found.worst if found.worst not in known else left[0]
            fields.append(FieldFindings(found.node, left, worst, found.rank))
    return Findings(findings.kind, fields, findings.unchecked, findings.explain)


def check_duplicates(document: Document, deadline: Deadline) -> Findings:
    """Find rows that repeat an earlier row of their list."""
    fields: list[FieldFindings] = []
    earlier_of: dict[tuple[int, int], int] = {}
    unchecked = 0
    for node in walk_nodes(document.root):
        if node.indices is None or not node.types["object"]:
            continue
        first: dict[tuple[int, str], int] = {}
        found: list[int] = []
        num_checked = 0
        for position, value in deadline.limit(enumerate(node.values)):
            num_checked += 1
            if isinstance(value, dict) and value:
                parent = node.parent_positions[position] if node.parent_positions is not None else 0
                earlier = first.setdefault((parent, dump_json(value)), position)
                if earlier != position:
                    found.append(position)
                    earlier_of[id(node), position] = earlier
        fields += [FieldFindings(node, found, found[0])] if found else []
        unchecked += len(node.values) - num_checked

    def explain(group: Group) -> str:
        worst = group.worst
        return f"the same as {show_path(worst.node.path_of(earlier_of[id(worst.node), worst.worst]))}"

    return Findings("duplicate", fields, _list_unchecked(unchecked, "compared with other rows"), explain)


def check_metadata(document: Document) -> Findings:
    """Find lists with less metadata than elements."""
    fields: list[FieldFindings] = []
    lengths: dict[tuple[int, int], tuple[int, int]] = {}
    if document.metadata is not None:
        for node in walk_nodes(document.root):
            if not node.types["list"]:
                continue
            for position, entry in enumerate(document.metadata.of_lists(node)):
                value = node.values[position]
                if isinstance(entry, list) and isinstance(value, list) and len(entry) < len(value):
                    lengths[id(node), position] = len(entry), len(value)
            found = [position for position in range(len(node.values)) if (id(node), position) in lengths]
            fields += [FieldFindings(node, found, found[0])] if found else []

    def explain(group: Group) -> str:
        has, wants = lengths[id(group.worst.node), group.worst.worst]
        return f"metadata for the first {has} of {wants} elements"

    return Findings("metadata", fields, explain=explain)


def _of_wrong_values(kind: str, wrong: Iterable[WrongValue], unchecked: Sequence[str] = ()) -> Findings:
    """Return the wrong values of one kind by field; they come with the worst first."""
    of_field: dict[int, list[WrongValue]] = {}
    for value in wrong:
        if value.kind == kind:
            of_field.setdefault(id(value.node), []).append(value)
    fields = [
        FieldFindings(values[0].node, sorted({value.position for value in values}), values[0].position, rank)
        for rank, values in enumerate(of_field.values())
    ]
    reasons = {(key, values[0].position): values[0].why for key, values in of_field.items()}

    def explain(group: Group) -> str:
        return reasons[id(group.worst.node), group.worst.worst]

    return Findings(kind, fields, unchecked, explain)


def _of_rule(broken: BrokenRule) -> FieldFindings:
    count = len(broken.positions)
    return FieldFindings(broken.node, broken.positions, broken.positions[0], -count, broken.rule, broken.absent)


def _by_confidence(column: Column, found: list[int]) -> list[FieldFindings]:
    """Return the findings of a column, if there are any, with the lowest confidence as the example."""
    if not found:
        return []
    confidences = ((column.confidences[at], at) for at in found)
    known: list[tuple[float, int]] = [(value, at) for value, at in confidences if value is not None]
    # A value without a confidence comes after all others.
    confidence, worst = min(known, default=(2.0, found[0]))
    return [FieldFindings(column.node, found, worst, confidence)]


def _count_without_citation(document: Document, column: Column, positions: Sequence[int]) -> int:
    cited = document.cited(column)
    return sum(not cited[position] for position in positions)


def _list_unchecked(count: int, check: str) -> list[str]:
    return [_describe_unchecked(count, check, TIME_IS_UP)] if count else []


def _describe_unchecked(count: int, check: str, reason: str) -> str:
    values = "value was" if count == 1 else "values were"
    return f"{count:,} {values} not {check}: {sanitize_json(reason)}"
