from pathlib import Path

import numpy as np

from app.evaluation.disk_array import DiskArray


def test_appended_values_are_read_at_the_returned_places(tmp_path: Path) -> None:
    with DiskArray(np.uint32, tmp_path) as array:
        assert array.read().tolist() == []
        places = [array.append(np.arange(start, stop, dtype=np.uint32)) for start, stop in ((0, 5), (7, 7), (20, 9000))]
        first = array.read()
        places.append(array.append(np.array([1, 2], np.uint32)))
        assert [array.read()[place].tolist() for place in places[:2]] == [[0, 1, 2, 3, 4], []]
        assert array.read()[places[2]].tolist() == list(range(20, 9000))
        assert array.read()[places[3]].tolist() == [1, 2]
        assert first.tolist() == array.read()[:-2].tolist()
    assert list(tmp_path.iterdir()) == []
