"""Parameters of tools: their JSON schema for clients, and the check of arguments, from one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from telic.domain.errors import InvalidInput
from telic.domain.limits import MAX_COUNTER


class ParameterKind(Enum):
    """A kind of values."""

    TEXT = "a text"
    COUNT = "a whole number from 0"
    FLAG = "true or false"
    TEXTS = "a list of texts"


_MOST_TEXTS: Final = 50
_SCHEMAS: Final[dict[ParameterKind, dict[str, Any]]] = {
    ParameterKind.TEXT: {"type": "string"},
    ParameterKind.COUNT: {"type": "integer", "minimum": 0, "maximum": MAX_COUNTER},
    ParameterKind.FLAG: {"type": "boolean"},
    ParameterKind.TEXTS: {"type": "array", "items": {"type": "string"}, "maxItems": _MOST_TEXTS},
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a tool."""

    name: str
    kind: ParameterKind
    description: str
    is_required: bool = False
    choices: tuple[str, ...] = ()

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its values."""
        choices: dict[str, Any] = {"enum": list(self.choices)} if self.choices else {}
        return _SCHEMAS[self.kind] | choices | {"description": self.description}

    def accepts(self, value: object) -> bool:
        """Return whether the value is one of them; True is no number here."""
        match self.kind:
            case ParameterKind.TEXT:
                return isinstance(value, str) and (not self.choices or value in self.choices)
            case ParameterKind.COUNT:
                return type(value) is int and 0 <= value <= MAX_COUNTER
            case ParameterKind.FLAG:
                return type(value) is bool
            case ParameterKind.TEXTS:
                return (
                    isinstance(value, list) and len(value) <= _MOST_TEXTS and all(type(each) is str for each in value)
                )


def object_schema(parameters: Sequence[Parameter]) -> dict[str, Any]:
    """Return the JSON schema of a tool's arguments: these, and nothing else."""
    return {
        "type": "object",
        "properties": {each.name: each.schema() for each in parameters},
        "required": [each.name for each in parameters if each.is_required],
        "additionalProperties": False,
    }


def checked(tool: str, parameters: Sequence[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that were given, and None for those that were left out.

    Raises:
        InvalidInput: one is missing, or not of its kind, or not known here.
    """
    known = {each.name: each for each in parameters}
    if given.keys() - known.keys():
        takes = ", ".join(known) or "nothing"
        raise InvalidInput(f"{tool} takes {takes}, and nothing else; the scope and the role are given by the host")
    for name, parameter in known.items():
        if given.get(name) is None:
            if parameter.is_required:
                raise InvalidInput(f"{tool} needs {name}: {parameter.kind.value}")
        elif not parameter.accepts(given[name]):
            wanted = f"one of {', '.join(parameter.choices)}" if parameter.choices else parameter.kind.value
            raise InvalidInput(f"{name} must be {wanted}")
    return {name: given.get(name) for name in known}
