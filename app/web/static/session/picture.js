/**
 * A picture of the session, its state and its result.
 */

import { labelAt } from "../server/prediction.js";

/** @typedef {import("../server/models.js").Choice} Choice */
/** @typedef {import("../server/prediction.js").Prediction} Prediction */
/** @typedef {import("../server/prediction.js").Criteria} Criteria */

/**
 * @typedef {"waiting" | "sending" | "computing" | "done" | "failed" | "cancelled"} State
 */

let count = 0;

export class Picture {
  id = ++count;
  /** @type {State} */
  state = "waiting";
  /** The share that was sent, in [0, 1]. */
  sent = 0;
  /** Why the picture waits, or why it failed: a sentence for the user. */
  message = "";
  /** The time from the end of the upload to the answer. */
  seconds = 0;
  /** @type {Prediction | null} */
  prediction = null;
  /** The prediction of another version, which answered before this one.
   * @type {Prediction | null} */
  before = null;
  /** When the upload ended, by `performance.now`. */
  sentAt = 0;
  /** The number of tiles that the model cuts the picture into; null while it is not known.
   * @type {number | null} */
  tiles = null;
  /** Its key in the browser's database; null while it is not kept there.
   * @type {string | null} */
  kept = null;
  /** Whether the picture waits for the time of its next attempt. */
  isHeld = false;
  /** The decoded picture from its answer until it is shown, at once; else null.
   * @type {import("../viewer/picture-levels.js").PictureLevels | null} */
  levels = null;
  /** A small copy; null before the picture is decoded.
   * @type {HTMLCanvasElement | null} */
  thumbnail = null;
  /** The server's PNG of a picture that the browser cannot read.
   * @type {Blob | null} */
  readable = null;
  abort = new AbortController();

  /**
   * @param {Blob} file
   * @param {string} name
   * @param {Choice | null} choice the model that it is sent to; null until a model is known
   * @param {Criteria} criteria
   */
  constructor(file, name, choice, criteria) {
    this.file = file;
    this.name = name;
    this.choice = choice;
    this.criteria = criteria;
  }

  /** Whether the picture is waiting, sending or computing. */
  get isPending() {
    return this.state === "waiting" || this.state === "sending" || this.state === "computing";
  }

  /** The prediction at the threshold in use; empty without one. */
  get label() {
    return this.prediction ? labelAt(this.prediction, this.criteria.threshold) : "";
  }

  /** Whether another version answered before, with another verdict at the same threshold. */
  get hasChanged() {
    return Boolean(this.prediction && this.before && labelAt(this.before, this.criteria.threshold) !== this.label);
  }

  /** The version that answered, to which further requests go. @returns {Choice} */
  get answered() {
    if (this.prediction) return { name: this.prediction.model, version: this.prediction.version };
    if (!this.choice) throw new Error("the picture was not sent yet");
    return this.choice;
  }
}
