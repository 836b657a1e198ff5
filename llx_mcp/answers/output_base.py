"""The base of the output models, and the types of their fields."""

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, WithJsonSchema

_OBJECT = {"type": "object"}
_ARRAY = {"type": "array"}
_SCALARS = [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]
_ANY = {"anyOf": [*_SCALARS, {"type": "null"}, _OBJECT, _ARRAY]}

Number = Annotated[int | float, WithJsonSchema({"type": "number"})]
# Null says that the job gives none; that is why it is not simply left out.
Confidence = Annotated[float | None, WithJsonSchema({"oneOf": [{"type": "number"}, {"type": "null"}]})]
JsonObject = Annotated[dict[str, Any], WithJsonSchema(_OBJECT)]
JsonValue = Annotated[Any, WithJsonSchema(_ANY)]

# These fields come last, as in the text form.
_LAST = ("omitted", "cursor", "next_steps")


class Output(BaseModel):
    """Base of all output models. Unknown fields are ignored, so that an older client reads a newer server."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=(), defer_build=True)

    # Fields whose null is information. Others are left out where they are None.
    nullable: ClassVar[frozenset[str]] = frozenset()

    def structured(self) -> dict[str, Any]:
        """Return the JSON form: the fields that are known. Document values are passed through as they are."""
        return {name: to_json(getattr(self, name)) for name in self.known_fields()}

    def known_fields(self) -> list[str]:
        """Return the names of the fields that are known, in the order of the structured form."""
        names = [
            name
            for name in type(self).model_fields
            if name in self.model_fields_set and (name in self.nullable or getattr(self, name) is not None)
        ]
        return [*(name for name in names if name not in _LAST), *(name for name in _LAST if name in names)]


def to_json(value: Any) -> Any:
    """Return a model, or a list of models, as JSON; any other value as it is."""
    if isinstance(value, Output):
        return value.structured()
    if isinstance(value, list) and value and isinstance(value[0], Output):
        return [item.structured() for item in value]
    return value
