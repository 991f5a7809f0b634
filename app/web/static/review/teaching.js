/**
 * The section of the review in which a person teaches a model, reads the proof, and decides.
 */

import { element } from "../element.js";
import { score, whole } from "../format.js";
import { get } from "../server/send.js";
import { begin, cancel, decide, follow, newest } from "../teach/teachings.js";
import { TeachOptions } from "./teach-options.js";

/** @typedef {import("../teach/teachings.js").Teaching} Teaching */
/** @typedef {import("../teach/teachings.js").Decision} Decision */

/** The most pictures that are shown; all are counted. */
const MOST_SHOWN = 24;
/** The edge of a small picture, in pixels. */
const EDGE = 96;
/** @type {Record<string, string>} */
const STAGES = {
  pictures: "Learns from the reviewed pictures",
  "second stage": "Learns from confirmed defects",
  thresholds: "Sets the threshold",
  replay: "Replays the kept pictures",
};
/** @type {Record<string, string>} */
const DOUBTS = {
  resembles: "called harmless, resembles a defect",
  far: "called harmless, far over the threshold",
  unreviewed: "not reviewed, far over the threshold",
};

export class TeachingSection {
  #model = "";
  /** @type {Teaching | null} */
  #teaching = null;
  /** Whether a request to begin or to decide is in flight. */
  #isBusy = false;
  #following = new AbortController();
  #options = new TeachOptions();
  #begin = element("button", { type: "button", click: () => this.#teach() }, "Teach");
  #cancel = element("button", { type: "button", hidden: true, click: () => this.#stop() }, "Cancel");
  #serve = element("button", { type: "button", click: () => this.#decide("promote") }, "Serve it");
  #keep = element("button", { type: "button", click: () => this.#decide("refuse") }, "Keep the served one");
  #back = element("button", { type: "button", click: () => this.#decide("rollback") }, "Go back");
  #second = element("input", { type: "checkbox", change: () => this.#draw() });
  #word = element("label", { class: "field", hidden: true }, this.#second, "I have looked at the doubtful pictures, and did not judge them");
  #bar = element("progress", { max: 1, "aria-label": "Progress of the teaching", hidden: true });
  #status = element("p", { class: "status", role: "status" });
  #said = element("ul", { class: "said-of-it" });
  #pictures = element("div", { class: "changes" });
  root = element(
    "section", { class: "panel teaching", "aria-label": "Teach", hidden: true },
    element("h2", {}, "Teach"), this.#options.root, this.#begin, this.#cancel, this.#bar, this.#status, this.#said, this.#pictures, this.#word,
    element("div", { class: "row" }, this.#serve, this.#keep, this.#back),
  );

  /**
   * Shows the newest teaching of a model.
   * @param {string} model empty: none is chosen
   */
  async show(model) {
    if (!model || model === this.#model) return;
    this.#following.abort();
    this.#model = model;
    this.#begin.textContent = `Teach ${model}`;
    this.#options.reset();
    /** @type {Teaching | null | undefined} */
    let found = undefined;
    try {
      found = await newest(model);
    } catch {
      if (model === this.#model) this.#model = ""; // requested again when a picture is shown
    }
    if (model !== this.#model && this.#model) return;
    this.root.hidden = found === undefined;
    this.#set(found ?? null);
    this.#say("");
    if (found?.state === "running") await this.#follow(found.id);
  }

  async #teach() {
    const model = this.#model;
    this.#say("Starts");
    const made = await this.#during(() => begin(model, this.#options.selected));
    if (made) await this.#follow(made.id);
  }

  /**
   * Sends a request about the model that is shown. Null if it failed, or if another model is shown by then.
   * @param {() => Promise<Teaching>} request may throw; not sent while another one is in flight
   */
  async #during(request) {
    if (this.#isBusy) return null;
    this.#isBusy = true;
    const model = this.#model;
    try {
      const teaching = await request();
      return model === this.#model ? teaching : null;
    } catch (error) {
      if (model === this.#model) this.#say(messageOf(error), true);
      return null;
    } finally {
      this.#isBusy = false;
    }
  }

  /** @param {string} id of a teaching of the model that is shown; another model ends this */
  async #follow(id) {
    const { signal } = (this.#following = new AbortController());
    try {
      const ended = await follow(id, (teaching) => this.#progress(teaching), signal);
      this.#set(ended);
      this.#say("");
      if (ended.state === "proposed") (ended.proof?.result === "sound" ? this.#serve : this.#keep).focus();
    } catch (error) {
      if (!signal.aborted) this.#say(messageOf(error), true);
    }
  }

  /** @param {Teaching} teaching that runs */
  #progress(teaching) {
    this.#set(teaching);
    const { stage, done, total } = teaching;
    this.#say(stage ? `${STAGES[stage] ?? stage}: ${whole(done)} of ${whole(total)}` : "Starts");
    if (total) this.#bar.value = done / total;
    else this.#bar.removeAttribute("value");
  }

  #stop() {
    if (this.#teaching) cancel(this.#teaching.id).catch((error) => this.#say(messageOf(error), true));
  }

  /** @param {Decision} decision */
  async #decide(decision) {
    const { id } = this.#teaching ?? {};
    if (!id) return;
    const decided = await this.#during(() => decide(id, decision, this.#second.checked));
    if (!decided) return;
    this.#set(decided);
    this.#say("");
    (this.#back.hidden ? this.#begin : this.#back).focus();
  }

  /** @param {Teaching | null} teaching */
  #set(teaching) {
    const isNew = teaching?.id !== this.#teaching?.id || Boolean(teaching?.proof) !== Boolean(this.#teaching?.proof);
    this.#teaching = teaching;
    if (isNew) {
      this.#second.checked = false;
      this.#said.replaceChildren(...[...(teaching?.proof?.sentences ?? []), ...(teaching?.notes ?? [])].map((each) => element("li", {}, each)));
      this.#pictures.replaceChildren(...(teaching?.proof ? figuresOf(teaching.proof) : []));
    }
    this.#draw();
  }

  #draw() {
    const state = this.#teaching?.state ?? "";
    const needsWord = state === "proposed" && this.#teaching?.proof?.result === "second_word";
    this.#begin.disabled = state === "running" || state === "proposed";
    this.#cancel.hidden = this.#bar.hidden = state !== "running";
    this.#serve.hidden = this.#keep.hidden = state !== "proposed";
    this.#back.hidden = state !== "served";
    this.#word.hidden = !needsWord;
    this.#serve.disabled = needsWord && !this.#second.checked;
  }

  /**
   * @param {string} text empty: the state of the teaching
   * @param {boolean} [isTrouble]
   */
  #say(text, isTrouble = false) {
    const said = text || stateOf(this.#teaching);
    this.#status.classList.toggle("trouble", isTrouble || this.#teaching?.state === "failed");
    if (this.#status.textContent !== said) this.#status.textContent = said;
  }
}

/** @param {Teaching | null} teaching */
function stateOf(teaching) {
  if (!teaching) return "What was reviewed becomes a new version, which is proved before it serves.";
  const { state, version, served, error } = teaching;
  /** @type {Record<string, string>} */
  const said = {
    running: "Starts",
    proposed: `Version ${version} is written, and version ${served} still serves. Decide.`,
    served: `Version ${version} serves.`,
    rolled_back: `Version ${served} serves again.`,
    declined: `Version ${served} still serves; the candidate was deleted.`,
    refused: `The proof refused the candidate. Version ${served} still serves.`,
    cancelled: "The teaching was cancelled.",
    failed: error?.message ?? "The teaching failed.",
  };
  return said[state] ?? state;
}

/** @param {import("../teach/teachings.js").Proof} proof */
function figuresOf({ changes, doubts, changed, doubtful }) {
  const doubtfulOnes = doubts.map((each) => figure(each.id, `${each.name || each.id}: ${DOUBTS[each.doubt] ?? each.doubt}${each.reviewer ? `, by ${each.reviewer}` : ""}`));
  const changedOnes = changes.map((each) => {
    const review = each.review ? `, ${each.review}` : "";
    const lost = each.lost ? `, ${whole(each.lost)} lost` : "";
    return figure(each.id, `${each.name || each.id}: ${score(each.served_score)} → ${score(each.candidate_score)}${review}${lost}`);
  });
  return [
    ...group("Doubtful", doubtful, doubtfulOnes),
    ...group("Changed", changed, changedOnes),
  ];
}

/**
 * @param {string} title
 * @param {number} total
 * @param {(() => HTMLElement)[]} figures
 */
function group(title, total, figures) {
  if (!total) return [];
  const shown = figures.slice(0, MOST_SHOWN);
  const heading = total > shown.length ? `${title}: ${whole(shown.length)} of ${whole(total)}` : `${title}: ${whole(total)}`;
  return [element("h3", {}, heading), element("div", { class: "crops" }, ...shown.map((make) => make()))];
}

/**
 * Makes a small picture, which is loaded then.
 * @param {string} id
 * @param {string} label
 */
const figure = (id, label) => () => {
  const canvas = element("canvas", { width: EDGE, height: EDGE, role: "img", "aria-label": label });
  draw(canvas, `v1/pictures/${id}/shown`).catch(() => canvas.setAttribute("aria-label", `${label} (not there any more)`));
  return element("figure", {}, canvas, element("figcaption", {}, label));
};

/**
 * @param {HTMLCanvasElement} canvas
 * @param {string} url
 */
async function draw(canvas, url) {
  const bitmap = await createImageBitmap(await (await get(url)).blob());
  const scale = EDGE / Math.max(bitmap.width, bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  canvas.getContext("2d")?.drawImage(bitmap, (EDGE - width) / 2, (EDGE - height) / 2, width, height);
  bitmap.close();
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
