"""What a pickle describes, as values that do nothing: names of classes and functions, and records of objects.

Nothing of the file is imported, looked up by its name or called. A record is what would have been an object: the name
of its class, or of the function that would have made it, and what they would have been given.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Name:
    """The dotted name of a class or function, which is never resolved."""

    path: str

    @property
    def short(self) -> str:
        """The part after the last dot."""
        return self.path.rpartition(".")[2]


@dataclass(slots=True, eq=False)
class PickledObject:
    """An object that was not made: a class or function, its arguments, and the state that it would have been given."""

    name: Name
    arguments: tuple[object, ...]
    state: object = None
    entries: dict[object, object] = field(default_factory=dict)  # of what would have been a kind of dict
    items: list[object] = field(default_factory=list)  # of what would have been a kind of list


def attribute(record: PickledObject, name: str) -> object:
    """An attribute of a recorded object, or of a recorded torch module; None if it has none of this name."""
    state = as_dict(record.state)
    for place in (state, *(as_dict(state.get(kind)) for kind in ("_modules", "_buffers", "_parameters"))):
        if name in place:
            return place[name]
    return None


def as_dict(value: object) -> dict[object, object]:
    """The entries of a dict, or of a record of a kind of dict; none for anything else."""
    if isinstance(value, PickledObject):
        return value.entries
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """The items of a list, tuple or record of a kind of list; none for anything else."""
    if isinstance(value, PickledObject):
        return value.items
    return list(value) if isinstance(value, (list, tuple)) else []


def enum_value(value: object) -> str | None:
    """`float32` of a recorded `PrecisionType("float32")`, of `getattr(PrecisionType, "FLOAT32")`, or of itself."""
    if isinstance(value, PickledObject) and value.arguments:
        value = value.arguments[-1]
    return value.lower() if isinstance(value, str) else None


def shown(value: object) -> str:
    """A value in an error's sentence: short, whatever the file holds."""
    if value is None or isinstance(value, (str, int, float)):
        return repr(value)[:80]
    if (
        isinstance(value, (list, tuple))
        and len(value) <= 8
        and all(isinstance(item, (str, int, float)) for item in value)
    ):
        return repr(list(value))[:80]
    return f"a {value.name.short if isinstance(value, PickledObject) else type(value).__name__}"
