"""Searches the tiling, the detector and the backbone that find the smallest marks at a wished speed."""

from app.model_search.configurations import BACKBONES, DETECTORS, Configuration, Space, configurations
from app.model_search.drawing import FRONT, draw_front
from app.model_search.pictures import PartOf, SearchPictures, search_pictures
from app.model_search.record import SEARCH, read_search, write_search
from app.model_search.result import Result, choice, front, latest, survivors
from app.model_search.search import ROUNDS, Found, Search
from app.model_search.trial import Machine, Trials
from app.model_search.wish import Wish, read_wish

__all__ = [
    "BACKBONES",
    "DETECTORS",
    "FRONT",
    "ROUNDS",
    "SEARCH",
    "Configuration",
    "Found",
    "Machine",
    "PartOf",
    "Result",
    "Search",
    "SearchPictures",
    "Space",
    "Trials",
    "Wish",
    "choice",
    "configurations",
    "draw_front",
    "front",
    "latest",
    "read_search",
    "read_wish",
    "search_pictures",
    "survivors",
    "write_search",
]
