/**
 * The tiles of a picture, computed from a model's tiling as in `app/tiling/plan.py`, before the server has answered.
 */

/** @typedef {import("../server/models.js").Details} Details */
/** @typedef {import("../viewer/view.js").Box} Box */
/** @typedef {import("../viewer/view.js").Size} Size */
/** @typedef {{first: number, end: number}} Span in pixels of the picture; `end` is the pixel after the last one */

/**
 * The tiles row by row, with their parts of the picture. A model that takes pictures whole has one.
 * @param {Details} details
 * @param {Size} picture
 * @returns {{row: number, column: number, box: Box}[]}
 */
export function tilesOf({ tiling, image_size: resized }, picture) {
  const [rows, columns] = [
    spans(tiling, "height", resized?.height ?? picture.height, picture.height),
    spans(tiling, "width", resized?.width ?? picture.width, picture.width),
  ];
  return rows.flatMap((down, row) =>
    columns.map((across, column) => ({
      row,
      column,
      box: { x: across.first, y: down.first, width: across.end - across.first, height: down.end - down.first },
    })),
  );
}

/**
 * @param {Details["tiling"]} tiling
 * @param {"width" | "height"} edge
 * @param {number} canvas the length of the edge that is tiled, after resizing
 * @param {number} length of the picture's edge
 * @returns {Span[]}
 */
function spans({ enable, tile_size, stride, mode, halo, grid }, edge, canvas, length) {
  const [tile, step] = [tile_size[edge], stride[edge]];
  /** @param {number} value @param {number} unit */
  const roundedUp = (value, unit) => Math.ceil(value / unit) * unit;
  const isWhole = !enable || (mode === "within" && roundedUp(canvas, grid) <= tile + 2 * halo);
  if (isWhole) return [{ first: 0, end: length }];
  const last = roundedUp(Math.max(canvas - tile, 0), mode === "cover" || mode === "within" ? grid : step);
  const content = mode === "interpolation" ? last + tile : canvas;
  return Array.from({ length: 1 + Math.ceil(last / step) }, (_, index) => {
    const start = Math.min(index * step, last);
    return {
      first: Math.floor((start * length) / content),
      end: Math.ceil((Math.min(start + tile, content) * length) / content),
    };
  });
}
