"""The body of a request for a first model: a form with a name and pictures."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import UploadFile

from app.api.batch_body import FIELD
from app.api.dependencies import ServicesDep, TrainingsDep
from app.api.parameters import unknown
from app.api.picture_body import FORM, invalid_field, not_a_file
from app.api.pictures_form import Item, read_pictures_form
from app.trainings import FEWEST_PICTURES

NAME = "name"


@dataclass(frozen=True, slots=True)
class FirstModelForm:
    """The name of a model, and the pictures that it is trained on."""

    name: str
    pictures: Sequence[UploadFile]


async def _form(request: Request, services: ServicesDep, trainings: TrainingsDep) -> AsyncIterator[FirstModelForm]:
    """`trainings` is required first, so that a server that trains none reads no body."""
    async with read_pictures_form(request, services.batch_pictures) as items:
        yield _read(items)


FirstModelFormDep = Annotated[FirstModelForm, Depends(_form)]


def _read(items: list[Item]) -> FirstModelForm:
    names, pictures = list[str](), list[UploadFile]()
    for field, value in items:
        if field == NAME and isinstance(value, str):
            names.append(value.strip())
        elif field == NAME:
            raise invalid_field(NAME, "it is a file; send the model's name as text")
        elif field != FIELD:
            raise invalid_field(field, unknown("form field", field, (NAME, FIELD)))
        elif not isinstance(value, UploadFile):
            raise not_a_file(FIELD)
        else:
            pictures.append(value)
    if len(names) != 1:
        raise invalid_field(NAME, f"the form has {len(names)} of it; send one, the name of the model")
    return FirstModelForm(names[0], pictures)


FIRST_MODEL_FORM: dict[str, Any] = {
    "FirstModelForm": {
        "type": "object",
        "title": "FirstModelForm",
        "description": "The name of a model, and the pictures that it is trained on.",
        "properties": {
            NAME: {
                "type": "string",
                "description": "Name of the model: lower-case letters, digits, `_` and `-`.",
                "example": "lid",
            },
            FIELD: {
                "type": "array",
                "items": {"type": "string", "format": "binary"},
                "description": f"Normal pictures of about one size, one file each; at least {FEWEST_PICTURES}.",
            },
        },
        "required": [NAME, FIELD],
    }
}
FIRST_MODEL_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The name and the pictures. The server's settings limit their number (`batch_pictures`, 100 by "
        "default) and their total size in bytes (`max_image_bytes`).",
        "content": {FORM: {"schema": {"$ref": "#/components/schemas/FirstModelForm"}}},
    }
}
"""`openapi_extra` of the route."""
