"""Where the pictures of a dataset lie."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from app.decoding import Header, decode, read_header
from app.errors import InvalidDataset, InvalidImage, TooManyPixels
from app.tiling import Size, as_size

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
MAX_PIXELS = 2**30
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TestPicture:
    """A picture to evaluate on: its kind (`good`, or the defect's name) and the mask of its defect, if there is one."""

    path: Path
    kind: str
    mask: Path | None

    @property
    def anomalous(self) -> bool:
        """Whether it shows a defect."""
        return self.kind != "good"


class DataModule(ABC):
    """Pictures for training and testing, resized to `image_size` (an int or [height, width]; None: as they are).

    `num_workers` pictures are decoded at the same time, 0 meaning one.
    """

    def __init__(self, image_size: int | Sequence[int] | None, num_workers: int) -> None:
        self.image_size: Size | None = None if image_size is None else as_size("image_size", image_size)
        self.num_workers = max(1, num_workers)

    @property
    @abstractmethod
    def description(self) -> str:
        """What an artifact's provenance calls the dataset; no path of a machine."""

    @abstractmethod
    def train_pictures(self) -> list[Path]:
        """The normal pictures to learn from, sorted; raises InvalidDataset if there are none."""

    @abstractmethod
    def test_pictures(self) -> list[TestPicture]:
        """The pictures to evaluate on, sorted; empty if the dataset has none."""


class Folder(DataModule):
    """A folder of normal pictures, with those of its subfolders."""

    def __init__(self, root: str, image_size: int | Sequence[int] | None = None, num_workers: int = 2) -> None:
        super().__init__(image_size, num_workers)
        self.root = Path(root)

    @property
    def description(self) -> str:
        """The folder's name."""
        return f"folder {self.root.resolve().name}"

    def train_pictures(self) -> list[Path]:
        """See DataModule."""
        return _pictures(self.root, self.root.rglob("*"))

    def test_pictures(self) -> list[TestPicture]:
        """None: a folder of normal pictures says nothing of defects."""
        return []


class MVTec(DataModule):
    """The layout of MVTec AD (Bergmann et al. 2019): `<category>/train/good`, `test/<kind>`, `ground_truth/<kind>`."""

    def __init__(
        self,
        root: str = "./datasets/MVTec",
        category: str = "bottle",
        image_size: int | Sequence[int] | None = None,
        num_workers: int = 2,
    ) -> None:
        super().__init__(image_size, num_workers)
        self.root, self.category = Path(root), category

    @property
    def description(self) -> str:
        """The category's name."""
        return f"MVTec layout, category {self.category}"

    def train_pictures(self) -> list[Path]:
        """See DataModule."""
        folder = self.root / self.category / "train" / "good"
        return _pictures(folder, folder.glob("*"))

    def test_pictures(self) -> list[TestPicture]:
        """See DataModule. A mask is called `<picture>_mask.png` or `<picture>.png`."""
        category = self.root / self.category
        found = []
        for path in sorted((category / "test").glob("*/*")):
            if path.suffix.lower() in SUFFIXES:
                kind = path.parent.name
                truth = category / "ground_truth" / kind
                masks = [
                    mask for name in (f"{path.stem}_mask.png", f"{path.stem}.png") if (mask := truth / name).is_file()
                ]
                found.append(TestPicture(path, kind, masks[0] if masks else None))
        return found


def pictures_in(path: Path) -> list[tuple[Path, Path]]:
    """The picture `path`, or those in the folder `path`, each with its name below that folder, without suffix."""
    if path.is_dir():
        return [(found, found.relative_to(path).with_suffix("")) for found in _pictures(path, path.rglob("*"))]
    return [(path, Path(path.stem))]


def _pictures(folder: Path, candidates: Iterable[Path]) -> list[Path]:
    if not folder.is_dir():
        raise InvalidDataset(f"there is no folder {folder}")
    found = sorted(path for path in candidates if path.suffix.lower() in SUFFIXES)
    if not found:
        raise InvalidDataset(f"{folder} holds no pictures; those with {', '.join(sorted(SUFFIXES))} are taken")
    return found


def headers(paths: Sequence[Path]) -> list[Header]:
    """The headers of picture files; raises InvalidDataset that names the first one that cannot be read."""
    return [_naming(path, lambda data: read_header(data, max_pixels=MAX_PIXELS)) for path in paths]


def decoded(paths: Iterable[Path], workers: int) -> Iterator[Tensor]:
    """The pictures, [C,H,W] each, in order; the next ones are decoded meanwhile. Raises InvalidDataset."""
    waiting: deque[Future[Tensor]] = deque()
    remaining = iter(paths)
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        try:
            waiting.extend(pool.submit(_decode, path) for path in islice(remaining, workers + 1))
            while waiting:
                picture = waiting.popleft().result()
                waiting.extend(pool.submit(_decode, path) for path in islice(remaining, 1))
                yield picture
        finally:
            for future in waiting:
                future.cancel()


def _decode(path: Path) -> Tensor:
    return _naming(path, lambda data: decode(data, max_pixels=MAX_PIXELS))


def _naming(path: Path, read: Callable[[bytes], T]) -> T:
    """What `read` makes of the file, with errors that name it."""
    try:
        return read(path.read_bytes())
    except (InvalidImage, TooManyPixels, OSError) as error:
        raise InvalidDataset(f"{path} cannot be read: {error}") from error
