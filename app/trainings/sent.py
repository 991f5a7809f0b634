"""The pictures of a request as a dataset."""

from pathlib import Path

from app.data import DataModule, LabelledSplit


class SentPictures(DataModule):
    """Normal pictures that a client has sent, in the order in which it sent them.

    They are decoded in the process of the training, which the server can kill.
    """

    def __init__(self, pictures: list[Path]) -> None:
        super().__init__(num_workers=0)
        self._pictures = pictures

    @property
    def description(self) -> str:
        return f"{len(self._pictures)} pictures that were sent to a server"

    def find_normal(self) -> list[Path]:
        return self._pictures

    def find_labelled(self) -> LabelledSplit:
        return LabelledSplit([], [])
