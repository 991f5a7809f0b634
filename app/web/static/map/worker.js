/**
 * Holds the map of a picture, which may have hundreds of megabytes, outside the thread that draws.
 *
 * Receives `{id, kind, ...}` and sends `{id, answer}` or `{id, error}`. `MapClient` has a method for each kind.
 */

import { heatLevels, paintOf, paintTile } from "./heat.js";
import { histogram } from "./histogram.js";
import { parseNpy } from "./npy.js";
import { edgesIn } from "./outline.js";
import { findRegions } from "./regions.js";
import { findRuns, halved, partMaxima, someRuns } from "./runs.js";
import { normalised, rawThreshold } from "./scale.js";

/** @typedef {import("./npy.js").Grid} Grid */
/** @typedef {import("./runs.js").Runs} Runs */
/** @typedef {import("./scale.js").Scale} Scale */
/** @typedef {import("./heat.js").HeatLevel} HeatLevel */

/** The largest number of regions that are listed; further regions are only counted. */
const MOST_TOLD = 500;

/** @type {{map: Grid, scale: Scale, maxima: Float32Array, levels: HeatLevel[]} | undefined} */
let loaded;
/** @type {Runs[]} the runs of the regions, in full size and in the halved sizes that were requested */
let outlines = [];

/** @type {Record<string, (question: any) => any>} */
const ANSWERS = {
  async load({ file, scale }) {
    const map = parseNpy(await file.arrayBuffer());
    loaded = { map, scale, maxima: partMaxima(map), levels: heatLevels(map, scale) };
    return { width: map.width, height: map.height, levels: loaded.levels.length, histogram: histogram(map, scale) };
  },

  regions({ threshold, minArea }) {
    const { map, maxima, scale } = here();
    const runs = findRuns(map, maxima, rawThreshold(threshold, scale));
    const { regions, isKept } = findRegions(map, runs, minArea);
    outlines = [minArea > 1 ? someRuns(runs, isKept) : runs];
    const told = regions.slice(0, MOST_TOLD).map(({ peakValue, ...region }) => ({
      ...region,
      raw: peakValue,
      score: Math.min((peakValue - scale.threshold) / (scale.max - scale.min) + 0.5, 1),
    }));
    return { count: regions.length, area: regions.reduce((sum, region) => sum + region.area, 0), regions: told };
  },

  outline({ level, part }) {
    if (!outlines.length) return new Int32Array();
    while (outlines.length <= level) outlines.push(halved(outlines[outlines.length - 1]));
    return edgesIn(outlines[level], part);
  },

  async tile({ level, column, row, table, threshold }) {
    return createImageBitmap(paintTile(here().levels[level], column, row, paintOf(table, threshold)));
  },

  maxima({ boxes }) {
    const { map, scale } = here();
    return boxes.map((/** @type {import("../viewer/view.js").Box} */ box) => normalised(highest(map, box), scale));
  },

  value({ x, y }) {
    const { map, scale } = here();
    return normalised(map.values[y * map.width + x], scale);
  },
};

/**
 * The highest raw value inside a rectangle of the map.
 * @param {Grid} map
 * @param {import("../viewer/view.js").Box} box
 */
function highest({ width, values }, box) {
  let most = -Infinity;
  for (let row = box.y; row < box.y + box.height; row++) {
    const start = row * width + box.x;
    for (let at = start; at < start + box.width; at++) if (values[at] > most) most = values[at];
  }
  return most;
}

function here() {
  if (!loaded) throw new Error("no map was loaded");
  return loaded;
}

self.onmessage = async ({ data: { id, kind, ...question } }) => {
  try {
    const answer = await ANSWERS[kind](question);
    self.postMessage({ id, answer }, { transfer: answer instanceof ImageBitmap ? [answer] : [] });
  } catch (error) {
    self.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
};
