from app.shown import listed


def test_long_lists_of_names_are_cut() -> None:
    names = [str(number) for number in range(12)]
    assert listed(names) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
    assert listed(names, 20) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 10 more"
    assert listed(["a\nb", "c"]) == "a\\nb, c"
