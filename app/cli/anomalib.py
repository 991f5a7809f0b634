"""What people write who know anomalib: its commands, and the keys of its configuration files.

The names are those of anomalib 2.7 and 1.2, and of the Trainer of Lightning 2.6.
"""

from collections.abc import Mapping

COUNTERPARTS = {
    "fit": "tessera train --model Patchcore --data Folder --data.root PICTURES --name NAME",
    "test": "tessera evaluate --name NAME --data MVTec --data.root DIR --data.category CATEGORY --output report",
    "validate": "tessera evaluate --name NAME --data MVTec --data.root DIR --data.category CATEGORY --output report",
    "export": "a version of a model in models/NAME is its own export: copy it, or serve it by `tessera serve`; "
    "`tessera import FILE.ckpt --name NAME` takes a model of anomalib",
    "benchmark": "tessera compare NAME OTHER --data MVTec --data.root DIR --data.category CATEGORY --output report",
    "install": "nothing to install: all commands are there",
}
"""anomalib's commands that Tessera does not have, and what to do instead."""

OTHER_OPTIONS = {
    "ckpt_path": "import the checkpoint once, `tessera import FILE.ckpt --name NAME`, then give --name NAME instead",
    "model": "name the trained model by --name NAME",
    "data": "name the pictures, or folders of them, without an option",
    "data_path": "name the pictures, or folders of them, without an option",
    "dataset": "name the pictures, or folders of them, without an option",
}
"""Options of anomalib's commands that Tessera's do not have, and what to give instead."""

CALLBACKS = (
    *("BatchSizeFinder", "DeviceStatsMonitor", "GraphLogger", "ImageVisualizer", "LearningRateMonitor"),
    *("LoadModelCallback", "ModelCheckpoint", "ModelSummary", "ProgressBar", "RichModelSummary", "RichProgressBar"),
    *("TQDMProgressBar", "ThroughputMonitor", "Timer", "TimerCallback"),
)
"""Callbacks that change no weights and no scores."""

_TRAINER = (
    *("accelerator", "accumulate_grad_batches", "barebones", "benchmark", "default_root_dir", "detect_anomaly"),
    *("deterministic", "devices", "enable_autolog_hparams", "enable_checkpointing", "enable_model_summary"),
    *("enable_progress_bar", "fast_dev_run", "gradient_clip_algorithm", "gradient_clip_val", "inference_mode"),
    *("limit_predict_batches", "limit_test_batches", "limit_train_batches", "limit_val_batches", "log_every_n_steps"),
    *("logger", "max_steps", "max_time", "min_epochs", "min_steps", "model_registry", "num_nodes"),
    *("num_sanity_val_steps", "overfit_batches", "plugins", "profiler", "reload_dataloaders_every_n_epochs"),
    *("strategy", "sync_batchnorm", "use_distributed_sampler", "val_check_interval"),
)
_DATA = (
    *("augmentations", "eval_batch_size", "eval_transform", "extensions", "name", "normal_split_ratio", "seed"),
    *("synthetic_blend_factor", "task", "test_augmentations", "test_split_mode", "test_split_ratio"),
    *("train_augmentations", "train_transform", "transform", "val_augmentations"),
)
_MODEL = ("evaluator", "post_processor", "pre_processor", "visualizer")
_TOP = (
    *("default_root_dir", "logging", "lr_scheduler", "metrics", "normalization", "optimizer"),
    *("result_saving", "results_dir", "return_predictions", "task", "visualization"),
)
IN_FILES = frozenset(["ckpt_path"])
"""Keys that have no effect in a file. As options of a command they are refused."""

WITHOUT_EFFECT = frozenset(
    [*_TOP, *(f"trainer.{name}" for name in _TRAINER), *(f"data.{name}" for name in _DATA)]
    + [f"model.{name}" for name in _MODEL]
)
"""Keys of anomalib's files, and options of its commands, that have no counterpart."""

INSTEAD = {
    "trainer.accelerator": "--device",
    "trainer.devices": "--device",
    "trainer.default_root_dir": "--models_dir",
    "default_root_dir": "--models_dir",
    "model.pre_processor": "--data.image_size",
    "data.transform": "--data.image_size",
}
"""Options of Tessera for the same purpose as some of them."""

_PRECISIONS = {"32-true": "32", "16-mixed": "16", "16-true": "16", "bf16-mixed": "bf16", "bf16-true": "bf16"}


def is_without_effect(name: str, *, in_file: bool = False) -> bool:
    """Whether an option, such as `trainer.devices` or `logging.log_graph`, is one of anomalib that has no effect."""
    return name in WITHOUT_EFFECT or name.partition(".")[0] in WITHOUT_EFFECT or (in_file and name in IN_FILES)


def unset(name: str, value: object) -> bool:
    """Whether a value of anomalib's means that the option is not set."""
    return (name == "trainer.precision" and value is None) or (
        name == "seed_everything" and (value is None or isinstance(value, bool))
    )


def translated(name: str, value: object) -> object:
    """Tessera's name of a value that anomalib names otherwise."""
    return _PRECISIONS.get(str(value), value) if name == "trainer.precision" else value


def note(names: Mapping[str, None], where: str) -> str:
    """One line about the options that are left out."""
    shown = [f"{name} (use {INSTEAD[name]})" if name in INSTEAD else name for name in names]
    return f"note: {where}options of anomalib without effect here: {', '.join(shown)}"
