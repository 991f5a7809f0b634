/**
 * The panel in which the zones of a model are drawn, named and saved.
 */

import { byId } from "../element.js";
import { counted } from "../format.js";
import { readZones, writeZones } from "../server/zones.js";
import { Draft } from "./draft.js";
import { drawDraft } from "./marks.js";
import { ZoneRow } from "./rows.js";
import { around, documentOf } from "./shape.js";
import { ZoneTool } from "./tool.js";

/** @typedef {import("../inspector.js").Inspector} Inspector */
/** @typedef {import("../server/models.js").Models} Models */
/** @typedef {import("../session/session.js").Session} Session */

export class ZonePanel {
  #panel = byId("zones-panel", HTMLElement);
  #editor = byId("zones-editor", HTMLElement);
  #opener = byId("zones-edit", HTMLButtonElement);
  #title = byId("zones-title", HTMLElement);
  #list = byId("zones", HTMLUListElement);
  #note = byId("zones-note", HTMLElement);
  #draw = byId("zones-draw", HTMLButtonElement);
  #finish = byId("zones-finish", HTMLButtonElement);
  #region = byId("zones-region", HTMLButtonElement);
  #undo = byId("zones-undo", HTMLButtonElement);
  #save = byId("zones-save", HTMLButtonElement);
  #again = byId("zones-again", HTMLButtonElement);
  /** @type {Map<string, Draft>} by the model and the version that are edited */
  #drafts = new Map();
  /** @type {Draft | null} what is edited; null: the panel is closed */
  #draft = null;
  /** @type {ZoneTool | null} */
  #tool = null;
  #isOpen = false;
  /** @type {WeakSet<Draft>} about which a request is in flight */
  #busy = new WeakSet();
  /** @type {WeakMap<Draft, {text: string, isWrong: boolean}>} what was said last of each */
  #notes = new WeakMap();
  /** @type {Draft | null} whose zones the rows show */
  #listed = null;
  /** @type {ZoneRow[]} */
  #rows = [];

  /**
   * @param {Inspector} inspector
   * @param {Models} models
   * @param {Session} session
   */
  constructor(inspector, models, session) {
    this.inspector = inspector;
    this.models = models;
    this.session = session;
    const { viewer } = inspector;
    inspector.addEventListener("shown", () => this.#follow());
    inspector.addEventListener("found", () => this.#tell());
    viewer.addEventListener("picked", () => this.#tell());
    viewer.canvas.addEventListener("blur", () => this.#tool?.corners.leave());
    addEventListener("beforeunload", (event) => {
      if ([...this.#drafts.values()].some(({ isChanged }) => isChanged)) event.preventDefault();
    });
    this.#opener.addEventListener("click", () => this.#toggle());
    this.#draw.addEventListener("click", () => this.#drawOrCancel());
    this.#finish.addEventListener("click", () => this.#draft?.finish());
    this.#region.addEventListener("click", () => this.#addRegion());
    this.#undo.addEventListener("click", () => this.#draft?.undo());
    this.#save.addEventListener("click", () => this.#send());
    this.#again.addEventListener("click", () => this.#runAgain());
    byId("zones-reload", HTMLButtonElement).addEventListener("click", () => this.#read());
  }

  #toggle() {
    this.#isOpen = !this.#isOpen;
    this.#opener.textContent = this.#isOpen ? "Close" : "Edit zones";
    this.#opener.setAttribute("aria-expanded", String(this.#isOpen));
    this.#follow();
    if (!this.#isOpen) return;
    this.#panel.scrollIntoView({ block: "nearest" });
    if (!this.#draft?.isChanged) this.#read(); // others may have changed the zones
  }

  /** Edits the zones of the model that the picture was sent to, in the picture's pixels. */
  #follow() {
    const { picture, shape, viewer } = this.inspector;
    const choice = this.#isOpen && shape ? picture?.choice : null;
    const key = choice ? JSON.stringify([choice.name, choice.version]) : "";
    const known = this.#drafts.get(key) ?? null;
    this.#draft = known;
    if (choice && shape && !known) {
      const draft = (this.#draft = new Draft({ ...choice }, shape));
      this.#drafts.set(key, draft);
      draft.addEventListener("change", () => {
        if (draft.drawn) this.#say(draft, `${counted(draft.drawn.length, "corner")}.`);
        else if (draft.isChanged) this.#say(draft, "Not saved yet.");
        this.#tell();
      });
      draft.addEventListener("cross", () => viewer.redraw());
      this.#read();
    } else if (known && shape) known.resize(shape);
    this.#panel.hidden = !shape;
    this.#editor.hidden = !this.#draft;
    const draft = this.#draft;
    viewer.tool = this.#tool = draft && new ZoneTool(draft, viewer);
    this.inspector.useOverlay(draft && ((stage) => drawDraft(stage, draft)));
    this.#again.hidden = true;
    this.#showNote();
    this.#tell();
  }

  /** Reads what the server has. What was drawn comes back by Undo. */
  async #read() {
    const draft = this.#draft;
    if (draft) await this.#during(draft, "Reading the zones…", () => this.#load(draft));
  }

  /** @param {Draft} draft */
  async #load(draft) {
    const { document, tag } = await readZones(draft.choice);
    draft.load(document, tag);
    return draft.zones.length ? `${counted(draft.zones.length, "zone")}.` : "There are no zones yet.";
  }

  /**
   * Says what `work` returns, or why it failed. Nothing else begins for this draft meanwhile.
   * @param {Draft} draft
   * @param {string} before
   * @param {() => Promise<string>} work
   */
  async #during(draft, before, work) {
    if (this.#busy.has(draft)) return;
    this.#busy.add(draft);
    this.#say(draft, before);
    try {
      this.#say(draft, await work());
    } catch (error) {
      this.#say(draft, error instanceof Error ? error.message : String(error), true);
    } finally {
      this.#busy.delete(draft);
      this.#tell();
    }
  }

  /**
   * Says something of a draft, which is shown while that draft is edited.
   * @param {Draft} draft
   * @param {string} text
   * @param {boolean} isWrong
   */
  #say(draft, text, isWrong = false) {
    this.#notes.set(draft, { text, isWrong });
    if (draft === this.#draft) this.#showNote();
  }

  #showNote() {
    const { text, isWrong } = (this.#draft && this.#notes.get(this.#draft)) ?? { text: "", isWrong: false };
    if (this.#note.textContent !== text) this.#note.textContent = text;
    this.#note.classList.toggle("trouble", isWrong);
  }

  #drawOrCancel() {
    const { viewer } = this.inspector;
    if (this.#draft?.drawn) this.#draft.cancel();
    else this.#draft?.begin(viewer.middle);
    viewer.canvas.focus();
    viewer.canvas.scrollIntoView({ block: "nearest" });
  }

  get #picked() {
    const { found, viewer } = this.inspector;
    return found?.regions[viewer.picked] ?? null;
  }

  #addRegion() {
    if (this.#draft && this.#picked) this.#draft.add(around(this.#picked.box, this.#draft.size));
  }

  /** Sends the zones, and says what was written. What is changed meanwhile stays to be saved. */
  async #send() {
    const draft = this.#draft;
    if (!draft) return;
    await this.#during(draft, "Saving…", async () => {
      const sent = structuredClone(draft.zones);
      const written = await writeZones(draft.choice, documentOf(sent, draft.size), draft.tag);
      const { document, tag } = await readZones(draft.choice);
      draft.saved(document, tag, sent);
      if (draft === this.#draft) this.#again.hidden = !written.written || written.live !== written.version;
      await this.models.refresh();
      return sentence(written);
    });
  }

  /** Runs the picture by the version that was written, which is the live one. */
  #runAgain() {
    const { picture, viewer } = this.inspector;
    viewer.canvas.focus(); // the panel is hidden until there is an answer
    if (!picture || !this.#draft) return;
    this.models.choose(this.#draft.choice.name, null);
    this.session.again(picture);
  }

  #tell() {
    const draft = this.#draft;
    this.inspector.viewer.redraw();
    this.#title.textContent = draft?.version ? `Zones of ${draft.choice.name}, version ${draft.version}` : "Zones";
    const hasCorners = draft !== null && !draft.drawn && draft.corners.length > 0;
    byId("corner-keys", HTMLElement).hidden = !hasCorners;
    const keys = hasCorners ? "keys corner-keys" : "keys";
    this.inspector.viewer.canvas.setAttribute("aria-describedby", draft?.drawn ? "zones-keys" : keys);
    if (!draft) return;
    this.#fill(draft);
    this.#draw.textContent = draft.drawn ? "Cancel" : "Draw a zone";
    this.#finish.hidden = !draft.drawn;
    this.#finish.disabled = !draft.isComplete;
    byId("zones-keys", HTMLElement).hidden = !draft.drawn;
    this.#region.disabled = !this.#picked;
    this.#undo.disabled = !draft.canUndo;
    this.#save.disabled = this.#busy.has(draft) || !draft.isChanged || draft.drawn !== null;
  }

  /**
   * Shows the zones. If the row with the focus is removed, the focus goes to the button that draws a zone.
   * @param {Draft} draft
   */
  #fill(draft) {
    const hadFocus = this.#list.contains(document.activeElement);
    if (this.#listed !== draft) this.#rows.splice(0).forEach(({ item }) => item.remove());
    this.#listed = draft;
    while (this.#rows.length > draft.zones.length) this.#rows.pop()?.item.remove();
    while (this.#rows.length < draft.zones.length) {
      const row = new ZoneRow(draft, this.#rows.length);
      this.#rows.push(row);
      this.#list.append(row.item);
    }
    this.#rows.forEach((row) => row.show());
    if (hadFocus && !this.#list.contains(document.activeElement)) this.#draw.focus();
  }
}

/**
 * What was written, and what serves.
 * @param {import("../server/zones.js").Written} written
 */
function sentence({ model, version, source, written, live, error }) {
  if (!written) return "There were no zones, and there are none: nothing was written.";
  if (error) return `Version ${version} of ${model} was written, and the server refuses it: ${error.message}`;
  if (live === version) {
    return `Version ${version} of ${model} was written, and serves: its zones hold for the next pictures. To return to version ${source}: tessera models rollback --name ${model}`;
  }
  return `Version ${version} of ${model} was written. Version ${live} is pinned, and serves. To serve the new one: tessera models promote --name ${model} --version ${version}`;
}
