/**
 * Draws regions with what was said about them, areas that were drawn, and the brush.
 */

/** @typedef {import("./judgement.js").Judgement} Judgement */
/** @typedef {import("./judgement.js").Region} Region */
/** @typedef {import("./judgement.js").Ring} Ring */
/** @typedef {import("../viewer/view.js").View} View */
/** @typedef {{x: number, y: number}} Point */

/** Colour and letter of each label; the letter says it without the colour. */
const LOOK = {
  defect: ["#ff6a3d", "D"],
  harmless: ["#5bd08a", "H"],
  unsure: ["#f2cf4a", "U"],
};
const OPEN = ["#ffffff", "?"];
const HALO = "rgb(0 0 0 / 75%)";

/**
 * @param {CanvasRenderingContext2D} context in CSS pixels
 * @param {View} view
 * @param {Judgement} judgement
 * @param {number} selected number of the selected region; -1: none
 */
export function drawJudgement(context, view, judgement, selected) {
  for (const region of judgement.picture.regions) {
    const label = judgement.labelOf(region.number);
    drawRegion(context, view, region, label ? LOOK[label] : OPEN, region.number === selected);
  }
  for (const rings of judgement.missed) {
    const path = pathOf([rings], view);
    context.fillStyle = "rgb(255 106 61 / 35%)";
    context.fill(path, "evenodd");
    stroke(context, path, LOOK.defect[0], 2, [6, 4]);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Region} region
 * @param {string[]} look its colour and letter
 * @param {boolean} isSelected
 */
function drawRegion(context, view, { outline, box, number }, [color, letter], isSelected) {
  stroke(context, pathOf(outline, view), color, isSelected ? 3 : 1.5, []);
  const [x, y] = [(box.x - view.x) * view.scale, (box.y - view.y) * view.scale];
  const text = `${number + 1} ${letter}`;
  context.font = `${isSelected ? "bold " : ""}12px system-ui, sans-serif`;
  const width = context.measureText(text).width + 8;
  context.fillStyle = HALO;
  context.fillRect(x, Math.max(0, y - 18), width, 16);
  context.fillStyle = color;
  context.textBaseline = "middle";
  context.fillText(text, x + 4, Math.max(0, y - 18) + 8);
  if (isSelected) {
    context.setLineDash([2, 3]);
    context.lineWidth = 1;
    context.strokeStyle = color;
    context.strokeRect(x - 4, y - 4, box.width * view.scale + 8, box.height * view.scale + 8);
    context.setLineDash([]);
  }
}

/**
 * The brush, and the stroke that is being drawn.
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Point} place in pixels of the picture
 * @param {number} radius in pixels of the picture
 * @param {Point[]} line
 */
export function drawBrush(context, view, place, radius, line) {
  /** @param {Point} point */
  const shown = ({ x, y }) => /** @type {[number, number]} */ ([(x - view.x) * view.scale, (y - view.y) * view.scale]);
  if (line.length) {
    const path = new Path2D();
    path.moveTo(...shown(line[0]));
    for (const point of line) path.lineTo(...shown(point));
    context.save();
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = 2 * radius * view.scale;
    context.strokeStyle = "rgb(255 106 61 / 45%)";
    context.stroke(path);
    context.restore();
  }
  const circle = new Path2D();
  circle.arc(...shown(place), Math.max(2, radius * view.scale), 0, 2 * Math.PI);
  stroke(context, circle, "#ffffff", 1.5, []);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Path2D} path
 * @param {string} color
 * @param {number} width
 * @param {number[]} dash
 */
function stroke(context, path, color, width, dash) {
  context.setLineDash([]);
  context.lineWidth = width + 2;
  context.strokeStyle = HALO;
  context.stroke(path);
  context.setLineDash(dash);
  context.lineWidth = width;
  context.strokeStyle = color;
  context.stroke(path);
  context.setLineDash([]);
}

/**
 * @param {Ring[][]} polygons
 * @param {View} view
 */
function pathOf(polygons, view) {
  const path = new Path2D();
  for (const ring of polygons.flat()) {
    ring.forEach(([x, y], place) => {
      const [column, row] = [(x - view.x) * view.scale, (y - view.y) * view.scale];
      if (place) path.lineTo(column, row);
      else path.moveTo(column, row);
    });
    path.closePath();
  }
  return path;
}
