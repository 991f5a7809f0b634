/**
 * The description of the chosen model.
 */

import { byId, element } from "../element.js";
import { counted, whole } from "../format.js";
import { drawer } from "./drawers.js";
import { addShadow } from "./shadow.js";

/** @typedef {import("../server/models.js").Models} Models */
/** @typedef {import("../server/models.js").Details} Details */
/** @typedef {import("../server/models.js").Version} Version */

/** @param {Models} models */
export function showDetails(models) {
  const panel = byId("model-details", HTMLElement);
  const update = () => {
    const version = models.chosen;
    const details = element("div", { class: "details" }, ...(version ? groups(version) : [nothing()]));
    panel.replaceChildren(details);
    if (version && models.choice && !panel.hidden) addShadow(models.choice.name, details);
  };
  drawer("about", "model-details", update);
  models.addEventListener("change", update);
}

function nothing() {
  return element("p", {}, "No version of this model is served.");
}

/** @param {Version} version */
function groups({ version, state, details, error }) {
  const trouble = error && element("p", { class: "trouble" }, `Version ${version} is refused: ${error.message}`);
  if (!details) return [trouble ?? element("p", {}, `Version ${version} is ${state}.`)];
  const found = [
    group("Model", model(details, version)),
    group("Tiling", tiling(details)),
    group("Trained on", training(details)),
    group("Calibration", calibration(details)),
    group("Runs on", execution(details)),
  ];
  const metrics = Object.entries(details.metrics).map(([name, value]) => row(name, value.toFixed(4)));
  metrics.unshift(...quality(details));
  if (metrics.length) found.push(group("Measured", metrics));
  return trouble ? [trouble, ...found] : found;
}

/** @param {Details} details @param {number} version */
function model({ detector, digest, image_size: size }, version) {
  const named = Object.entries(detector.parameters).map(([key, value]) => row(key.replaceAll("_", " "), String(value)));
  const pictures = size ? `${size.width} × ${size.height}, resized to it` : "of any size";
  return [row("version", String(version)), row("detector", detector.name), row("pictures", pictures), ...named, row("digest", digest.slice(0, 16))];
}

/** @param {Details} details */
function tiling({ tiling: { enable, tile_size: tile, stride, halo, mode, blend } }) {
  if (!enable) return [row("tiles", "none: pictures are taken whole")];
  return [
    row("tile", `${tile.width} × ${tile.height}`),
    row("stride", `${stride.width} × ${stride.height}`),
    row("halo", `${halo} px`),
    row("edges", mode),
    row("overlaps", blend),
  ];
}

/** @param {Details} details */
function training({ provenance }) {
  return [
    row("pictures", counted(provenance.pictures, "normal picture")),
    row("data", provenance.dataset),
    row("backbone", provenance.backbone_weights),
    row("made", `${provenance.created_at.slice(0, 10)} by Tessera ${provenance.tessera_version}`),
  ];
}

/** @param {Details} details */
function calibration({ calibration: found }) {
  const rate = found.false_positive_rate;
  const rows = [row("by", found.protocol), row("pictures", whole(found.pictures))];
  if (found.anomalous_pictures) rows.push(row("with defects", whole(found.anomalous_pictures)));
  if (rate !== null) rows.push(row("false alarms", `${(100 * rate).toFixed(1)} % aimed at`));
  rows.push(row("raw threshold", found.image_threshold.toPrecision(4)));
  if (found.thresholds) {
    const { image_limits: limits, image_margin: margin } = found.thresholds;
    rows.push(row("its limits", `${limits.low.toPrecision(4)} to ${limits.high.toPrecision(4)} (95 %)`));
    rows.push(row("its margin", margin.toPrecision(2)));
  }
  if (found.calibrated_from) rows.push(row("weights of", `version ${found.calibrated_from}`));
  return rows;
}

/** @param {Details} details */
function quality({ quality: found, certificate }) {
  const rows = [];
  if (found?.false_alarms) {
    const { exceeded, pictures, low, high } = found.false_alarms;
    const [from, to] = [low, high].map((rate) => (100 * rate).toFixed(1));
    rows.push(row("false alarms", `${exceeded} of ${whole(pictures)} (${from} to ${to} %)`));
  }
  if (found?.smallest_defect) rows.push(row("defects", `from ${found.smallest_defect} px`));
  for (const line of certificate?.headlines ?? []) rows.push(row("certified", line));
  return rows;
}

/** @param {Details} details */
function execution({ execution: { devices, runtime, precision, batch_tiles: tiles } }) {
  return [row("device", devices.join(", ")), row("runtime", runtime), row("precision", precision), row("batch", counted(tiles, "tile"))];
}

/**
 * @param {string} title
 * @param {HTMLElement[][]} rows
 */
function group(title, rows) {
  return element("section", {}, element("h2", {}, title), element("dl", {}, ...rows.flat()));
}

/** @param {string} term @param {string} text */
function row(term, text) {
  return [element("dt", {}, term), element("dd", {}, text)];
}
