"""What a request may ask for besides a prediction: the parameters that several routes have."""

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
    """`include=heatmap,mask` means the same as `include=heatmap&include=mask`, and so does a single text."""
    values = [values] if isinstance(values, str) else values
    return [part for value in values for part in str(value).split(",") if part] if isinstance(values, list) else values


def four(values: object) -> object:
    """The four numbers of a region, as they were given; pydantic checks each."""
    numbers = split(values)
    if isinstance(numbers, list) and len(numbers) != len(EDGES):
        raise PydanticCustomError(
            "region",
            "Give four whole numbers, {edges} in pixels; there are {count}",
            {"edges": ",".join(EDGES), "count": len(numbers)},
        )
    return numbers


class RegionQuery(BaseModel):
    """Which version answers, and about which part of the picture."""

    version: Version = None
    roi: Annotated[
        list[Annotated[int, Field(ge=0, le=MOST_PIXELS)]] | None,
        BeforeValidator(four),
        Query(
            min_length=4,
            max_length=4,
            description="A region of interest, `x,y,width,height` in pixels of the uploaded picture: only its tiles "
            "are computed and only it is judged. Scores and defects are those within it, and heatmaps, masks and maps "
            "are of its size. Places are in pixels of the whole picture. By default all of it.",
            examples=[[256, 0, 512, 384]],
        ),
    ] = None

    def criteria(self) -> Criteria:
        """By which criteria the picture is judged."""
        return CALIBRATED

    def question(self) -> Question:
        """What is asked about the picture."""
        if self.roi is None:
            return Question(self.criteria())
        x, y, width, height = self.roi
        return Question(self.criteria(), Roi(y, x, height, width))


class ThresholdQuery(RegionQuery):
    """Over which score a picture is anomalous, too."""

    threshold: float = Field(
        default=THRESHOLD,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="What counts as anomalous: normalised scores and map values, in [0, 1], over this. 0.5 is the "
        "threshold that the model was calibrated to. Label, regions and mask go by it; scores do not change.",
        examples=[0.6],
    )

    def criteria(self) -> Criteria:
        """By which criteria the picture is judged."""
        return Criteria(self.threshold)


class CriteriaQuery(ThresholdQuery):
    """Which regions count, too."""

    min_region_area: int = Field(
        default=1,
        ge=1,
        le=MOST_PIXELS,
        description="Regions of fewer pixels of the uploaded picture are left out, in the mask and frames, too. The "
        "label goes by the picture's score, and stays as it is.",
        examples=[25],
    )

    def criteria(self) -> Criteria:
        """By which criteria the picture is judged."""
        return Criteria(self.threshold, self.min_region_area)


ColorMapParameter = Annotated[
    ColorMap,
    Query(
        description="The colours, from normal to anomalous. In all of them lightness rises with the anomaly, which the "
        "colour-blind see as well, and grey print shows.",
        examples=["cividis"],
    ),
]


class DrawingQuery(CriteriaQuery):
    """How heat is drawn, too."""

    colormap: ColorMapParameter = DRAWING.colors
    opacity: float = Field(
        default=DRAWING.opacity,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="How far the colours cover the picture where it is most anomalous, with `style=overlay`: 0 shows "
        "the picture alone, 1 the colour alone.",
        examples=[0.7],
    )

    def drawing(self) -> Drawing:
        """What the parameters mean."""
        return Drawing(self.colormap, self.opacity)
