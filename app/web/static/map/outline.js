/**
 * The edges of the area that runs cover.
 */

import { Integers } from "./runs.js";

/** @typedef {import("./runs.js").Runs} Runs */

/**
 * @typedef {object} Rect
 * @property {number} left
 * @property {number} top
 * @property {number} right
 * @property {number} bottom
 */

/**
 * The edges that touch a part of the map. Each is four numbers, from x, y to x, y, at boundaries of pixels.
 * @param {Runs} runs
 * @param {Rect} part
 * @returns {Int32Array}
 */
export function edgesIn(runs, part) {
  const edges = new Integers();
  const top = Math.max(0, Math.floor(part.top));
  const bottom = Math.min(runs.height, Math.ceil(part.bottom));
  for (let row = top; row <= bottom; row++) {
    const here = rowIn(runs, row, part);
    if (row < runs.height) {
      for (let run = here.from; run < here.to; run++) {
        addEdge(edges, runs.begin[run], row, runs.begin[run], row + 1);
        addEdge(edges, runs.end[run], row, runs.end[run], row + 1);
      }
    }
    addChanges(edges, runs, rowIn(runs, row - 1, part), here, row);
  }
  return edges.done();
}

/**
 * The runs of a row that touch the part's columns.
 * @param {Runs} runs
 * @param {number} row
 * @param {Rect} part
 */
function rowIn(runs, row, part) {
  if (row < 0 || row >= runs.height) return { from: 0, to: 0 };
  let [from, to] = [runs.first[row], runs.first[row + 1]];
  while (from < to && runs.end[from] < part.left) from++;
  while (to > from && runs.begin[to - 1] > part.right) to--;
  return { from, to };
}

/**
 * Adds the edges between two rows: where one row is covered and the other is not.
 * @param {Integers} edges
 * @param {Runs} runs
 * @param {{from: number, to: number}} above
 * @param {{from: number, to: number}} below
 * @param {number} row
 */
function addChanges(edges, runs, above, below, row) {
  const places = [];
  for (const { from, to } of [above, below]) {
    for (let run = from; run < to; run++) places.push(runs.begin[run], runs.end[run]);
  }
  places.sort((one, other) => one - other);
  for (let at = 0; at < places.length; at += 2) {
    if (places[at] < places[at + 1]) addEdge(edges, places[at], row, places[at + 1], row);
  }
}

/**
 * @param {Integers} edges
 * @param {number[]} numbers
 */
function addEdge(edges, ...numbers) {
  for (const number of numbers) edges.push(number);
}
