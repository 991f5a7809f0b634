/**
 * The dialog that teaches a first model: pictures and a name, then the progress, then what the model cannot exclude.
 */

import { byId, element } from "../element.js";
import { counted } from "../format.js";
import { areAllowed, begin, cancel, follow } from "./trainings.js";

/** @typedef {import("../server/models.js").Models} Models */
/** @typedef {import("../server/connection.js").Connection} Connection */
/** @typedef {import("./trainings.js").Training} Training */

const FEWEST = 10;
const NAME = "[a-z0-9][a-z0-9_\\-]*";
/** @type {Record<string, string>} */
const STAGES = {
  pictures: "Looks at the pictures",
  components: "Fits the model",
  calibration: "Sets the threshold",
  margins: "Measures rounding errors",
  defects: "Draws defects, and measures which sizes it finds",
};

/** The link of the first screen; hidden while the server trains no models. */
export const link = element("button", { type: "button", hidden: true }, "Teach a first model");

/**
 * @param {Models} models
 * @param {Connection} connection
 */
export function showTeaching(models, connection) {
  const dialog = new Teaching(models);
  link.addEventListener("click", () => dialog.open());
  connection.addEventListener("change", async () => {
    if (connection.state === "ready") link.hidden = !(await areAllowed());
  });
}

class Teaching {
  #models;
  #dialog = byId("teach", HTMLDialogElement);
  #form = byId("teach-form", HTMLFormElement);
  #name = byId("teach-name", HTMLInputElement);
  #choose = byId("teach-choose", HTMLInputElement);
  #chosen = byId("teach-chosen", HTMLElement);
  #status = byId("teach-status", HTMLElement);
  #bar = byId("teach-progress", HTMLProgressElement);
  #begin = byId("teach-begin", HTMLButtonElement);
  #close = byId("teach-close", HTMLButtonElement);
  /** @type {File[]} */
  #pictures = [];
  /** Ends the upload, or the training; null while nothing runs.
   * @type {(() => void) | null} */
  #stop = null;

  /** @param {Models} models */
  constructor(models) {
    this.#models = models;
    this.#name.pattern = NAME;
    this.#choose.addEventListener("change", () => {
      this.#add(this.#choose.files ?? []);
      this.#choose.value = ""; // the same files may be chosen again
    });
    byId("teach-clear", HTMLButtonElement).addEventListener("click", () => {
      this.#pictures = [];
      this.#draw();
      this.#choose.focus();
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#teach();
    });
    this.#close.addEventListener("click", () => this.#leave());
    this.#dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.#leave();
    });
    this.#takeDropped();
  }

  /** Opens the dialog. A training that runs is still shown. */
  open() {
    if (!this.#stop) {
      this.#say("");
      this.#draw();
    }
    this.#dialog.showModal();
  }

  /** Files that are dropped or pasted while the dialog is open are its own, and not pictures to predict. */
  #takeDropped() {
    for (const type of ["dragenter", "dragleave", "dragover", "drop", "paste"]) {
      this.#dialog.addEventListener(type, (event) => {
        event.stopPropagation();
        const data = event instanceof DragEvent ? event.dataTransfer : /** @type {ClipboardEvent} */ (event).clipboardData;
        if (!data?.types.includes("Files")) return;
        event.preventDefault(); // otherwise the browser leaves the page to show the file
        if (type === "drop" || type === "paste") this.#add(data.files);
      });
    }
  }

  /** @param {Iterable<File>} files */
  #add(files) {
    if (this.#stop) return;
    this.#pictures.push(...files);
    this.#draw();
  }

  #draw() {
    const count = this.#pictures.length;
    const missing = count < FEWEST ? `, ${FEWEST - count} more needed` : "";
    this.#chosen.textContent = `${counted(count, "picture")}${missing}`;
    const runs = this.#stop !== null;
    this.#begin.disabled = runs || count < FEWEST;
    this.#name.disabled = this.#choose.disabled = byId("teach-clear", HTMLButtonElement).disabled = runs;
    this.#bar.hidden = !runs;
    this.#close.textContent = runs ? "Cancel" : "Close";
  }

  async #teach() {
    const upload = new AbortController();
    this.#stop = () => upload.abort(new Error("The training was cancelled."));
    this.#draw();
    try {
      this.#say("Sends the pictures");
      this.#bar.removeAttribute("value");
      const made = await begin(this.#name.value, this.#pictures, upload.signal, (share) => (this.#bar.value = share));
      this.#stop = () => cancel(made.id).catch((error) => this.#say(messageOf(error), true));
      this.#bar.removeAttribute("value");
      await this.#ended(await follow(made.id, (training) => this.#progress(training)));
    } catch (error) {
      this.#say(messageOf(error), true);
    }
    this.#stop = null;
    this.#draw();
  }

  /** @param {Training} training */
  #progress({ stage, done, total }) {
    this.#say(stage ? `${STAGES[stage] ?? stage}: ${done} of ${total}` : "Starts");
    if (total) this.#bar.value = done / total;
  }

  /** @param {Training} training */
  async #ended({ state, model, caution, notes, unlike, error }) {
    if (state !== "done") {
      this.#say(error?.message ?? "The training was cancelled.", state === "failed");
      return;
    }
    this.#pictures = [];
    await this.#models.refresh();
    this.#models.choose(model, null);
    const odd = unlike.length ? [`Look at ${unlike.join(", ")}: least like the rest. If it shows a defect, teach again without it.`] : [];
    const said = [`The model ${model} is ready, and selected. Close this, and add a picture.`, `${caution}.`, ...notes, ...odd];
    this.#status.replaceChildren(...said.filter((each) => each !== ".").map((each) => element("span", {}, each)));
    this.#close.focus();
  }

  /**
   * @param {string} text
   * @param {boolean} [isTrouble]
   */
  #say(text, isTrouble = false) {
    this.#status.classList.toggle("trouble", isTrouble);
    if (this.#status.textContent !== text) this.#status.textContent = text;
  }

  #leave() {
    if (this.#stop) this.#stop();
    else this.#dialog.close();
  }
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
