"""The labels of a field in lists: all of its texts, where these are few and short, such as periods or kinds."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from llx_mcp.result.outline import Node, walk_nodes
from llx_mcp.result.sanitize import dump_json, sanitize_json

_MAX_LABELS = 8
# Of all labels together, with quotation marks and what is between them.
_MAX_CHARS = 80
# A field with fewer texts for each label has names rather than labels.
_MIN_TEXTS_A_LABEL = 2
_CHUNK = 1_000
# An integer is a number.
TYPE_NAMES = {"string": "string", "boolean": "boolean", "integer": "number", "number": "number"}


class LabelFinder:
    """Finds the labels of the fields of a result.

    A shape shows the fields of lists that are alike once. So their labels are those of all of these lists.

    Attributes:
        has_found: whether a field with labels was found so far.
    """

    def __init__(self, root: Node) -> None:
        # The numbered lists, by the names of their fields.
        self._lists: defaultdict[frozenset[str], list[Node]] = defaultdict(list)
        for node in walk_nodes(root):
            if node.shape is not None and node.element is not None:
                self._lists[frozenset(node.element.members)].append(node)
        self._found: dict[int, str] = {}
        self.has_found = False

    def find(self, node: Node) -> str:
        """Return the labels of a field as they first appear, and the types of its other values: `"A"|"B"|number`.

        The text is empty where the field has no labels.
        """
        if id(node) not in self._found:
            is_in_list = node.types["string"] > 0 and None in node.steps
            self._found[id(node)] = _describe(self._fields_like(node)) if is_in_list else ""
            self.has_found = self.has_found or bool(self._found[id(node)])
        return self._found[id(node)]

    def _fields_like(self, node: Node) -> list[Node]:
        """Return the field, and the same field of all numbered lists that have at least the fields of its list."""
        fields = {id(node): node}
        steps: list[str | None] = []
        ancestor = node
        while ancestor.parent is not None:
            steps.insert(0, ancestor.step)
            ancestor = ancestor.parent
            if ancestor.shape is not None and ancestor.element is not None:
                names = ancestor.element.members.keys()
                lists = chain.from_iterable(lists for having, lists in self._lists.items() if names <= having)
                fields |= {id(field): field for one in lists if (field := _descend(one, steps)) is not None}
        return list(fields.values())


def _descend(node: Node, steps: Sequence[str | None]) -> Node | None:
    for step in steps:
        child = node.element if step is None else node.members.get(step)
        if child is None:
            return None
        node = child
    return node


def _describe(fields: Sequence[Node]) -> str:
    names = {name for field in fields for name in +field.types}
    labels = _collect(fields) if names <= TYPE_NAMES.keys() else []
    if not 1 < len(labels) <= sum(field.types["string"] for field in fields) // _MIN_TEXTS_A_LABEL:
        return ""
    if any(label != " ".join(label.split()) for label in labels):
        return ""
    shown = "|".join(map(dump_json, sanitize_json(labels)))
    others = sorted({TYPE_NAMES[name] for name in names - {"string"}})
    return "|".join([shown, *others]) if len(shown) <= _MAX_CHARS else ""


def _collect(fields: Sequence[Node]) -> list[str]:
    """Return the different texts of some fields as they first appear; nothing where there are too many."""
    found: dict[str, None] = {}
    for chunk in _chunks(fields):
        found |= dict.fromkeys(value for value in dict.fromkeys(chunk) if isinstance(value, str))
        if len(found) > _MAX_LABELS:
            return []
    return list(found)


def _chunks(fields: Sequence[Node]) -> Iterator[list[object]]:
    for field in fields:
        values = iter(field.values)
        while chunk := list(islice(values, _CHUNK)):
            yield chunk
