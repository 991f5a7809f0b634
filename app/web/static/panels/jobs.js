/**
 * The jobs of the server, and a viewer of their finished pictures. They are requested only while the panel is open.
 */

import { byId, element } from "../element.js";
import { counted, memory, whole } from "../format.js";
import { get, remove } from "../server/send.js";
import { drawer } from "./drawers.js";
import { JobViewer } from "./job-viewer.js";

/**
 * @typedef {object} JobPicture
 * @property {number} number
 * @property {string} name
 * @property {string} state
 * @property {number} length
 * @property {number} offset
 * @property {number} [width]
 * @property {number} [height]
 * @property {string} [stage]
 * @property {number} rows_done
 * @property {number} rows
 * @property {number} regions_found
 * @property {{message: string}} [error]
 */
/** @typedef {{id: string, state: string, model: string, version: number, pictures: JobPicture[]}} Job */

const EVERY_MS = 1000;
const UNAVAILABLE = 404;
const ACTIVE = ["uploading", "queued", "running"];

/** @param {import("../server/connection.js").Connection} connection */
export function showJobs(connection) {
  const [panel, toggle] = [byId("jobs", HTMLElement), byId("jobs-toggle", HTMLButtonElement)];
  const [list, note] = [element("ul", { class: "jobs" }), element("p", { class: "note", role: "status" })];
  panel.append(list, note);
  const viewer = new JobViewer();
  /** Why the last cancellation or removal failed; empty: it did not. */
  let refusal = "";
  let timer = 0;
  /** @param {Job} job */
  const end = async (job) => {
    refusal = await remove(`v1/jobs/${job.id}`).then(() => "", messageOf);
    look();
  };
  const look = async () => {
    clearTimeout(timer);
    if (panel.hidden) return;
    if (!document.hidden) {
      try {
        /** @type {{jobs: Job[]}} */
        const { jobs } = await (await get("v1/jobs?limit=50")).json();
        update(list, jobs, (job) => shown(job, viewer, end));
        tell(refusal || (jobs.length ? "" : "There are no jobs. POST /v1/jobs makes one."));
      } catch (error) {
        tell(messageOf(error));
      }
    }
    timer = setTimeout(look, EVERY_MS);
  };
  /** @param {string} text */
  const tell = (text) => {
    if (note.textContent !== text) note.textContent = text; // a screen reader says it once
  };
  drawer("jobs-toggle", "jobs", look);
  connection.addEventListener("change", async () => {
    if (connection.state !== "ready") return;
    const answer = await get("v1/jobs?limit=1", [UNAVAILABLE]).catch(() => null);
    toggle.hidden = !answer?.ok;
  });
}

/**
 * Shows the jobs. The button that has the focus keeps it, also if its job has changed.
 * @param {HTMLUListElement} list
 * @param {Job[]} jobs
 * @param {(job: Job) => HTMLElement[]} contentOf
 */
function update(list, jobs, contentOf) {
  const known = new Map([...list.children].map((item) => [/** @type {HTMLElement} */ (item).dataset.job, item]));
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const [job, label] = [focused?.closest(".job")?.getAttribute("data-job"), focused?.getAttribute("aria-label")];
  const items = jobs.map((each) => {
    const [old, state] = [known.get(each.id), JSON.stringify(each)];
    if (old?.getAttribute("data-state") === state) return old;
    return element("li", { class: "job", "data-job": each.id, "data-state": state }, ...contentOf(each));
  });
  if (items.every((item, place) => item === list.children[place]) && items.length === list.children.length) return;
  list.replaceChildren(...items);
  if (!focused) return;
  const buttons = [...(items.find((item) => item.getAttribute("data-job") === job)?.querySelectorAll("button") ?? [])];
  (buttons.find((button) => button.getAttribute("aria-label") === label) ?? buttons[0] ?? list.querySelector("button"))?.focus();
}

/**
 * @param {Job} job
 * @param {JobViewer} viewer
 * @param {(job: Job) => void} end cancels or removes a job
 */
function shown(job, viewer, end) {
  const active = ACTIVE.includes(job.state);
  const label = `${active ? "Cancel" : "Remove"} job ${job.id}`;
  const button = element("button", { type: "button", "aria-label": label, click: () => end(job) }, active ? "Cancel" : "Remove");
  const title = element("span", { class: "title" }, `${job.model} version ${job.version}, ${job.state}`);
  return [
    element("div", { class: "row" }, title, element("code", {}, job.id), button),
    ...job.pictures.map((picture) => shownPicture(job, picture, viewer)),
  ];
}

/**
 * @param {Job} job
 * @param {JobPicture} picture
 * @param {JobViewer} viewer
 */
function shownPicture(job, picture, viewer) {
  const { name, state, width, height, regions_found: found, error } = picture;
  const size = width && height ? `${whole(width)} × ${whole(height)}` : memory(picture.length);
  const parts = [name, size, state, state === "running" || state === "done" ? counted(found, "final region") : ""];
  const line = element("div", { class: "row" }, element("span", {}, parts.filter(Boolean).join(", ")));
  const share = progressOf(picture);
  if (share !== null) line.append(element("progress", { max: 1, value: share, "aria-label": `Progress of ${name}` }));
  if (error) line.append(element("span", { class: "trouble" }, error.message));
  if (state === "done" && job.state !== "expired") {
    const show = () => viewer.show(`v1/jobs/${job.id}/pictures/${picture.number}`, name);
    line.append(element("button", { type: "button", "aria-label": `Show ${name} of job ${job.id}`, click: show }, "Show"));
  }
  return line;
}

/**
 * The share of the work that is done, in [0, 1]: the upload, or the prediction and then the drawing; null: no work.
 * @param {JobPicture} picture
 */
function progressOf({ state, length, offset, stage, rows_done: done, rows }) {
  if (state === "uploading") return offset / length;
  if (state !== "running") return null;
  const share = rows ? done / rows : 0;
  return stage === "drawing" ? (1 + share) / 2 : share / 2;
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
