/**
 * The defect regions of a map: runs that touch, also at their corners, are joined, as in the server.
 */

/** @typedef {import("./npy.js").Grid} Grid */
/** @typedef {import("./runs.js").Runs} Runs */

/**
 * @typedef {object} Region A region in pixels of the picture, as in the server's JSON, except for the raw peak.
 * @property {{x: number, y: number, width: number, height: number}} box
 * @property {number} area
 * @property {number} peakValue the largest raw value
 * @property {{x: number, y: number}} peak
 */

/**
 * For each run the first run of the region that it belongs to.
 * @param {Runs} runs
 * @returns {Int32Array}
 */
export function joinRuns({ height, first, begin, end }) {
  const parent = Int32Array.from(begin, (_, run) => run);
  /** @param {number} run */
  const root = (run) => {
    while (parent[run] !== run) run = parent[run] = parent[parent[run]];
    return run;
  };
  for (let row = 1; row < height; row++) {
    let above = first[row - 1];
    let run = first[row];
    while (above < first[row] && run < first[row + 1]) {
      if (begin[above] <= end[run] && begin[run] <= end[above]) {
        const [one, other] = [root(above), root(run)];
        parent[Math.max(one, other)] = Math.min(one, other);
      }
      if (end[above] < end[run]) above++;
      else run++;
    }
  }
  return parent.map((_, run) => root(run));
}

/**
 * The regions of at least `minArea` pixels, the highest peak first, and for each run whether its region is one of them.
 * @param {Grid} map
 * @param {Runs} runs
 * @param {number} minArea
 * @returns {{regions: Region[], isKept: (run: number) => boolean}}
 */
export function findRegions(map, runs, minArea) {
  const owner = joinRuns(runs);
  /** @type {Map<number, Region>} by their first runs, in the order of rows */
  const found = new Map();
  for (let row = 0; row < runs.height; row++) {
    for (let run = runs.first[row]; run < runs.first[row + 1]; run++) {
      const known = found.get(owner[run]);
      const region = known ?? startRegion(runs.begin[run], row);
      if (!known) found.set(owner[run], region);
      extend(region, map, row, runs.begin[run], runs.end[run]);
    }
  }
  const regions = [...found.values()].filter((region) => region.area >= minArea);
  regions.sort((one, other) => other.peakValue - one.peakValue); // stable: equal peaks stay in the order of rows
  return { regions, isKept: (run) => /** @type {Region} */ (found.get(owner[run])).area >= minArea };
}

/**
 * @param {number} x
 * @param {number} y
 * @returns {Region}
 */
function startRegion(x, y) {
  return { box: { x, y, width: 0, height: 0 }, area: 0, peakValue: -Infinity, peak: { x, y } };
}

/**
 * @param {Region} region
 * @param {Grid} map
 * @param {number} row
 * @param {number} begin
 * @param {number} end
 */
function extend(region, { width, values }, row, begin, end) {
  const { box } = region;
  const right = Math.max(box.x + box.width, end);
  box.x = Math.min(box.x, begin);
  box.width = right - box.x;
  box.height = row + 1 - box.y;
  region.area += end - begin;
  for (let column = begin, at = row * width + begin; column < end; column++, at++) {
    if (values[at] > region.peakValue) {
      region.peakValue = values[at];
      region.peak = { x: column, y: row };
    }
  }
}
