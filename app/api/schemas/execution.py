"""The bodies of how this server runs a model."""

from dataclasses import asdict
from typing import Self

from pydantic import BaseModel, Field, FiniteFloat

from app.artifacts import Artifact
from app.detectors import Codes, SearchChoice, SearchMethod, SearchMode
from app.runtime import Candidate, Kernels, Precision, Runtime
from app.trials import Trial


class TrialBody(BaseModel):
    """A way to run the network, measured when the model was loaded."""

    precision: Precision = Field(description="Number format of the network's computations.")
    kernels: Kernels = Field(description="Kernels that ran the network.")
    tiles_per_s: FiniteFloat = Field(
        description="Throughput of all lanes together, in tiles per second.",
        examples=[47.2],
    )

    @classmethod
    def of(cls, trial: Trial[Candidate]) -> Self:
        """The body of a trial."""
        candidate = trial.candidate
        tiles_per_s = round(1 / trial.seconds, 2)
        return cls(precision=candidate.precision, kernels=candidate.kernels, tiles_per_s=tiles_per_s)


class SearchBody(BaseModel):
    """How a memory bank is searched for the nearest row."""

    mode: SearchMode = Field(description="The requested accuracy of the search.")
    method: SearchMethod = Field(description="The algorithm of the search.")
    codes: Codes | None = Field(
        description="Number format of the codes that bounds are computed from; null if the search uses no bounds.",
        examples=["bfloat16"],
    )
    queries_at_once: int | None = Field(
        description="Largest number of patches that are compared with the bank in one step; null if no number was "
        "chosen.",
        examples=[512],
    )

    @classmethod
    def of(cls, search: SearchChoice) -> Self:
        """The body of a search."""
        return cls.model_validate(asdict(search))


class ExecutionBody(BaseModel):
    """How this server runs the model."""

    devices: list[str] = Field(description="Devices that compute.", examples=[["cpu"]])
    runtime: Runtime = Field(
        description="Library that runs the network.",
    )
    kernels: Kernels = Field(description="Kernels that run the network.")
    precision: Precision = Field(description="Number format of the network's computations.")
    batch_tiles: int = Field(description="Largest number of tiles in a batch.", examples=[16])
    lanes: int | None = Field(
        description="Largest number of pictures that a CPU processes in parallel; null if all lanes are used.",
        examples=[2],
    )
    search: SearchBody | None = Field(
        description="How the memory bank is searched; null if the detector has no memory bank."
    )
    fallback: str | None = Field(
        description="Reason why the slower modules of the detector run the network; null if they do not.",
        examples=[None],
    )
    trials: list[TrialBody] = Field(
        description="Ways to run the network that were compared on this machine, the fastest first.",
    )

    @classmethod
    def of(cls, artifact: Artifact) -> Self:
        """The body of a loaded model."""
        model, search = artifact.model, artifact.model.detector.search
        return cls(
            devices=[str(each.device) for each in artifact.models],
            runtime=Runtime.torch,
            kernels=model.network.kernels,
            precision=model.network.precision,
            batch_tiles=model.batch_tiles,
            lanes=model.execution.lanes,
            search=None if search is None else SearchBody.of(search),
            fallback=model.execution.fallback,
            trials=[TrialBody.of(trial) for trial in model.execution.trials],
        )
