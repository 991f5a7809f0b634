/**
 * Draws the tiles as what they are: rectangles that overlap, with their scores, and the tiles under the pointer whole.
 */

import { DARK, LIGHT } from "./marks.js";

/** @typedef {import("./painter.js").Stage} Stage */
/** @typedef {import("./view.js").Box} Box */
/** @typedef {import("./gestures.js").Point} Point */
/** @typedef {{row: number, column: number, box: Box, score: number | null}} Tile `score` is null until it is known */

/** Labels are left out where neighbouring ones would touch. */
const LABEL = { width: 38, height: 18 };
/** Edges of neighbouring tiles are drawn this far inside their tiles, so that overlapping ones can be told apart. */
const INSETS = [0, 3];

/**
 * @param {Stage} stage
 * @param {Tile[]} tiles
 * @param {number} threshold
 * @param {Point | null} pointer the place in the picture under the pointer
 */
export function drawTileGrid(stage, tiles, threshold, pointer) {
  const { context } = stage;
  context.save();
  context.globalAlpha = 0.6;
  for (const tile of tiles) {
    const inset = INSETS[(tile.row + tile.column) % 2];
    drawRectangle(stage, tile.box, inset, 1);
  }
  context.globalAlpha = 1;
  if (pointer) {
    for (const { box } of tiles.filter(({ box }) => isInside(pointer, box))) {
      const { x, y, wide, high } = onScreen(stage, box);
      context.fillStyle = "rgb(255 255 255 / 10%)";
      context.fillRect(x, y, wide, high);
      drawRectangle(stage, box, 0, 2);
    }
  }
  drawScores(stage, tiles, threshold);
  context.restore();
}

/**
 * Scores stand at the middle of their tiles, which no other tile has.
 * @param {Stage} stage
 * @param {Tile[]} tiles
 * @param {number} threshold
 */
function drawScores(stage, tiles, threshold) {
  const { context } = stage;
  if (!haveRoom(stage, tiles)) return;
  context.font = "11px ui-monospace, monospace";
  [context.textBaseline, context.textAlign] = ["middle", "center"];
  for (const { box, score } of tiles) {
    if (score === null) continue;
    const { x, y, wide, high } = onScreen(stage, box);
    const [column, row, text, isOver] = [x + wide / 2, y + high / 2, score.toFixed(2), score > threshold];
    const width = context.measureText(text).width + 6;
    context.fillStyle = isOver ? LIGHT : DARK;
    context.fillRect(Math.round(column - width / 2), Math.round(row - 8), Math.round(width), 16);
    context.fillStyle = isOver ? "#000" : LIGHT;
    context.fillText(text, column, row);
  }
}

/**
 * Whether the labels of neighbouring tiles do not touch.
 * @param {Stage} stage
 * @param {Tile[]} tiles
 */
function haveRoom({ view }, tiles) {
  const first = tiles[0]?.box;
  const [right, down] = [tiles.find(({ column }) => column === 1), tiles.find(({ row }) => row === 1)];
  const wide = right ? right.box.x - first.x : Infinity;
  const high = down ? down.box.y - first.y : Infinity;
  return wide * view.scale >= LABEL.width && high * view.scale >= LABEL.height;
}

/**
 * @param {Stage} stage
 * @param {Box} box
 * @param {number} inset
 * @param {number} width
 */
function drawRectangle(stage, box, inset, width) {
  const { x, y, wide, high } = onScreen(stage, box);
  const { context } = stage;
  for (const [line, color] of /** @type {[number, string][]} */ ([[width + 2, DARK], [width, LIGHT]])) {
    [context.lineWidth, context.strokeStyle] = [line, color];
    context.strokeRect(x + inset + 0.5, y + inset + 0.5, Math.max(1, wide - 2 * inset), Math.max(1, high - 2 * inset));
  }
}

/**
 * @param {Stage} stage
 * @param {Box} box
 */
function onScreen({ view }, box) {
  const [x, y] = [Math.round((box.x - view.x) * view.scale), Math.round((box.y - view.y) * view.scale)];
  return { x, y, wide: Math.round(box.width * view.scale), high: Math.round(box.height * view.scale) };
}

/**
 * @param {Point} point
 * @param {Box} box
 */
function isInside({ x, y }, box) {
  return x >= box.x && y >= box.y && x < box.x + box.width && y < box.y + box.height;
}
