"""Writes the results of the newest date as one table to a Markdown file beside them.

python -m benchmarks.kolektorsdd.table
"""

import json
from collections.abc import Iterator
from typing import Any

from benchmarks.hardware import RESULTS

HEAD = """# KolektorSDD, beside anomalib

{date}, {processor}, one thread each, torch {torch}, anomalib {anomalib}. The same pictures in the same order, tiles,
weights (a ResNet-18), random channels and initial weights; all {tests} test pictures. Means of runs, which differ in
their seed; in brackets the smallest and the largest of several. Seconds are of the processor. Made by
`benchmarks/kolektorsdd`.

| detector | pictures, tiles, training | | image AUROC | pixel AUROC | fit, s | test, s | peak, GiB |
|---|---|---|---|---|---|---|---|
"""
COLUMNS = (("image_auroc", 3), ("pixel_auroc", 3), ("fit_cpu_s", 0), ("test_cpu_s", 0), ("test_peak_gib", 2))


def main() -> None:
    """Writes the table, and prints it."""
    newest = max(path.name[: len("2026-01-01")] for path in RESULTS.glob("*-kolektorsdd-*.json"))
    results = [json.loads(path.read_text()) for path in sorted(RESULTS.glob(f"{newest}-kolektorsdd-*.json"))]
    first = results[0]
    hardware = first["hardware"]
    head = HEAD.format(
        date=hardware["date"],
        processor=hardware["processor"],
        torch=hardware["versions"]["torch"],
        anomalib=hardware["versions"]["anomalib"],
        tests=round(first["mean"]["tessera"]["test_pictures"]),
    )
    table = head + "".join(f"| {' | '.join(row)} |\n" for row in _rows(results))
    (RESULTS / f"{hardware['date']}-kolektorsdd.md").write_text(table)
    print(table)


def _rows(results: list[dict[str, Any]]) -> Iterator[list[str]]:
    for result in results:
        setting = result["setting"]
        height, width = setting["size"]
        epochs = f"{setting['epochs']} epochs" if setting["epochs"] > 1 else "one pass"
        words = f"{height} x {width}, tiles of {setting['tile']}, {setting['pictures']} pictures, {epochs}"
        runs = f"{words}, {setting['runs']} runs" if setting["runs"] > 1 else words
        for program in ("anomalib", "tessera"):
            figures = [_figure(result, program, key, digits) for key, digits in COLUMNS]
            yield [result["detector"], runs, program, *figures]


def _figure(result: dict[str, Any], program: str, key: str, digits: int) -> str:
    values = [run[key] for run in result[program]]
    mean = f"{result['mean'][program][key]:.{digits}f}"
    spread = key.endswith("auroc") and len(values) > 1
    return f"{mean} ({min(values):.{digits}f} to {max(values):.{digits}f})" if spread else mean


if __name__ == "__main__":
    main()
