import builtins
import os
import pickle
import subprocess
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from zipfile import ZipFile

import pytest
import torch
from torch import Tensor

from app.artifacts import ModelRepository
from app.errors import TesseraError, UnsupportedImport
from app.importing import Choices, import_model
from app.importing.archive import open_archive
from app.importing.records import Name, PickledObject
from app.importing.tensors import StoredTensor
from app.importing.unpickler import unpickle
from tests.importing.files import UNTILED, Write, checkpoint_of, fitted


class Calls:
    """An object whose pickle is a call of a function."""

    def __init__(self, function: Callable[..., object], *arguments: object, state: object = None) -> None:
        self._parts = (function, arguments, state) if state is not None else (function, arguments)

    def __reduce__(self) -> tuple[object, ...]:
        return self._parts


def touch(path: Path) -> list[object]:
    """Objects whose pickles would create `path` if the calls in them were made."""
    target = str(path)
    return [
        Calls(os.system, f"touch {target}"),
        Calls(builtins.eval, f"open({target!r}, 'w')"),
        Calls(builtins.exec, f"open({target!r}, 'w')"),
        Calls(subprocess.Popen, ["touch", target]),
        Calls(builtins.open, target, "w"),
        Calls(getattr, Calls(builtins.__import__, "os"), "system"),
        Calls(OrderedDict, [("key", Calls(os.mkdir, target))]),
        Calls(torch._utils._rebuild_tensor_v2, Calls(os.mkdir, target), 0, (1,), (1,)),
        Calls(torch._utils._rebuild_parameter, Calls(os.mkdir, target), False, OrderedDict()),
        Calls(torch._utils._rebuild_tensor_v2, *[Calls(os.mkdir, target)] * 7),
        Calls(torch.load, target),
        Calls(torch.serialization.load, Calls(builtins.open, target, "w")),
        Calls(PickledObject, Name("x"), (Calls(os.mkdir, target),)),
        Calls(Calls, os.mkdir, target, state={"__setstate__": Calls(os.mkdir, target)}),
        Calls(os.mkdir, target),
    ]


@pytest.mark.parametrize("number", range(15))
def test_calls_in_a_file_are_not_made(number: int, tmp_path: Path, write: Write) -> None:
    target = tmp_path / "created"
    attack = touch(target)[number]
    repository = ModelRepository(tmp_path / "models")
    for content in (attack, {"state_dict": attack}, {"model": attack}, {"state_dict": {}, "hyper_parameters": attack}):
        with pytest.raises(TesseraError):
            import_model(write(content), repository, "evil", Choices())
    assert not target.exists()
    assert not repository.entries()


def test_calls_beside_a_model_are_not_made(tmp_path: Path, write: Write) -> None:
    target = tmp_path / "created"
    content = checkpoint_of(fitted("patchcore"))
    content["callbacks"] = touch(target)[:6]
    content["lr_schedulers"] = [Calls(os.mkdir, str(target))]
    content["hyper_parameters"]["seed"] = Calls(os.mkdir, str(target))
    imported = import_model(write(content), ModelRepository(tmp_path / "models"), "inert", UNTILED)
    assert imported.entry.path.is_dir()
    assert not target.exists()


def test_objects_are_read_as_records(write: Write) -> None:
    with open_archive(
        write({"call": Calls(os.getenv, "HOME", "x"), "class": OrderedDict, "path": Path("/x")})
    ) as archive:
        content = archive.content()
    assert isinstance(content, dict)
    call = content["call"]
    assert isinstance(call, PickledObject) and call.name == Name("os.getenv") and call.arguments == ("HOME", "x")
    assert content["class"] == Name("collections.OrderedDict")
    assert isinstance(content["path"], PickledObject)


def test_plain_values_are_read(write: Write) -> None:
    plain = {"a": [1, -2.5, None, True, False, 2**40, "text"], "b": {"c": (1, (2, 3), ())}, 7: {}, "empty": []}
    with open_archive(write(OrderedDict(plain))) as archive:
        assert archive.content() == plain


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(12.0).reshape(3, 4),
        torch.arange(12).reshape(3, 4).T,
        torch.arange(24, dtype=torch.float16)[6:18:2],
        torch.tensor(7.0),
        torch.tensor([True, False]),
        torch.empty(0),
        torch.empty(0, 4),
        torch.rand(3, dtype=torch.float64),
        torch.rand(3).bfloat16(),
        torch.nn.Parameter(torch.rand(2, 2)),
    ],
    ids=lambda tensor: f"{tuple(tensor.shape)}-{tensor.dtype}",
)
def test_tensors_are_read(tensor: Tensor, write: Write) -> None:
    with open_archive(write({"tensor": tensor})) as archive:
        content = archive.content()
        assert isinstance(content, dict) and isinstance(content["tensor"], StoredTensor)
        found = archive.read(content["tensor"])
    assert torch.equal(found, tensor.detach()) and found.dtype == tensor.dtype
    assert found.is_contiguous()


def rebuilt(offset: int, shape: tuple[int, ...], stride: tuple[int, ...], elements: int = 6) -> bytes:
    """A pickle of a tensor in a storage of `elements` numbers."""

    class Saved(pickle.Pickler):
        def persistent_id(self, value: object) -> object:
            return ("storage", torch.FloatStorage, "0", "cpu", elements) if value is Ellipsis else None

    import io

    file = io.BytesIO()
    Saved(file, 2).dump(Calls(torch._utils._rebuild_tensor_v2, ..., offset, shape, stride, False, OrderedDict()))
    return file.getvalue()


def test_a_tensor_within_its_storage_is_accepted() -> None:
    found = unpickle(rebuilt(1, (2, 2), (2, 1)), {"0": 24})
    assert isinstance(found, StoredTensor)
    assert (found.offset, found.shape, found.stride) == (1, (2, 2), (2, 1))


@pytest.mark.parametrize(
    ("offset", "shape", "stride", "message"),
    [
        (0, (7,), (1,), r"\[7\] .*\b6\b"),
        (5, (2,), (1,), r"\[2\] .*\b6\b"),
        (0, (2, 2), (5, 1), r"\[2, 2\] .*\b6\b"),
        (0, (10**12,), (0,), r"\[1000000000000\] .*\b6\b"),
        (-1, (2,), (1,), "description"),
        (0, (-2,), (1,), "description"),
        (0, (2,), (-1,), "description"),
        (0, (2, 2), (1,), "description"),
    ],
)
def test_a_tensor_beyond_its_storage_is_refused(
    offset: int, shape: tuple[int, ...], stride: tuple[int, ...], message: str
) -> None:
    with pytest.raises(UnsupportedImport, match=message):
        unpickle(rebuilt(offset, shape, stride), {"0": 24})


@pytest.mark.parametrize("sizes", [{}, {"0": 23}, {"0": 28}])
def test_a_storage_of_another_size_is_refused(sizes: dict[str, int]) -> None:
    with pytest.raises(UnsupportedImport, match=r"\b24 bytes .*storage 0\b"):
        unpickle(rebuilt(0, (6,), (1,)), sizes)


def test_an_unknown_storage_is_refused(write: Write) -> None:
    path = write(torch.rand(2, dtype=torch.complex64))
    with open_archive(path) as archive, pytest.raises(UnsupportedImport, match=r"torch\.ComplexFloatStorage"):
        archive.content()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no end"),
        (b"\x80\x02", "no end"),
        (b"\x80\x02\xff.", r"b'\\xff'"),
        (b"\x80\x02.", "cannot be read"),
        (b"\x80\x04N.", "protocol 4"),
        (b"\x80\x02]q\x00h\x05.", "cannot be read"),
        (b"\x80\x02NNR.", "not a name"),
        (b"\x80\x02NNa.", "not a list"),
        (b"\x80\x02N(NNu.", "not a dict"),
        (b"\x80\x02}(Nu.", "not a dict"),
        (b"\x80\x02})Ns.", r"\bkey\b"),
        (b"\x80\x02}]Ns.", r"\bkey\b"),
        (b"\x80\x02NNb.", "not a record"),
        (b"\x80\x02NQ.", "description"),
        (b"\x80\x02u.", "cannot be read"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02(ios\nsystem\n.", "INST"),
        (b"\x80\x02cos\nsystem\n(o.", "OBJ"),
        (b"\x80\x02Pname\n.", "PERSID"),
        (b"\x80\x02\x8c\x01a\x8c\x01b\x93.", "SHORT_BINUNICODE"),
        (b"\x80\x02I" + b"9" * 5000 + b"\n.", "INT"),
        (b"\x80\x02X\xff\xff\xff\x7fa.", "cannot be read"),
    ],
)
def test_pickles_that_torch_does_not_write_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(UnsupportedImport, match=message):
        unpickle(data, {})


def test_deep_nesting_does_not_overflow_the_stack() -> None:
    depth = 50_000
    for opening, closing in ((b"(", b"t"), (b"", b"\x85")):
        found = unpickle(b"\x80\x02" + opening * depth + b"N" + closing * depth + b".", {})
        assert isinstance(found, tuple)
    with pytest.raises(UnsupportedImport):
        unpickle(b"\x80\x02}N" + b"\x85" * depth + b"Ns.", {})
    records = unpickle(b"\x80\x02" + b"cx\ny\n" * depth + b")" + b"R\x85" * depth + b".", {})
    assert isinstance(records, tuple)


def test_a_large_memo_index_allocates_no_memory() -> None:
    assert unpickle(b"\x80\x02Nr\xff\xff\xff\xff0j\xff\xff\xff\xff.", {}) is None


def test_a_whole_checkpoint_is_read_as_torch_reads_it(write: Write) -> None:
    path = write(checkpoint_of(fitted("padim")))
    expected = torch.load(path, weights_only=True)["state_dict"]
    with open_archive(path) as archive:
        content = archive.content()
        assert isinstance(content, dict)
        found = {key: archive.read(tensor) for key, tensor in content["state_dict"].items()}
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in found)


def test_damaged_pickles_raise_no_other_error(write: Write) -> None:
    with ZipFile(write(checkpoint_of(fitted("padim")))) as file:
        (name,) = (name for name in file.namelist() if name.endswith("/data.pkl"))
        data = file.read(name)
        sizes = {info.filename.rpartition("/")[2]: info.file_size for info in file.infolist()}
    assert isinstance(unpickle(data, sizes), dict)
    random = Random(0)  # noqa: S311 - no secret
    for _ in range(500):
        damaged = bytearray(data)
        place = random.randrange(len(data))
        damaged[place : place + random.randrange(3)] = random.randbytes(random.randrange(3))
        with suppress(UnsupportedImport):
            unpickle(bytes(damaged), sizes)
