/**
 * A picture of the session, and what became of it.
 */

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
  /** Why it waits, or what went wrong: a sentence for people. */
  message = "";
  /** How long the server took, from the upload's end. */
  seconds = 0;
  /** @type {Prediction | null} */
  prediction = null;
  /** @type {Criteria} */
  criteria = { threshold: 0.5, minArea: 1 };
  /** Whether it waits for its time to be tried again. */
  isHeld = false;
  /** The decoded picture, from when it is there until it is shown.
   * @type {import("../viewer/picture-levels.js").PictureLevels | null} */
  levels = null;
  /** A small copy, once it was decoded.
   * @type {HTMLCanvasElement | null} */
  thumbnail = null;
  /** The server's PNG of a picture that the browser cannot read.
   * @type {Blob | null} */
  readable = null;
  abort = new AbortController();

  /**
   * @param {Blob} file
   * @param {string} name
   * @param {Choice} choice which model it is sent to
   */
  constructor(file, name, choice) {
    this.file = file;
    this.name = name;
    this.choice = choice;
  }

  /** Whether it waits or is being worked on. */
  get isPending() {
    return this.state === "waiting" || this.state === "sending" || this.state === "computing";
  }

  /** What the server says of it at the threshold in use. */
  get label() {
    if (!this.prediction) return "";
    return this.prediction.score > this.criteria.threshold ? "anomalous" : "normal";
  }

  /** The version that answered, of which more is asked. @returns {Choice} */
  get answered() {
    return this.prediction ? { name: this.prediction.model, version: this.prediction.version } : this.choice;
  }
}
