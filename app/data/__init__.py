"""Datasets: which pictures there are, what is known of them, and their pixels."""

from app.data.base import DataModule, LabelledPicture
from app.data.files import pictures_in
from app.data.folder import Folder
from app.data.loading import MAX_PIXELS, decoded, headers
from app.data.mvtec import MVTec

__all__ = ["MAX_PIXELS", "DataModule", "Folder", "LabelledPicture", "MVTec", "decoded", "headers", "pictures_in"]
