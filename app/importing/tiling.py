"""Chooses the tiling of an imported model: the given tiling, or that of the file."""

from app.errors import InvalidTiling, UnsupportedImport
from app.importing.records import shown
from app.importing.reference import RecordedTiler, ReferenceModel
from app.tiling import Size, Tiling, TilingMode, plan


def chosen_tiling(source: ReferenceModel, given: Tiling | None) -> tuple[Tiling, str, tuple[str, ...]]:
    """The tiling, its description in words, and the assumptions in words. The file must record it if none is given.

    Raises UnsupportedImport if the file's tiling cannot be reproduced.
    """
    if given is not None:
        if given.thumbnail:
            raise UnsupportedImport(
                "thumbnail is true, and imported models were fitted without thumbnails; leave out --tiling.thumbnail"
            )
        description, assumed = f"tiling: {_in_words(given)}, as given", []
        if source.tiler_is_recorded and not _is_recorded(given, source.tiler):
            assumed.append(f"tiling: the file records another one ({_recorded_in_words(source.tiler)})")
        if given.enable and given.remove_border_count:
            assumed.append(
                "tiling: remove_border_count is in pixels here, and in cells of each layer in anomalib, which leaves "
                "holes: scores will differ"
            )
        return given, description, tuple(assumed)
    if source.tiler is None:
        return Tiling(enable=False), "tiling: none", ()
    tiling = _recorded(source.tiler)
    return tiling, f"tiling: {_in_words(tiling)}", ()


def _recorded(tiler: RecordedTiler) -> Tiling:
    if tiler.remove_border_count != 0:
        raise UnsupportedImport(
            f"the file's tiler removes borders of {shown(tiler.remove_border_count)} cells, which leaves holes in "
            "anomalib and cannot be reproduced; give --tiling.tile_size and --tiling.stride to import it without"
        )
    tile, stride = (_size(size) for size in (tiler.tile_size, tiler.stride))
    if tile is None or stride is None:
        raise UnsupportedImport(
            "the file's tiler has no tile size or stride; give --tiling.tile_size and --tiling.stride"
        )
    if tiler.mode not in list(TilingMode):
        raise UnsupportedImport(
            f"the file's tiler has the mode {shown(tiler.mode)}; padding and interpolation are known"
        )
    try:
        return Tiling(True, tile, stride, 0, TilingMode(tiler.mode))
    except InvalidTiling as error:
        raise UnsupportedImport(f"the file's tiling cannot be reproduced: {error}") from error


def _size(pair: tuple[object, object]) -> Size | None:
    height, width = pair
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None


def differences(tiling: Tiling, image_size: Size | None) -> tuple[str, ...]:
    """In words: where maps with this tiling differ from anomalib's, because of its design or its errors."""
    if not tiling.enable or image_size is None:
        return ()
    if tiling.mode is TilingMode.interpolation:
        return (
            "tiling: with mode interpolation anomalib enlarges features to pixels before it compares them; maps are "
            "smoother here, and scores may differ a little",
        )
    if plan(tiling, *image_size).canvas_size == image_size:
        return ()
    return (
        f"tiling: pictures of {image_size[0]} x {image_size[1]} pixels are not on the grid of the tiles; anomalib's "
        "maps are stretched for them, and those of this program are not; scores may differ a little",
    )


def _is_recorded(given: Tiling, tiler: RecordedTiler | None) -> bool:
    if tiler is None or not given.enable:
        return tiler is None and not given.enable
    return (given.tile_size, given.stride, given.mode) == (tiler.tile_size, tiler.stride, tiler.mode)


def _in_words(tiling: Tiling) -> str:
    if not tiling.enable:
        return "none"
    return "{} x {} tiles, {} x {} apart, {}".format(*tiling.tile_size, *tiling.stride, tiling.mode)


def _recorded_in_words(tiler: RecordedTiler | None) -> str:
    return (
        "none"
        if tiler is None
        else f"tiles {shown(tiler.tile_size)}, stride {shown(tiler.stride)}, {shown(tiler.mode)}"
    )
