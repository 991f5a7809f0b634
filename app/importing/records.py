"""The content of a pickle as passive values: names of classes and functions, and records of objects.

Nothing in the file is imported, looked up by its name or called. A record stands for an object that is never created.
It has the name of the object's class, or of the function that would create it, and the arguments of that call.
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
    """The record of an object, which is never created.

    name: the class or function that would create the object
    arguments: the arguments of that call
    state: the state that the object would get
    entries: the entries of an object that is a kind of dict
    items: the items of an object that is a kind of list
    """

    name: Name
    arguments: tuple[object, ...]
    state: object = None
    entries: dict[object, object] = field(default_factory=dict)
    items: list[object] = field(default_factory=list)


def attribute(record: PickledObject, name: str) -> object:
    """An attribute of a recorded object; of a torch module, also a submodule, buffer or parameter. None if absent."""
    state = as_dict(record.state)
    for place in (state, *(as_dict(state.get(kind)) for kind in ("_modules", "_buffers", "_parameters"))):
        if name in place:
            return place[name]
    return None


def as_dict(value: object) -> dict[object, object]:
    """The entries of a dict, or of a record of a kind of dict; an empty dict for any other value."""
    if isinstance(value, PickledObject):
        return value.entries
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """The items of a list, of a tuple, or of a record of a kind of list; an empty list for any other value."""
    if isinstance(value, PickledObject):
        return value.items
    return list(value) if isinstance(value, (list, tuple)) else []


def enum_value(value: object) -> str | None:
    """The value of a recorded member of an enumeration, or a string, in lower case; None for any other value.

    For example, `float32` for records of `PrecisionType("float32")` and of `getattr(PrecisionType, "FLOAT32")`.
    """
    if isinstance(value, PickledObject) and value.arguments:
        value = value.arguments[-1]
    return value.lower() if isinstance(value, str) else None


def shown(value: object) -> str:
    """A short text for a value of the file in an error message: its `repr`, cut at 80 characters, or its type."""
    if value is None or isinstance(value, (str, int, float)):
        return repr(value)[:80]
    if (
        isinstance(value, (list, tuple))
        and len(value) <= 8
        and all(isinstance(item, (str, int, float)) for item in value)
    ):
        return repr(list(value))[:80]
    return f"a {value.name.short if isinstance(value, PickledObject) else type(value).__name__}"
