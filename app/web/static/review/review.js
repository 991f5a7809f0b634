/**
 * The view in which people review kept pictures. Its address is the page's with #review.
 */

import { byId, element } from "../element.js";
import { score } from "../format.js";
import { get } from "../server/send.js";
import { listenToKeys } from "./keys.js";
import { Panel } from "./panel.js";
import { Queue } from "./queue.js";
import { Saver } from "./saver.js";
import { Stage } from "./stage.js";
import { TeachingSection } from "./teaching.js";

/** @typedef {import("./judgement.js").Label} Label */

const HASH = "#review";
/** The statuses of servers that keep no pictures, and of keys that may not see them. */
const ABSENT = [403, 404];
const OPACITY = 0.8;

/** @param {import("../server/connection.js").Connection} connection */
export function showReview(connection) {
  const toggle = byId("review-toggle", HTMLButtonElement);
  /** @type {Review | null} */
  let review = null;
  const follow = () => {
    if (location.hash === HASH && !toggle.hidden) (review ??= new Review()).open();
    else review?.close();
  };
  toggle.addEventListener("click", () => {
    location.hash = location.hash === HASH ? "" : HASH;
  });
  addEventListener("hashchange", follow);
  connection.addEventListener("change", async () => {
    if (connection.state !== "ready") return;
    const answer = await get("v1/pictures?limit=1", ABSENT).catch(() => null);
    const isAbsent = !answer?.ok;
    if (isAbsent === toggle.hidden) return;
    toggle.hidden = isAbsent;
    follow();
  });
}

class Review {
  #root = byId("review", HTMLElement);
  #toggle = byId("review-toggle", HTMLButtonElement);
  #announcements = byId("announcements", HTMLElement);
  #queue = new Queue();
  #saver = new Saver();
  #canvas = element("canvas", {
    id: "review-canvas", tabindex: 0, role: "application", "aria-roledescription": "picture to review", "aria-label": "No picture",
  });
  #stage = new Stage(this.#canvas);
  #panel = new Panel({
    begin: () => this.#begin(),
    select: (number) => this.#select(number),
    judge: (number, label) => this.#judge(number, label),
    judgeAll: (label) => this.#judgeAll(label),
    go: (step) => this.#go(step),
    undo: () => this.#undo(),
    toggleBrush: () => this.#setBrush(!this.#stage.isBrush),
    toggleHeat: () => this.#setHeat(!this.#stage.heatOpacity),
    zoom: (factor) => this.#stage.zoom(factor),
    fit: () => this.#stage.fit(),
  });
  #teaching = new TeachingSection();
  /** Whether a list was loaded in this visit, or is being loaded. */
  #isBegun = false;
  /** The number of lists that were requested. */
  #lists = 0;

  constructor() {
    const stage = element("section", { class: "stage", "aria-label": "Picture to review" }, this.#panel.tools, element("div", { class: "window" }, this.#canvas));
    this.#panel.root.append(this.#teaching.root);
    this.#root.append(stage, this.#panel.root);
    this.#stage.addEventListener("region", (event) => this.#click(/** @type {CustomEvent<number>} */ (event).detail));
    this.#stage.addEventListener("stroke", (event) => {
      this.#change((judgement) => judgement.draw(/** @type {CustomEvent} */ (event).detail));
    });
    this.#saver.addEventListener("state", (event) => this.#tell(/** @type {CustomEvent<string>} */ (event).detail));
    this.#saver.addEventListener("replaced", () => this.#refresh());
    listenToKeys(() => !this.#root.hidden && !document.querySelector("dialog[open]"), () => this.#stage.isBrush, {
      go: (step) => this.#go(step),
      select: (step) => this.#step(step),
      judge: (label) => this.#judgeSelected(label),
      judgeAll: (label) => this.#judgeAll(label),
      undo: () => this.#undo(),
      toggleBrush: () => this.#setBrush(!this.#stage.isBrush),
      resizeBrush: (step) => this.#stage.resizeBrush(step),
      moveBrush: (right, down) => this.#stage.moveBrush(right, down),
      stamp: () => this.#stage.stamp(),
      toggleHeat: () => this.#setHeat(!this.#stage.heatOpacity),
      zoom: (factor) => this.#stage.zoom(factor),
      fit: () => this.#stage.fit(),
      close: () => this.#escape(),
    });
  }

  async open() {
    this.#show(true);
    this.#canvas.focus();
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#setBrush(false);
    const models = await get("v1/models").then((answer) => answer.json()).catch(() => ({ models: [] }));
    this.#panel.models = models.models.map((/** @type {{name: string}} */ { name }) => name);
    this.#isBegun = await this.#begin();
  }

  close() {
    this.#show(false);
  }

  /** @param {boolean} isOpen */
  #show(isOpen) {
    this.#root.hidden = !isOpen;
    byId("viewer", HTMLElement).hidden = isOpen;
    this.#toggle.setAttribute("aria-expanded", String(isOpen));
  }

  /** Loads the list that is wished for; returns whether it came. */
  async #begin() {
    const list = ++this.#lists;
    this.#stage.show(null); // the queue frees its pictures
    this.#panel.state = "Loading the list";
    try {
      await this.#queue.begin(this.#panel.wish);
    } catch (error) {
      if (list !== this.#lists) return false;
      this.#shown();
      this.#panel.state = messageOf(error);
      return false;
    }
    if (list === this.#lists) this.#shown();
    return true;
  }

  /** @param {number} step */
  async #go(step) {
    this.#saver.goOn();
    try {
      const isThere = await this.#queue.go(step);
      if (!isThere) this.#panel.state = step > 0 ? "This was the last picture." : "This is the first picture.";
      else this.#shown();
      return isThere;
    } catch (error) {
      this.#panel.state = messageOf(error);
      return false;
    }
  }

  /** Shows the current picture, which may still have to be loaded. */
  async #shown() {
    const item = this.#queue.current;
    this.#stage.selected = item ? Math.max(0, item.judgement.nextOpen(0)) : -1;
    if (!item?.picture.regions.length) this.#stage.selected = -1;
    this.#stage.show(item?.judgement ?? null);
    this.#panel.state = item ? "Loading the picture" : "";
    this.#refresh();
    if (!item) return;
    try {
      const image = await item.image();
      if (item !== this.#queue.current) return;
      this.#stage.image = image;
      this.#tell("");
      this.#loadHeat();
    } catch (error) {
      if (item === this.#queue.current) this.#panel.state = `The picture cannot be shown: ${messageOf(error)}`;
    }
  }

  async #loadHeat() {
    const item = this.#queue.current;
    if (!item || !this.#stage.heatOpacity) return;
    try {
      const heat = await item.heat();
      if (item === this.#queue.current) this.#stage.heat = heat;
    } catch (error) {
      if (item === this.#queue.current) this.#panel.state = `The heatmap cannot be shown: ${messageOf(error)}`;
    }
  }

  #refresh() {
    const { place, total, current } = this.#queue;
    const judgement = current?.judgement ?? null;
    this.#panel.show({ place, total, saved: this.#saver.saved.size }, judgement, this.#stage.selected);
    this.#stage.redraw();
    this.#teaching.show(this.#panel.wish.model || (current?.picture.model.name ?? ""));
    this.#canvas.setAttribute("aria-label", judgement ? `${judgement.picture.name || judgement.picture.id}, ${judgement.picture.label}` : "No picture");
  }

  /** @param {string} waiting why a review is sent again later; empty: none is */
  #tell(waiting) {
    const { current } = this.#queue;
    const said = waiting || this.#saver.trouble;
    if (said) this.#panel.state = said;
    else if (this.#saver.isBusy) this.#panel.state = "Saving";
    else this.#panel.state = current?.picture.review ? "Saved." : "";
    this.#refresh();
  }

  /**
   * Changes what is said about the current picture, and saves it.
   * @param {(judgement: import("./judgement.js").Judgement) => void} change
   */
  #change(change) {
    const item = this.#queue.current;
    if (!item) return;
    change(item.judgement);
    this.#saver.save(item);
    this.#refresh();
  }

  /** @param {number} number */
  #select(number) {
    this.#stage.selected = number;
    const { regions = [] } = this.#queue.current?.picture ?? {};
    const region = regions[number];
    if (region) {
      this.#stage.reveal(region.box);
      const label = this.#queue.current?.judgement.labelOf(number) ?? "not judged";
      this.#announcements.textContent = `Region ${number + 1} of ${regions.length}: ${score(region.score)}, ${label}`;
    }
    this.#refresh();
  }

  /** @param {number} step */
  #step(step) {
    const count = this.#queue.current?.picture.regions.length ?? 0;
    if (count) this.#select((this.#stage.selected + step + count) % count);
  }

  /** @param {number} number @param {Label} label */
  #judge(number, label) {
    this.#stage.selected = number;
    this.#change((judgement) => judgement.judge(number, label));
  }

  /** @param {number} number */
  #click(number) {
    this.#stage.selected = number;
    this.#change((judgement) => judgement.cycle(number));
  }

  /** Judges the selected region and selects the next one that is open; a picture without regions as a whole.
   * @param {Label} label */
  #judgeSelected(label) {
    const { selected } = this.#stage;
    if (selected < 0) {
      this.#change((judgement) => judgement.judgeAll(label));
      return;
    }
    this.#judge(selected, label);
    const next = this.#queue.current?.judgement.nextOpen(selected) ?? -1;
    if (next >= 0) this.#select(next);
  }

  /** @param {Label} label */
  #judgeAll(label) {
    if (!this.#queue.current) return;
    this.#change((judgement) => judgement.judgeAll(label));
    this.#go(1);
  }

  /** Goes one step back; on a picture without steps, on the picture before. */
  async #undo() {
    if (!this.#queue.current?.judgement.canUndo && !(await this.#go(-1))) return;
    if (this.#queue.current?.judgement.canUndo) this.#change((judgement) => judgement.undo());
  }

  /** @param {boolean} isBrush */
  #setBrush(isBrush) {
    this.#stage.isBrush = isBrush;
    this.#panel.setTools({ isBrush, hasHeat: this.#stage.heatOpacity > 0 });
    this.#stage.redraw();
  }

  /** @param {boolean} hasHeat */
  #setHeat(hasHeat) {
    this.#stage.heatOpacity = hasHeat ? OPACITY : 0;
    this.#panel.setTools({ isBrush: this.#stage.isBrush, hasHeat });
    this.#stage.redraw();
    this.#loadHeat();
  }

  #escape() {
    if (this.#stage.isBrush) this.#setBrush(false);
    else location.hash = "";
  }
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
