"""An interpreter of pickles that creates only plain values, descriptions of tensors, and records of all other objects.

The interpreter knows the opcodes that `torch.save` writes (protocol 2), and has no operation that imports or calls:
names in the file are never resolved. It recognises the names of torch's functions that rebuild tensors and parameters,
because their arguments describe tensors, and of `collections.OrderedDict`.
"""

import io
import pickletools
from collections.abc import Callable, Iterator, Mapping

from app.errors import UnsupportedImport
from app.importing.records import Name, PickledObject
from app.importing.tensors import StoredTensor, storage, stored_tensor

PROTOCOL = 2
VALUES = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE"}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
OPCODES = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
REBUILD_PARAMETER = {"torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"}


def unpickle(data: bytes, sizes: Mapping[str, int]) -> object:
    """The content of a pickle: dicts, lists, tuples, numbers, strings, names, records and stored tensors.

    `sizes` are the sizes in bytes of the file's storages, by key. Raises UnsupportedImport if the pickle is damaged,
    was not written by `torch.save`, or describes a storage of another size.
    """
    machine = _Machine(sizes)
    try:
        for opcode, argument in _opcodes(io.BytesIO(data)):
            if opcode == "STOP":
                return machine.pop()
            machine.step(opcode, argument)
    except (ValueError, IndexError, LookupError) as error:
        raise UnsupportedImport(f"the file is damaged: its pickle cannot be read ({error})") from error
    raise UnsupportedImport("the file is damaged: its pickle has no end")


def _opcodes(file: io.BytesIO) -> Iterator[tuple[str, object]]:
    """Yields opcodes with their arguments; raises UnsupportedImport before it parses an unknown opcode's argument."""
    while code := file.read(1):
        opcode = OPCODES.get(code)
        if opcode is None or opcode.name not in KNOWN:
            raise UnsupportedImport(
                f"the file's pickle uses {opcode.name if opcode else code!r}, which torch.save does not write by "
                "default; save it again with torch"
            )
        yield opcode.name, None if opcode.arg is None else opcode.arg.reader(file)


class _Machine:
    """The state of the interpreter: the stack, the stacks below the marks, and the memo."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._sizes = sizes
        self._stack: list[object] = []
        self._below: list[list[object]] = []
        self._memo: dict[int, object] = {}

    def step(self, opcode: str, argument: object) -> None:
        """Executes an opcode."""
        if opcode in VALUES:
            self._stack.append(argument)
        elif opcode in CONSTANTS:
            self._stack.append(CONSTANTS[opcode])
        else:
            STEPS[opcode](self, argument)

    def pop(self) -> object:
        """Removes and returns the value on top of the stack."""
        return self._stack.pop()

    def protocol(self, argument: object) -> None:
        """Raises UnsupportedImport for a protocol that torch.save does not write."""
        if argument != PROTOCOL:
            raise UnsupportedImport(f"the file's pickle has protocol {argument}, and torch.save writes {PROTOCOL}")

    def mark(self, _: object) -> None:
        """Begins a new stack."""
        self._below.append(self._stack)
        self._stack = []

    def _since_mark(self) -> list[object]:
        values = self._stack
        self._stack = self._below.pop()
        return values

    def drop(self, _: object) -> None:
        """Removes the value on top."""
        self.pop()

    def drop_to_mark(self, _: object) -> None:
        """Removes all values since the mark."""
        self._since_mark()

    def put(self, argument: object) -> None:
        """Stores the value on top in the memo."""
        self._memo[_index(argument)] = self._stack[-1]

    def get(self, argument: object) -> None:
        """Pushes a value of the memo."""
        self._stack.append(self._memo[_index(argument)])

    def new_dict(self, _: object) -> None:
        """Pushes an empty dict."""
        self._stack.append({})

    def new_list(self, _: object) -> None:
        """Pushes an empty list."""
        self._stack.append([])

    def tuple_of(self, count: int) -> None:
        """Replaces the `count` values on top by a tuple of them."""
        values = [self.pop() for _ in range(count)]
        self._stack.append(tuple(reversed(values)))

    def tuple_to_mark(self, _: object) -> None:
        """Replaces all values since the mark by a tuple of them."""
        values = tuple(self._since_mark())
        self._stack.append(values)

    def name(self, argument: object) -> None:
        """Pushes a name, which is never resolved."""
        self._stack.append(Name(str(argument).replace(" ", ".")))

    def persistent(self, _: object) -> None:
        """Replaces a persistent id by its storage; raises UnsupportedImport if the file's storage has another size."""
        found = storage(self.pop())
        if self._sizes.get(found.key) != found.size:
            raise UnsupportedImport(
                f"the file should hold {found.size} bytes for its storage {found.key}, and holds "
                f"{self._sizes.get(found.key, 'none')}; it is damaged"
            )
        self._stack.append(found)

    def reduce(self, _: object) -> None:
        """Replaces a name and arguments by the value that the call describes, or by a record of the call."""
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise ValueError("the called object is not a name")
        self._stack.append(_result(function, arguments))

    def build(self, _: object) -> None:
        """Sets the state of a record. Drops the state of a dict or tensor, which an import does not need."""
        state, target = self.pop(), self._stack[-1]
        if isinstance(target, PickledObject):
            target.state = state
        elif not isinstance(target, (dict, StoredTensor)):
            raise ValueError("an object that is not a record has a state")

    def extend(self, values: list[object]) -> None:
        """Appends values to the list or record on top."""
        target = self._stack[-1]
        if isinstance(target, PickledObject):
            target = target.items
        if not isinstance(target, list):
            raise ValueError("values are appended to an object that is not a list")
        target.extend(values)

    def update(self, values: list[object]) -> None:
        """Adds entries to the dict or record on top; `values` are keys and values in turn."""
        target = self._stack[-1]
        if isinstance(target, PickledObject):
            target = target.entries
        if not isinstance(target, dict) or len(values) % 2:
            raise ValueError("entries are added to an object that is not a dict")
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[_key(key)] = value

    def append(self, _: object) -> None:
        """Appends the value on top to the list or record below it."""
        self.extend([self.pop()])

    def append_to_mark(self, _: object) -> None:
        """Appends all values since the mark to the list or record below it."""
        self.extend(self._since_mark())

    def set_item(self, _: object) -> None:
        """Adds the key and value on top to the dict or record below them."""
        value, key = self.pop(), self.pop()
        self.update([key, value])

    def set_to_mark(self, _: object) -> None:
        """Adds all keys and values since the mark to the dict or record below it."""
        self.update(self._since_mark())


def _result(function: Name, arguments: tuple[object, ...]) -> object:
    if function.path == "collections.OrderedDict" and not arguments:
        return {}
    if function.path == "torch._utils._rebuild_tensor_v2":
        return stored_tensor(arguments)
    if function.path in REBUILD_PARAMETER and arguments and isinstance(arguments[0], StoredTensor):
        return arguments[0]
    return PickledObject(function, arguments)


def _key(key: object) -> object:
    """The key, if it is a plain value; raises ValueError for others: hashing nested tuples could overflow the stack."""
    if key is None or isinstance(key, (str, int, float, Name)):
        return key
    raise ValueError("a dict has a key that is neither a string nor a number")


def _index(argument: object) -> int:
    if not isinstance(argument, int):
        raise ValueError("an index of the memo is not a number")
    return argument


STEPS: dict[str, Callable[[_Machine, object], None]] = {
    "PROTO": _Machine.protocol,
    "MARK": _Machine.mark,
    "POP": _Machine.drop,
    "POP_MARK": _Machine.drop_to_mark,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "EMPTY_DICT": _Machine.new_dict,
    "EMPTY_LIST": _Machine.new_list,
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "TUPLE": _Machine.tuple_to_mark,
    "GLOBAL": _Machine.name,
    "BINPERSID": _Machine.persistent,
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.reduce,
    "BUILD": _Machine.build,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.append_to_mark,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_to_mark,
}
KNOWN = {"STOP", *VALUES, *CONSTANTS, *STEPS}
