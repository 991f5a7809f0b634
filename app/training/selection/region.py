"""Measures a region of a picture, whose other cells have known distances."""

from app.detectors import Features
from app.pipeline import Prepared
from app.pipeline.assembly import Assembly, completed
from app.pipeline.roi import view
from app.training.selection.measured import Scored
from app.training.selection.sharing import Group


class Region:
    """Takes the stitched features of the tiles around a region, and measures only the cells inside the region.

    distances: those of all cells of the picture, for the cells outside the region
    """

    def __init__(self, group: Group, prepared: Prepared, distances: Features) -> None:
        self._detector, self._plan = group.detector, prepared.plan
        self._assembly = Assembly(group.model, prepared)
        self._stride = group.detector.feature_strides[0]
        assert prepared.roi is not None
        shown = view(prepared.roi, prepared.image_size, prepared.plan.image_size)
        self._rows, self._columns = shown.cells(prepared.plan, self._stride)
        for own, whole, stride in zip(self._assembly.distances, distances, group.detector.map_strides, strict=True):
            y, x = self._plan.y.origin // stride, self._plan.x.origin // stride
            own.copy_(whole[y : y + own.shape[0], x : x + own.shape[1]])

    def add(self, features: Features, top: int, left: int) -> None:
        """Takes a band [C,rows,w] each, with its first row and column among those of the tiles."""
        y, x = self._plan.y.origin // self._stride, self._plan.x.origin // self._stride
        first, begin = y + top, x + left
        rows = range(max(self._rows.start, first), min(self._rows.stop, first + features[0].shape[1]))
        columns = range(max(self._columns.start, begin), min(self._columns.stop, begin + features[0].shape[2]))
        if not rows or not columns:
            return
        own = slice(rows.start - first, rows.stop - first), slice(columns.start - begin, columns.stop - begin)
        inside = tuple(each[None, :, *own] for each in features)
        place = rows.start * self._stride, columns.start * self._stride
        measurement = self._detector.measure(inside, [place])
        self._assembly.score_inputs.append(measurement.score_input)
        for whole, found in zip(self._assembly.distances, measurement.distances, strict=True):
            whole[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x] = found[0]

    def finish(self) -> Scored:
        """The region's map, and the inputs of its cells."""
        found = completed(self._assembly.finish()).anomaly_map
        return Scored(found, self._assembly.inputs, self._assembly.distances)
