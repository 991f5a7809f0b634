from pathlib import Path

import numpy as np
from PIL import Image

from scripts.demo.examples import write_examples

ROOT = Path(__file__).parents[2]


def test_the_examples_are_those_that_the_script_draws(tmp_path: Path) -> None:
    for drawn in write_examples(tmp_path):
        kept = ROOT / "examples" / drawn.name
        with Image.open(drawn) as expected, Image.open(kept) as picture:
            assert picture.size == (1024, 1024)
            difference = np.abs(np.asarray(expected).astype(int) - np.asarray(picture))
        assert difference.max() <= 1  # libraries round differently
        assert kept.stat().st_size <= 2.5e6
