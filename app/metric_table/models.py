"""Versions of models, and the repository that holds them."""

from app.metric_table.info import MetricInfo

LOAD_SECONDS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)

MODELS = MetricInfo(
    "tessera_models",
    "gauge",
    "versions",
    "Versions of models by state: loading, ready, failed",
    "failed above 0: a version was refused; GET /v1/models says why.",
    ("state",),
)
LOADS = MetricInfo(
    "tessera_model_loads",
    "counter",
    "versions",
    "Versions that were loaded or refused, by result: ready, or the code of the error",
    "A rise of another result than ready: a version was refused.",
    ("result",),
)
UNLOADS = MetricInfo(
    "tessera_model_unloads",
    "counter",
    "versions",
    "Versions that were taken from memory to make room for others (max_loaded_versions)",
    "It rises with most requests: more versions are used at a time than fit; raise max_loaded_versions.",
)
LOAD_TIME = MetricInfo(
    "tessera_model_load_seconds",
    "histogram",
    "seconds",
    "Duration of a version's load",
    "It rises with the size of the model, and beside other work, since kernels are measured while a version is loaded.",
    (),
    LOAD_SECONDS,
)
SCANS = MetricInfo(
    "tessera_repository_scans",
    "counter",
    "looks",
    "Readings of the model repository, by result: done, or unreadable",
    "unreadable: models_dir cannot be read; loaded models stay served.",
    ("result",),
)
RELOAD_SECONDS = MetricInfo(
    "tessera_reload_seconds",
    "histogram",
    "seconds",
    "Duration of readings of the model repository, with the loads that they lead to",
    "Above reload_interval_s: new versions are served that much later.",
    (),
    LOAD_SECONDS,
)
MODEL_VERSION = MetricInfo(
    "tessera_model_version",
    "gauge",
    "version number",
    "The version that is served unless one is asked for",
    "A change: another version went live.",
    ("model",),
)
MODEL_INFO = MetricInfo(
    "tessera_model_info",
    "gauge",
    "always 1",
    "1 for each version that is served, with the SHA-256 of its manifest",
    "Another digest of the same version: its files were replaced.",
    ("model", "version", "digest"),
)
