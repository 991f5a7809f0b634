"""The stages of a prediction: prepare, run, finish."""

from app.pipeline.assembly import Outcome, assembled, predict
from app.pipeline.bands import Band, BandOutcome, end_band, run_band
from app.pipeline.batching import best_batch_tiles
from app.pipeline.blocks import Block, BlockGrid, Coverage, edge_tiles, require_partial
from app.pipeline.carried import Checkpoint, read_checkpoint
from app.pipeline.device import BATCH_TILES, resolve_device, resolve_devices, use_processors
from app.pipeline.division import Division
from app.pipeline.evidence import (
    NEAREST,
    Grid,
    Neighbour,
    NormalPatches,
    PatchAssembly,
    nearest,
    patches_of,
    prepare_part,
)
from app.pipeline.execution import Execution
from app.pipeline.joining import BlockPixels, MeasuredBlock
from app.pipeline.loops import Loops
from app.pipeline.model import Prepared, TiledModel
from app.pipeline.out_of_memory import is_out_of_memory
from app.pipeline.prediction import (
    CALIBRATED,
    USUAL,
    Criteria,
    DefectRegion,
    Judgement,
    Label,
    Prediction,
    Question,
    defect_region,
    in_zones,
    interpret,
    judge,
    with_zones,
)
from app.pipeline.preprocessing import Preprocessing
from app.pipeline.region_evidence import MOST_REGIONS, Evidence, NormalPatch, RegionEvidence
from app.pipeline.roi import Roi
from app.pipeline.rows import RowSource, TensorRows
from app.pipeline.scan import MapBand, Run, Runner, Scan

__all__ = [
    "BATCH_TILES",
    "CALIBRATED",
    "MOST_REGIONS",
    "NEAREST",
    "USUAL",
    "Band",
    "BandOutcome",
    "Block",
    "BlockGrid",
    "BlockPixels",
    "Checkpoint",
    "Coverage",
    "Criteria",
    "DefectRegion",
    "Division",
    "Evidence",
    "Execution",
    "Grid",
    "Judgement",
    "Label",
    "Loops",
    "MapBand",
    "MeasuredBlock",
    "Neighbour",
    "NormalPatch",
    "NormalPatches",
    "Outcome",
    "PatchAssembly",
    "Prediction",
    "Prepared",
    "Preprocessing",
    "Question",
    "RegionEvidence",
    "Roi",
    "RowSource",
    "Run",
    "Runner",
    "Scan",
    "TensorRows",
    "TiledModel",
    "assembled",
    "best_batch_tiles",
    "defect_region",
    "edge_tiles",
    "end_band",
    "in_zones",
    "interpret",
    "is_out_of_memory",
    "judge",
    "nearest",
    "patches_of",
    "predict",
    "prepare_part",
    "read_checkpoint",
    "require_partial",
    "resolve_device",
    "resolve_devices",
    "run_band",
    "use_processors",
    "with_zones",
]
