"""The documents of annotation tools, for the contract.

Coordinates are described as lists of any values: generators of clients disagree on nested lists of varying depth.
"""

from typing import Any

from pydantic import BaseModel, Field, FiniteFloat

from app.api.schemas.geometry import BoxBody, PointBody
from app.api.schemas.prediction import ImageSizeBody
from app.pipeline import Label

_ZONE = "Name of the model's zone in which the peak lies; absent if it lies in none."


class AnnotationModelBody(BaseModel):
    """The model that found the regions."""

    name: str = Field(description="Name of the model.", examples=["demo"])
    version: int = Field(description="Version of the model.", examples=[1])
    digest: str = Field(description="SHA-256 of the version's manifest.", examples=["9f86d081" * 8])


class AnnotationImageBody(ImageSizeBody):
    """The picture: its size in pixels, after its EXIF rotation, and its name."""

    file_name: str = Field(description="File name of the upload; may be empty.", examples=["defect.png"])


class GeometryBody(BaseModel):
    """The outline of a region along the edges of its pixels, in pixels, with y downward."""

    type: str = Field(
        description="`Polygon`, or `MultiPolygon` if parts of the region touch only at corners of pixels.",
        examples=["Polygon"],
    )
    coordinates: list[Any] = Field(
        description="As in RFC 7946: the rings of a polygon, each a list of `[x, y]` whose last point is the first; "
        "outer rings are counterclockwise and holes clockwise, counted as if y were upward.",
        examples=[[[[412, 96], [483, 96], [483, 114], [412, 114], [412, 96]]]],
    )


class ClassificationBody(BaseModel):
    """The class of the object in QuPath."""

    name: str = Field(description="Name of the class.", examples=["anomalous"])
    color: list[int] = Field(description="Red, green and blue, 0 to 255.", examples=[[255, 94, 0]])


class FeaturePropertiesBody(BaseModel):
    """The properties of a region. `objectType`, `classification` and `measurements` are those of QuPath."""

    objectType: str = Field(description="Type of the object in QuPath.", examples=["annotation"])
    classification: ClassificationBody = Field(description="Class of the object in QuPath.")
    measurements: dict[str, FiniteFloat] = Field(
        description="Numbers that QuPath shows with the object.", examples=[{"score": 0.91}]
    )
    label: str = Field(description="Label of the region.", examples=["anomalous"])
    score: FiniteFloat = Field(description="Largest normalised map value in the region.", examples=[0.91])
    area: int = Field(description="Number of pixels in the region.", examples=[904])
    box: BoxBody = Field(description="Smallest rectangle that contains the region.")
    peak: PointBody = Field(description="Pixel with the largest map value.")
    model: str = Field(description="Name of the model.", examples=["demo"])
    version: int = Field(description="Version of the model.", examples=[1])
    zone: str | None = Field(default=None, description=_ZONE, examples=[None])


class FeatureBody(BaseModel):
    """A region as a feature of GeoJSON."""

    type: str = Field(description="Always `Feature`.", examples=["Feature"])
    bbox: list[int] = Field(
        description="Left, top, right and bottom edge of the region in pixels.", examples=[[412, 96, 483, 114]]
    )
    geometry: GeometryBody = Field(description="Outline of the region.")
    properties: FeaturePropertiesBody = Field(description="What is known of the region.")


class GeoJsonBody(BaseModel):
    """The regions as GeoJSON (RFC 7946), in pixels of the uploaded picture instead of degrees."""

    type: str = Field(description="Always `FeatureCollection`.", examples=["FeatureCollection"])
    generator: str = Field(description="Name of this program.", examples=["Tessera"])
    image: AnnotationImageBody = Field(description="The picture.")
    model: AnnotationModelBody = Field(description="Model that found the regions.")
    score: FiniteFloat = Field(ge=0, le=1, description="Normalised anomaly score of the picture.", examples=[0.83])
    label: Label = Field(
        description="`anomalous` if the picture's score exceeds `threshold`, else `normal`.", examples=["anomalous"]
    )
    threshold: FiniteFloat = Field(ge=0, le=1, description="Threshold of all normalised scores.", examples=[0.5])
    features: list[FeatureBody] = Field(description="Regions, in the order of their last rows.")


class CocoInfoBody(BaseModel):
    """Where a COCO document comes from."""

    description: str = Field(description="What it holds.", examples=["Defect regions found by Tessera"])
    version: str = Field(description="Version of this program.", examples=["0.2.0"])
    model: str = Field(description="Name of the model.", examples=["demo"])
    model_version: int = Field(description="Version of the model.", examples=[1])
    digest: str = Field(description="SHA-256 of the version's manifest.", examples=["9f86d081" * 8])


class CocoImageBody(AnnotationImageBody):
    """The picture in a COCO document."""

    id: int = Field(description="Number of the picture.", examples=[1])


class CocoCategoryBody(BaseModel):
    """The category of all regions in a COCO document."""

    id: int = Field(description="Number of the category.", examples=[1])
    name: str = Field(description="Name of the category.", examples=["anomalous"])
    supercategory: str = Field(description="Group of the category.", examples=["defect"])


class CocoAnnotationBody(BaseModel):
    """A region in a COCO document."""

    id: int = Field(description="Number of the region, counted from 1.", examples=[1])
    image_id: int = Field(description="Number of the picture.", examples=[1])
    category_id: int = Field(description="Number of the category.", examples=[1])
    segmentation: Any = Field(
        description="Polygons, each a list `[x1, y1, x2, y2, ...]`; for a region with holes uncompressed run lengths, "
        "`{counts, size}`, of the whole picture, column by column.",
        examples=[[[412, 96, 483, 96, 483, 114, 412, 114]]],
    )
    bbox: list[int] = Field(
        description="Left edge, top edge, width and height in pixels.", examples=[[412, 96, 71, 18]]
    )
    area: int = Field(description="Number of pixels in the region.", examples=[904])
    iscrowd: int = Field(description="Always 0: a single object.", examples=[0])
    score: FiniteFloat = Field(description="Largest normalised map value in the region.", examples=[0.91])
    zone: str | None = Field(default=None, description=_ZONE, examples=[None])


class CocoBody(BaseModel):
    """The regions in COCO's format of object detection."""

    info: CocoInfoBody = Field(description="Where the document comes from.")
    licenses: list[Any] = Field(description="Always empty.", examples=[[]])
    images: list[CocoImageBody] = Field(description="The picture.")
    categories: list[CocoCategoryBody] = Field(description="The category of all regions.")
    annotations: list[CocoAnnotationBody] = Field(description="Regions, in the order of their last rows.")


class LabelmeShapeBody(BaseModel):
    """A polygon of a region in a labelme document."""

    label: str = Field(description="Label of the region.", examples=["anomalous"])
    points: list[Any] = Field(
        description="Points `[x, y]`. Slits without width join holes with the outer ring.",
        examples=[[[412, 96], [483, 96], [483, 114], [412, 114]]],
    )
    group_id: int | None = Field(description="Equal for all polygons of one region; null if it has one.", examples=[3])
    description: str = Field(
        description="Score of the region, and its zone if it lies in one.", examples=["score 0.910"]
    )
    shape_type: str = Field(description="Always `polygon`.", examples=["polygon"])
    flags: dict[str, bool] = Field(description="Always empty.", examples=[{}])


class LabelmeBody(BaseModel):
    """The regions in the format of labelme 5."""

    version: str = Field(description="Version of labelme whose format this is.", examples=["5.5.0"])
    generator: str = Field(description="Name of this program.", examples=["Tessera"])
    model: AnnotationModelBody = Field(description="Model that found the regions.")
    flags: dict[str, bool] = Field(description="Always empty.", examples=[{}])
    imagePath: str = Field(description="File name of the upload; may be empty.", examples=["defect.png"])
    imageData: str | None = Field(description="Always null: labelme reads the picture from its file.")
    imageHeight: int = Field(description="Height in pixels.", examples=[960])
    imageWidth: int = Field(description="Width in pixels.", examples=[1280])
    shapes: list[LabelmeShapeBody] = Field(description="Polygons of the regions, in the order of their last rows.")
