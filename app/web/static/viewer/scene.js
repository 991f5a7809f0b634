/**
 * Draws a picture with its heat, its regions and what lies over them.
 */

import { drawDivider, drawEdges, drawFrames, drawPeaks } from "./marks.js";
import { paintTiles } from "./painter.js";
import { drawTileGrid } from "./tile-marks.js";

/** @typedef {import("../map/client.js").MapClient} MapClient */
/** @typedef {import("./heat-tiles.js").HeatTiles} HeatTiles */
/** @typedef {import("./painter.js").Stage} Stage */
/** @typedef {import("./picture-levels.js").PictureLevels} PictureLevels */
/** @typedef {import("./pyramid-tiles.js").PyramidTiles} PyramidTiles */
/** @typedef {import("./region-outline.js").RegionOutline} RegionOutline */
/** @typedef {import("./tile-marks.js").Tile} Tile */
/** @typedef {import("./gestures.js").Point} Point */
/** @typedef {import("./view.js").Box} Box */
/** @typedef {{box: Box, area: number, peak: {x: number, y: number}}} Region */

/**
 * @typedef {object} Look How the picture is shown. Call the viewer's `redraw` after a change.
 * @property {number} opacity of the heat, in [0, 1]
 * @property {boolean} split whether heat is shown only to the right of the divider; that of another model to the left
 * @property {number} divider its position in the window, in [0, 1]
 * @property {boolean} outlines
 * @property {Tile[] | null} grid
 * @property {number} threshold
 * @property {((stage: Stage) => void) | null} overlay draws over everything else
 */
/** @typedef {{map: MapClient, levels: number, heat: HeatTiles, outline: RegionOutline}} Heat */
/**
 * @typedef {object} Scene
 * @property {PictureLevels | PyramidTiles} picture
 * @property {Heat | null} heat
 * @property {Heat | null} other the heat of another model, left of the divider
 * @property {number} opacity of both, in [0, 1]
 * @property {Look} look
 * @property {Region[]} regions
 * @property {number} picked the index of a region, or -1
 * @property {Point | null} pointer the place in the picture under the pointer
 */

/**
 * @param {Stage} stage
 * @param {Scene} scene
 */
export function drawScene(stage, scene) {
  const { picture, heat, other, look } = scene;
  const { width } = stage.window;
  const { edge, levels } = picture;
  paintTiles(stage, { edge, levels: levels.length, tile: (...place) => picture.tile(...place) });
  const divider = Math.round(look.divider * width);
  const right = look.split ? divider : 0;
  if (look.split && other) within(stage, 0, divider, () => paintHeat(stage, scene, other));
  if (heat) within(stage, right, width - right, () => drawHeat(stage, scene, heat));
  look.overlay?.(stage);
  if (look.grid) drawTileGrid(stage, look.grid, look.threshold, scene.pointer);
  if (look.split) drawDivider(stage, divider);
}

/**
 * Draws only in some columns of the window.
 * @param {Stage} stage
 * @param {number} left
 * @param {number} width
 * @param {() => void} draw
 */
function within({ context, window }, left, width, draw) {
  context.save();
  context.beginPath();
  context.rect(left, 0, width, window.height);
  context.clip();
  draw();
  context.restore();
}

/**
 * @param {Stage} stage
 * @param {Scene} scene
 * @param {Heat} heat
 */
function paintHeat(stage, { opacity, look }, { levels, heat }) {
  stage.context.globalAlpha = opacity;
  paintTiles(stage, { levels, tile: (...place) => heat.get(...place, look.threshold) });
  stage.context.globalAlpha = 1;
}

/**
 * @param {Stage} stage
 * @param {Scene} scene
 * @param {Heat} heat
 */
function drawHeat(stage, scene, heat) {
  paintHeat(stage, scene, heat);
  if (!scene.look.outlines) return;
  const edges = heat.outline.edges(stage.view, stage.window, stage.ratio);
  if (edges) drawEdges(stage, edges);
  drawFrames(stage, scene.regions, scene.picked);
  drawPeaks(stage, scene.regions);
}
