/**
 * Draws zones over the picture: ignored areas are hatched, others have an outline and their threshold.
 */

import { DARK, LIGHT } from "../viewer/marks.js";

/** @typedef {import("./draft.js").Draft} Draft */
/** @typedef {import("./shape.js").Zone} Zone */
/** @typedef {import("../server/zones.js").Ring} Ring */
/** @typedef {import("../viewer/painter.js").Stage} Stage */
/** @typedef {import("../viewer/view.js").View} View */

const HATCH = 9;
const CORNER = 4;
/** Of zones with more corners they are not marked: they would hide the picture. */
const MOST_CORNERS = 200;
const FONT = "12px system-ui, sans-serif";

/**
 * @param {Stage} stage
 * @param {Zone[]} zones
 * @param {number} selected the index of a zone, or -1
 */
export function drawZones(stage, zones, selected = -1) {
  zones.forEach((zone, index) => {
    const path = pathOf(zone.polygons.flat(), stage.view, true);
    if (zone.threshold === null) hatch(stage, path);
    stroke(stage.context, path, index === selected ? 3 : 1.5);
  });
  for (const zone of zones) drawName(stage, zone);
}

/**
 * The overlay of these zones; null: there are none.
 * @param {Zone[]} zones
 * @returns {((stage: Stage) => void) | null}
 */
export function overlayOf(zones) {
  return zones.length ? (stage) => drawZones(stage, zones) : null;
}

/**
 * @param {Stage} stage
 * @param {Draft} draft
 */
export function drawDraft(stage, draft) {
  drawZones(stage, draft.zones, draft.selected);
  if (!draft.drawn) {
    const corners = draft.corners.map(({ ring, number }) => ring[number]);
    if (corners.length <= MOST_CORNERS) drawCorners(stage, corners);
    if (draft.corner >= 0) drawCross(stage, ...corners[draft.corner]);
    return;
  }
  const { x, y } = draft.cross;
  stroke(stage.context, pathOf([[...draft.drawn, [x, y]]], stage.view, false), 2);
  drawCorners(stage, draft.drawn);
  drawCross(stage, x, y);
}

/**
 * @param {Ring[]} rings
 * @param {View} view
 * @param {boolean} isClosed
 */
function pathOf(rings, view, isClosed) {
  const path = new Path2D();
  for (const ring of rings) {
    ring.forEach(([x, y], number) => {
      const [right, down] = [(x - view.x) * view.scale, (y - view.y) * view.scale];
      if (number) path.lineTo(right, down);
      else path.moveTo(right, down);
    });
    if (isClosed) path.closePath();
  }
  return path;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Path2D} path
 * @param {number} width
 */
function stroke(context, path, width) {
  context.lineJoin = "round";
  for (const [line, color] of /** @type {[number, string][]} */ ([[width + 2, DARK], [width, LIGHT]])) {
    [context.lineWidth, context.strokeStyle] = [line, color];
    context.stroke(path);
  }
}

/**
 * @param {Stage} stage
 * @param {Path2D} path
 */
function hatch({ context, window }, path) {
  context.save();
  context.clip(path, "evenodd");
  context.fillStyle = "rgba(0, 0, 0, 0.35)";
  context.fillRect(0, 0, window.width, window.height);
  context.beginPath();
  for (let x = -window.height; x < window.width; x += HATCH) {
    context.moveTo(x, window.height);
    context.lineTo(x + window.height, 0);
  }
  [context.lineWidth, context.strokeStyle] = [1, "rgba(255, 255, 255, 0.6)"];
  context.stroke();
  context.restore();
}

/**
 * @param {Stage} stage
 * @param {Zone} zone
 */
function drawName({ context, view, picture }, { name, polygons, threshold }) {
  const corners = polygons.flat(2);
  const text = `${name}: ${threshold === null ? "ignored" : threshold}`;
  context.font = FONT;
  context.textBaseline = "top";
  const { width } = context.measureText(text);
  const left = (Math.min(...corners.map(([each]) => each)) - view.x) * view.scale + 4;
  const right = (picture.width - view.x) * view.scale - width - 6; // so that the name ends within the picture
  const [x, y] = [Math.min(left, right), (Math.min(...corners.map(([, each]) => each)) - view.y) * view.scale + 4];
  context.fillStyle = DARK;
  context.fillRect(x - 2, y - 2, width + 6, 17);
  context.fillStyle = LIGHT;
  context.fillText(text, x + 1, y);
}

/**
 * @param {Stage} stage
 * @param {Ring} corners
 */
function drawCorners({ context, view }, corners) {
  for (const [x, y] of corners) {
    const [right, down] = [(x - view.x) * view.scale, (y - view.y) * view.scale];
    for (const [size, color] of /** @type {[number, string][]} */ ([[CORNER + 1, DARK], [CORNER - 1, LIGHT]])) {
      context.fillStyle = color;
      context.fillRect(right - size, down - size, 2 * size, 2 * size);
    }
  }
}

/**
 * @param {Stage} stage
 * @param {number} x
 * @param {number} y
 */
function drawCross({ context, view }, x, y) {
  const [right, down] = [(x - view.x) * view.scale, (y - view.y) * view.scale];
  const path = new Path2D();
  path.moveTo(right - 10, down);
  path.lineTo(right + 10, down);
  path.moveTo(right, down - 10);
  path.lineTo(right, down + 10);
  stroke(context, path, 1.5);
}
