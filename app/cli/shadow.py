"""`tessera models shadow`."""

from collections.abc import Callable
from math import exp

from jsonargparse import Namespace

from app.artifacts import (
    MOST_PICTURES,
    Artifact,
    Contender,
    Counts,
    Decision,
    Entry,
    ModelRepository,
    Trial,
    read_counts,
    read_shadow,
    read_with_digest,
    start_shadow,
    stop_shadow,
)
from app.artifacts.record import user
from app.cli.usage import UsageError
from app.scoring import mcnemar

DECISIONS = {
    Decision.open: "nothing is decided yet",
    Decision.more_alarms: "decided: version {version} has more alarms",
    Decision.fewer_alarms: "decided: version {version} has fewer alarms",
    Decision.no_difference: "decided: no difference is proved",
}


def shadow(repository: ModelRepository, options: Namespace, load: Callable[[Entry], Artifact]) -> str:
    """Starts, stops or describes the comparison of a candidate with the version that serves.

    `load` loads a version as a server does. Raises UsageError, ShadowRefused, and what a promotion raises.
    """
    name, version = options.name, options.version
    if options.stop:
        trial = stop_shadow(repository, name, user())
        return f"the shadow of {name}, version {trial.version}, is stopped; {_found(repository, name, trial)}"
    if version is None:
        repository.newest(name)
        found = read_shadow(repository, name).trial
        if found is None:
            return f"no version of {name} runs as a shadow, and none did"
        state = (
            "is stopped"
            if found.stopped
            else f"runs beside version {found.served} on {found.share:.4g} of the requests"
        )
        return f"version {found.version} of {name} {state}; {_found(repository, name, found)}"
    if not 0 < options.share <= 1:
        raise UsageError(f"--share is {options.share:g}, and must be over 0 and at most 1", hint="example: --share 0.1")
    if not 1 <= options.pictures <= MOST_PICTURES:
        raise UsageError(
            f"--pictures is {options.pictures:,}, and must be from 1 to {MOST_PICTURES:,}",
            hint="example: --pictures 10000",
        )
    entry, served = repository.find(name, version), repository.find(name)
    candidate = Contender(version, load(entry).digest)
    live = Contender(served.version, read_with_digest(served.path)[1])
    start_shadow(repository, name, candidate, live, user(), share=options.share, pictures=options.pictures)
    return f"version {version} of {name} runs beside version {served.version} on {options.share:.4g} of the requests"


def _found(repository: ModelRepository, name: str, trial: Trial) -> str:
    """What all servers have found, in a line."""
    counts: Counts = read_counts(repository, name, trial)
    tally = counts.tally
    p_value = mcnemar(tally.served_only, tally.candidate_only)
    return (
        f"of {tally.compared:,} pictures, {tally.candidate_only:,} are anomalous for version {trial.version} only, and "
        f"{tally.served_only:,} for version {trial.served} only (McNemar's p {p_value:.3g}, "
        f"for any number of looks {exp(-counts.most_evidence):.3g}); {tally.dropped:,} were dropped; "
        + DECISIONS[counts.decision].format(version=trial.version)
    )
