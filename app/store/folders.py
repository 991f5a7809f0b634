"""The files of jobs: `jobs/ID/NUMBER/` has the upload, what the work needs meanwhile, and the results."""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.files import flush
from app.store.folder_id import FolderId
from app.store.results import FolderResults, Results

BLOCK_BYTES = 512
"""The unit of `st_blocks` (stat(2))."""
WORK = "work"
"""The beginning of the name of a folder of what a restart goes on from."""


@dataclass(frozen=True, slots=True)
class PictureFiles:
    """The files of one picture of a job.

    upload: the picture's file, as far as it has come
    work: the folder of what a restart goes on from
    temporary: the folder of what it does not need
    result: the prediction as JSON
    overlay, mask, map: the pyramids

    Finished results are read from `JobFolders.results`.
    """

    folder: Path
    work: Path

    @property
    def upload(self) -> Path:
        return self.folder / "upload"

    @property
    def temporary(self) -> Path:
        return self.folder / "temporary"

    @property
    def result(self) -> Path:
        return self.folder / "result.json"

    def pyramid(self, layer: str) -> Path:
        """The pyramid of this name: overlay, mask or map."""
        return self.folder / f"{layer}.tif"


class JobFolders:
    """The files of all jobs, in one folder, which servers may share, and their results: there, or elsewhere.

    Methods raise OSError.
    """

    def __init__(self, root: Path, results: Results | None = None) -> None:
        self.root, self.id = root / "jobs", FolderId(root / "folder-id")
        self.root.mkdir(parents=True, exist_ok=True)
        self.results: Results = results or FolderResults(self.root)
        self._removed = None if results is None else root / "removed"
        if self._removed is not None:
            self._removed.mkdir(exist_ok=True)

    def of(self, id: str, number: int, fence: int = 0) -> PictureFiles:
        """The files of a picture; those of the work are of the server that has this fence."""
        folder = self.root / id / str(number)
        return PictureFiles(folder, folder / f"{WORK}-{fence}")

    def make(self, id: str, pictures: int) -> None:
        """Makes the folders of a job, on the disk when it returns."""
        for number in range(pictures):
            self.of(id, number).folder.mkdir(parents=True)
            flush(self.of(id, number).folder)
        flush(self.root / id)
        flush(self.root)

    def begin(self, id: str, number: int, fence: int) -> PictureFiles:
        """The files of a picture whose work begins, or goes on; `fence` is higher each time.

        The folder of the work gets a new name, so that a server that has lost the job, and does not know it yet, writes
        no more into it.
        """
        files = self.of(id, number, fence)
        shutil.rmtree(files.temporary, ignore_errors=True)
        files.temporary.mkdir()
        for left in files.folder.glob(f"{WORK}*"):  # there is one at most
            left.replace(files.work)
        files.work.mkdir(exist_ok=True)
        return files

    def finish(self, id: str, number: int) -> None:
        """Removes what a picture no longer needs that is done: its upload, and the folders of the work."""
        files = self.of(id, number)
        files.upload.unlink(missing_ok=True)
        for folder in (files.temporary, *files.folder.glob(f"{WORK}*")):
            shutil.rmtree(folder, ignore_errors=True)

    def remove(self, id: str) -> None:
        """Removes all files of a job; nothing happens if there are none. `remove_results` removes results elsewhere."""
        if self._removed is not None:
            (self._removed / id).touch()
        shutil.rmtree(self.root / id, ignore_errors=True)

    def remove_results(self) -> None:
        """Removes the results, elsewhere, of jobs that were removed. Those that fail are removed by a later call."""
        for job in self._removed.iterdir() if self._removed is not None else ():
            self.results.remove(job.name)
            job.unlink(missing_ok=True)

    def ids(self) -> list[str]:
        """The ids of the jobs that have files."""
        return [folder.name for folder in self.root.iterdir()]

    def changed_s(self, id: str) -> float:
        """When the folder of a job was made, or a picture was added, in seconds since 1970."""
        return (self.root / id).stat().st_mtime

    def used_bytes(self, id: str) -> int:
        """The bytes that the files of a job take on the disk."""
        total = 0
        for folder, _, names in os.walk(self.root / id):
            for name in names:
                with suppress(FileNotFoundError):  # replaced meanwhile
                    total += Path(folder, name).stat().st_blocks * BLOCK_BYTES
        return total

    def free_bytes(self) -> int:
        """The free bytes of the disk."""
        return shutil.disk_usage(self.root).free
