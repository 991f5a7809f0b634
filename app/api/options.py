"""The query parameters that several prediction routes share."""

from dataclasses import replace
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from app.api.dependencies import Version
from app.pipeline import CALIBRATED, Criteria, Question, Roi
from app.pipeline.prediction import THRESHOLD
from app.rendering import ColorMap
from app.service.pictures import DRAWING, Drawing

MOST_PIXELS = 2**31 - 1
EDGES = "x", "y", "width", "height"


def split(values: object) -> object:
    """Splits strings at commas, so that `include=heatmap,mask` means the same as `include=heatmap&include=mask`.

    Values that are neither a string nor a list are returned as they are.
    """
    values = [values] if isinstance(values, str) else values
    return [part for value in values for part in str(value).split(",") if part] if isinstance(values, list) else values


def four(values: object) -> object:
    """The values of a region, split at commas. Raises PydanticCustomError for a list of any other length than four.

    Pydantic validates each value.
    """
    numbers = split(values)
    if isinstance(numbers, list) and len(numbers) != len(EDGES):
        raise PydanticCustomError(
            "region",
            "Give four whole numbers, {edges} in pixels; there are {count}",
            {"edges": ",".join(EDGES), "count": len(numbers)},
        )
    return numbers


class RegionQuery(BaseModel):
    """The version of the model, and the region of interest."""

    version: Version = None
    roi: Annotated[
        Annotated[list[Annotated[int, Field(ge=0, le=MOST_PIXELS)]], Field(min_length=4, max_length=4)] | None,
        BeforeValidator(four),
        Query(
            description="Region of interest: `x,y,width,height` in pixels of the uploaded picture. Only the tiles that "
            "it needs are computed. Scores and defect regions are those inside it. Heatmaps, masks and maps have its "
            "size. Coordinates are in pixels of the whole picture. Default: the whole picture.",
            examples=[[256, 0, 512, 384]],
        ),
    ] = None

    def criteria(self) -> Criteria:
        """What counts as anomalous."""
        return CALIBRATED

    def question(self) -> Question:
        """The criteria and the region of interest."""
        if self.roi is None:
            return Question(self.criteria())
        x, y, width, height = self.roi
        return Question(self.criteria(), Roi(y, x, height, width))


class ThresholdQuery(RegionQuery):
    """The parameters of RegionQuery, and the threshold."""

    threshold: float = Field(
        default=THRESHOLD,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Normalised scores and map values, which are in [0, 1], are anomalous above this threshold. 0.5 is "
        "the calibrated threshold of the model. The threshold determines the label, the regions and the mask; it does "
        "not change scores.",
        examples=[0.6],
    )

    def criteria(self) -> Criteria:
        return Criteria(self.threshold)


class CriteriaQuery(ThresholdQuery):
    """The parameters of ThresholdQuery, and the smallest area of a defect region."""

    min_region_area: int = Field(
        default=1,
        ge=1,
        le=MOST_PIXELS,
        description="Smallest area of a defect region, in pixels of the uploaded picture. Smaller regions are left "
        "out, also in the mask and the frames. The label does not change, because it depends on the picture's score.",
        examples=[25],
    )

    def criteria(self) -> Criteria:
        return Criteria(self.threshold, self.min_region_area)


ColorMapParameter = Annotated[
    ColorMap,
    Query(
        description="Colour map, from normal to anomalous. In every colour map, lightness increases with the anomaly, "
        "so that colour-blind people and grey prints show it as well.",
        examples=["cividis"],
    ),
]


class DrawingQuery(CriteriaQuery):
    """The parameters of CriteriaQuery, and the appearance of heatmaps."""

    colormap: ColorMapParameter = DRAWING.colors
    opacity: float = Field(
        default=DRAWING.opacity,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Opacity of the colours where the picture is most anomalous, with `style=overlay`: 0 shows only "
        "the picture, 1 only the colour.",
        examples=[0.7],
    )

    def drawing(self) -> Drawing:
        return Drawing(self.colormap, self.opacity)


class PartialQuery(DrawingQuery):
    """The parameters of DrawingQuery, and whether a part of the picture may be the answer."""

    partial: bool = Field(
        default=False,
        description="What the time limit does (`X-Request-Timeout`, or the server's `request_timeout_s`). `true`: the "
        "most suspicious parts of the picture are computed first, and the response comes at the limit with what was "
        "looked at by then; see `partial` in the prediction, and the header `Tessera-Partial`. A picture of which only "
        "a part was looked at is `anomalous` or `undecided`, never `normal`. It gets 504 only if nothing was looked "
        "at. `false`: a request that takes longer gets 504.",
        examples=[True],
    )

    def question(self) -> Question:
        return replace(super().question(), partial=self.partial)
