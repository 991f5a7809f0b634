/**
 * Turns a stroke of a round brush into polygons along the edges of its cells.
 */

/** @typedef {import("./judgement.js").Ring} Ring */
/** @typedef {{x: number, y: number}} Point */
/** @typedef {{width: number, height: number}} Size */

/** Cells along the radius: so fine are the edges. */
const FINENESS = 6;

/**
 * The polygons of a stroke, clipped to the picture: each has its outer ring and then its holes.
 * @param {Point[]} stroke its points in pixels of the picture
 * @param {number} radius in pixels of the picture
 * @param {Size} picture
 * @returns {Ring[][]}
 */
export function polygonsOf(stroke, radius, picture) {
  const cell = Math.max(1, Math.floor(radius / FINENESS));
  const [left, right] = spanOf(stroke.map(({ x }) => x), radius, picture.width, cell);
  const [top, bottom] = spanOf(stroke.map(({ y }) => y), radius, picture.height, cell);
  const [columns, rows] = [Math.ceil((right - left) / cell), Math.ceil((bottom - top) / cell)];
  if (columns < 1 || rows < 1) return [];
  const mask = new Uint8Array(columns * rows);
  for (const point of filledIn(stroke, radius / 2)) {
    stamp(mask, columns, rows, { x: (point.x - left) / cell, y: (point.y - top) / cell }, Math.max(1, radius / cell));
  }
  /** @param {Ring} ring @returns {Ring} */
  const placed = (ring) =>
    ring.map(([x, y]) => [Math.min(picture.width, left + x * cell), Math.min(picture.height, top + y * cell)]);
  return grouped(ringsOf(mask, columns, rows)).map((rings) => rings.map(placed));
}

/**
 * The ends of what a stroke covers along an axis, at multiples of the cell's edge.
 * @param {number[]} places
 * @param {number} radius
 * @param {number} length of the picture
 * @param {number} cell
 */
function spanOf(places, radius, length, cell) {
  const start = Math.floor(Math.max(0, Math.min(...places) - radius) / cell) * cell;
  return [start, Math.min(length, Math.max(...places) + radius + cell)];
}

/**
 * The points of a stroke, with more between those that are further apart than `step`.
 * @param {Point[]} stroke
 * @param {number} step
 */
function filledIn(stroke, step) {
  return stroke.flatMap((end, place) => {
    const start = stroke[Math.max(0, place - 1)];
    const parts = Math.max(1, Math.ceil(Math.hypot(end.x - start.x, end.y - start.y) / Math.max(step, 0.5)));
    return Array.from({ length: parts }, (_, part) => ({
      x: start.x + ((end.x - start.x) * (part + 1)) / parts,
      y: start.y + ((end.y - start.y) * (part + 1)) / parts,
    }));
  });
}

/**
 * Fills the cells whose centres lie in a disc, and at least the one that contains its centre.
 * @param {Uint8Array} mask
 * @param {number} columns
 * @param {number} rows
 * @param {Point} centre
 * @param {number} radius
 */
function stamp(mask, columns, rows, centre, radius) {
  const [first, last] = [Math.floor(centre.y - radius), Math.ceil(centre.y + radius)];
  for (let row = Math.max(0, first); row < Math.min(rows, last); row++) {
    const half = Math.sqrt(Math.max(0, radius ** 2 - (row + 0.5 - centre.y) ** 2));
    const [from, to] = [Math.max(0, Math.round(centre.x - half)), Math.min(columns, Math.round(centre.x + half))];
    if (from < to) mask.fill(1, row * columns + from, row * columns + to);
  }
  const [column, row] = [Math.floor(centre.x), Math.floor(centre.y)];
  if (column >= 0 && column < columns && row >= 0 && row < rows) mask[row * columns + column] = 1;
}

/**
 * The rings around filled cells, with the cells at their right: outer ones clockwise, holes counterclockwise, as seen.
 * @param {Uint8Array} mask
 * @param {number} columns
 * @param {number} rows
 * @returns {Ring[]}
 */
export function ringsOf(mask, columns, rows) {
  /** @param {number} x @param {number} y */
  const filled = (x, y) => x >= 0 && y >= 0 && x < columns && y < rows && mask[y * columns + x] === 1;
  /** @type {Map<number, number[]>} the directions of the edges that begin at each corner: right, down, left, up */
  const edges = new Map();
  const width = columns + 1;
  /** @param {number} x @param {number} y @param {number} direction */
  const add = (x, y, direction) => {
    const corner = y * width + x;
    edges.set(corner, [...(edges.get(corner) ?? []), direction]);
  };
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      if (!filled(x, y)) continue;
      if (!filled(x, y - 1)) add(x, y, 0);
      if (!filled(x + 1, y)) add(x + 1, y, 1);
      if (!filled(x, y + 1)) add(x + 1, y + 1, 2);
      if (!filled(x - 1, y)) add(x, y + 1, 3);
    }
  }
  const rings = [];
  for (const start of edges.keys()) {
    while (edges.get(start)?.length) rings.push(walk(edges, start, width));
  }
  return rings;
}

const STEPS = [[1, 0], [0, 1], [-1, 0], [0, -1]];

/**
 * Follows edges until the ring is closed, and takes them away. Where cells meet at a corner, it turns right.
 * @param {Map<number, number[]>} edges
 * @param {number} start
 * @param {number} width
 * @returns {Ring}
 */
function walk(edges, start, width) {
  /** @type {Ring} */
  const ring = [];
  let [corner, last, first] = [start, -1, -1];
  do {
    const open = edges.get(corner) ?? [];
    const turn = [1, 0, 3].map((each) => (last + each) % 4).find((each) => open.includes(each));
    const direction = last < 0 || turn === undefined ? open[0] : turn;
    open.splice(open.indexOf(direction), 1);
    if (direction !== last) ring.push([corner % width, Math.floor(corner / width)]);
    if (first < 0) first = direction;
    corner += STEPS[direction][0] + STEPS[direction][1] * width;
    last = direction;
  } while (corner !== start);
  return last === first ? ring.slice(1) : ring; // it began in the middle of an edge
}

/**
 * The rings as polygons: each hole behind the outer ring that contains it.
 * @param {Ring[]} rings
 * @returns {Ring[][]}
 */
function grouped(rings) {
  const polygons = rings.filter((ring) => areaOf(ring) > 0).map((ring) => [ring]);
  for (const hole of rings.filter((ring) => areaOf(ring) < 0)) {
    const [x, y] = hole[0];
    const around = polygons.find(([outer]) => contains(outer, x, y)) ?? polygons[0];
    around.push(hole);
  }
  return polygons;
}

/** Twice the area of a ring; above 0 if it is clockwise as seen.
 * @param {Ring} ring */
function areaOf(ring) {
  return ring.reduce((sum, [x, y], place) => {
    const [nextX, nextY] = ring[(place + 1) % ring.length];
    return sum + x * nextY - nextX * y;
  }, 0);
}

/**
 * Whether a ring contains a point, by the crossings of a ray.
 * @param {Ring} ring
 * @param {number} x
 * @param {number} y
 */
export function contains(ring, x, y) {
  return ring.reduce((inside, [ax, ay], place) => {
    const [bx, by] = ring[(place + 1) % ring.length];
    const crosses = ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax;
    return crosses ? !inside : inside;
  }, false);
}
