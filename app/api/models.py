"""What is served."""

from fastapi import APIRouter

from app.api.dependencies import CatalogueDep, ModelName
from app.api.openapi import problem_responses
from app.api.schemas.model import ModelBody, ModelListBody

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("")
async def list_models(catalogue: CatalogueDep) -> ModelListBody:
    """All models with all of their versions, those included that were refused."""
    return ModelListBody(models=[ModelBody.of(model) for model in catalogue.models()])


@router.get("/{model}", responses=problem_responses(404, 422))
async def get_model(model: ModelName, catalogue: CatalogueDep) -> ModelBody:
    """One model."""
    return ModelBody.of(catalogue.model(model))
