"""A recorded result, reduced to the fields that another schema asks for, with its field metadata."""

from collections.abc import Mapping
from typing import Any

from llx_mcp.local.schema_fields import JsonSchema, SchemaNode

# What lies deeper stays as it is. The service takes schemas of 7 levels, but a recorded one may refer to itself.
_MAX_LEVELS = 50
# The trees of the field metadata by extraction target. Older answers have one tree without this level.
_TREES = ("document_metadata", "page_metadata", "row_metadata")
_Pruned = tuple[Any, Any]


def prune_result(result: Any, metadata: Any, schema: JsonSchema) -> _Pruned:
    """Reduce a result and its metadata to the fields of a schema.

    A field that the result lacks is null, as the service answers one that the document does not have. So is a value of
    another type than the schema asks for. An object or a list about whose content the schema says nothing stays whole.

    Args:
        result: The decoded `extract_result`.
        metadata: The decoded `extract_metadata`.
        schema: The `data_schema` that is asked for. It describes each element of a list result.

    Returns:
        The new result and the new metadata.
    """
    node = SchemaNode([schema], schema)
    fields = metadata.get("field_metadata") if isinstance(metadata, Mapping) else None
    if not isinstance(fields, Mapping):
        return _prune_root(result, None, node)[0], metadata
    if not any(name in fields for name in _TREES):
        pruned, tree = _prune_root(result, fields, node)
        return pruned, {**metadata, "field_metadata": tree}
    trees = {name: fields[name] and _prune_root(result, fields[name], node)[1] for name in _TREES if name in fields}
    return _prune_root(result, None, node)[0], {**metadata, "field_metadata": {**fields, **trees}}


def _prune_root(result: Any, tree: Any, node: SchemaNode) -> _Pruned:
    if isinstance(result, list):
        return _prune_list(result, tree, node, 1)
    return _prune_value(result, tree, node, 0)


def _prune_value(value: Any, tree: Any, node: SchemaNode, level: int) -> _Pruned:
    if not node.accepts(value):
        return None, None
    if level < _MAX_LEVELS:
        if isinstance(value, dict) and node.members:
            return _prune_object(value, tree, node, level + 1)
        if isinstance(value, list) and node.element is not None:
            return _prune_list(value, tree, node.element, level + 1)
    return value, tree


def _prune_object(value: dict[str, Any], tree: Any, node: SchemaNode, level: int) -> _Pruned:
    entries = tree if isinstance(tree, dict) else {}
    pruned = {
        name: _prune_value(value.get(name), entries.get(name), member, level) for name, member in node.members.items()
    }
    # What is not about a field is about the object itself, such as its own confidence.
    own = {name: entry for name, entry in entries.items() if name not in value and name not in pruned}
    kept = {name: entry for name, (_, entry) in pruned.items() if name in entries}
    return {name: item for name, (item, _) in pruned.items()}, {**own, **kept} if isinstance(tree, dict) else tree


def _prune_list(value: list[Any], tree: Any, element: SchemaNode, level: int) -> _Pruned:
    entries = tree if isinstance(tree, list) else []
    pairs = zip(value, [*entries, *[None] * (len(value) - len(entries))], strict=False)
    pruned = [_prune_value(item, entry, element, level) for item, entry in pairs if element.accepts(item)]
    if value and not pruned:
        return None, None
    kept = [entry for _, entry in pruned][: len(entries)] if isinstance(tree, list) else tree
    return [item for item, _ in pruned], kept
