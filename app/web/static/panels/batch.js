/**
 * All pictures of the visit together: their numbers at the thresholds in use, which are listed, and files of all.
 */

import { byId, element } from "../element.js";
import { counted } from "../format.js";
import { draw } from "../server/prediction.js";
import { Problem } from "../server/problem.js";
import { FILTERS, ORDERS } from "../session/arrangement.js";
import { tableOf } from "../session/table.js";
import { zipOf } from "../session/zip.js";
import { save } from "./saving.js";

/** @typedef {import("../session/session.js").Session} Session */
/** @typedef {import("../session/arrangement.js").Arrangement} Arrangement */
/** @typedef {import("../session/keeping.js").Keeping} Keeping */
/** @typedef {import("../session/picture.js").Picture} Picture */
/** @typedef {import("../inspector.js").Inspector} Inspector */

/**
 * @param {Session} session
 * @param {Arrangement} arrangement
 * @param {Keeping} keeping
 * @param {Inspector} inspector
 */
export function showBatch(session, arrangement, keeping, inspector) {
  const [panel, summary, note] = ["batch", "batch-summary", "batch-note"].map((id) => byId(id, HTMLElement));
  const [filter, sort] = ["filter", "sort"].map((id) => byId(id, HTMLSelectElement));
  filter.append(...Object.keys(FILTERS).map((name) => element("option", { value: name }, name)));
  sort.append(...Object.keys(ORDERS).map((name) => element("option", { value: name }, name)));
  for (const select of [filter, sort]) select.addEventListener("change", () => arrangement.set(filter.value, sort.value));
  let frame = 0;
  const tell = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      panel.hidden = session.pictures.length < 2;
      summary.textContent = summaryOf(session.pictures);
    });
  };
  session.addEventListener("change", tell);
  keeping.addEventListener("change", () => (note.textContent = keeping.message));
  byId("all-again", HTMLButtonElement).addEventListener("click", () => session.allAgain());
  byId("clear", HTMLButtonElement).addEventListener("click", () => session.clear());
  byId("table", HTMLButtonElement).addEventListener("click", () => {
    save(tableOf(arrangement.of(session.pictures)), "tessera.csv");
  });
  const all = byId("all-files", HTMLButtonElement);
  all.addEventListener("click", async () => {
    all.disabled = true;
    try {
      const pictures = arrangement.of(session.pictures);
      save(await archived(pictures, inspector, (text) => (note.textContent = text)), "tessera.zip");
      note.textContent = `${counted(pictures.length, "picture")} saved.`;
    } catch (error) {
      note.textContent = error instanceof Error ? error.message : String(error);
    }
    all.disabled = false;
  });
}

/**
 * The numbers of verdicts, and the thresholds that decide them.
 * @param {Picture[]} pictures
 */
function summaryOf(pictures) {
  /** @param {(picture: Picture) => boolean} counts */
  const number = (counts) => pictures.filter(counts).length;
  const [failed, pending, changed] = [
    number(FILTERS.failed),
    number(({ isPending }) => isPending),
    number(({ hasChanged }) => hasChanged),
  ];
  const thresholds = new Set(pictures.map(({ criteria }) => criteria.threshold));
  const parts = [
    `${number(FILTERS.anomalous)} anomalous`,
    `${number(FILTERS.normal)} normal`,
    failed && `${failed} failed`,
    pending && `${pending} to come`,
    changed && `${counted(changed, "verdict")} changed by the other model`,
    thresholds.size === 1 ? `threshold ${[...thresholds][0]}` : "different thresholds",
  ];
  return `${counted(pictures.length, "picture")}: ${parts.filter(Boolean).join(", ")}`;
}

/**
 * What a request returns; it is sent again while the server has no room, when it expects some.
 * @template Answer
 * @param {() => Promise<Answer>} request
 * @returns {Promise<Answer>}
 */
async function patiently(request) {
  for (;;) {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof Problem && error.passes)) throw error;
      const waitMs = 1000 * Number(error.retryAfterS);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}

/**
 * The table, and the overlay of each picture with a result, as the server draws it at the picture's criteria.
 * @param {Picture[]} pictures
 * @param {Inspector} inspector
 * @param {(text: string) => void} report
 */
async function archived(pictures, inspector, report) {
  const entries = [{ name: "tessera.csv", content: tableOf(pictures) }];
  const done = pictures.filter(({ prediction }) => prediction);
  for (const [place, picture] of done.entries()) {
    report(`Overlay ${place + 1} of ${done.length}…`);
    const { threshold, minArea } = picture.criteria;
    const query = { style: "overlay", threshold, min_region_area: minArea, colormap: inspector.colour, opacity: inspector.viewer.look.opacity };
    const content = await patiently(() => draw(picture.answered, picture.file, query));
    const number = String(place + 1).padStart(String(done.length).length, "0"); // pictures may have equal names
    entries.push({ name: `${number}-${picture.name.replace(/\.\w+$/, "").replace(/[/\\]/g, "_")}.overlay.png`, content });
  }
  return zipOf(entries);
}
