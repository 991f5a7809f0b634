/**
 * The pictures of this visit. They are sent in order, two at a time, and again after a temporary error.
 */

import { tilesOf } from "../map/tile-grid.js";
import { Problem, Unreachable } from "../server/problem.js";
import { predict } from "../server/prediction.js";
import { Picture } from "./picture.js";
import { readPicture, readSmall, sizeOf, thumbnailOf } from "./reading.js";

/** @typedef {import("../server/models.js").Models} Models */
/** @typedef {import("../server/connection.js").Connection} Connection */
/** @typedef {import("../server/prediction.js").Criteria} Criteria */

/** The number of pictures in flight: one is computed while the next one is sent. */
const AT_ONCE = 2;

/** Dispatches `change` with a picture as its `detail`, and `select`. */
export class Session extends EventTarget {
  /** @type {Picture[]} */
  pictures = [];
  /** @type {Picture | null} */
  selected = null;
  /** The criteria of the next pictures. @type {Criteria} */
  criteria = { threshold: 0.5, minArea: 1 };
  /** Whether other criteria for one picture are those of all pictures. */
  isShared = true;
  /** The tiles that each version computed in a second lately, by its digest. @type {Map<string, number>} */
  rates = new Map();
  #running = 0;

  /**
   * @param {Models} models
   * @param {Connection} connection
   */
  constructor(models, connection) {
    super();
    this.models = models;
    this.connection = connection;
    connection.addEventListener("change", () => this.#pump());
    models.addEventListener("change", () => this.#assign());
  }

  /**
   * Pictures wait until a model is known.
   * @param {{file: Blob, name: string}[]} files
   */
  add(files) {
    if (!files.length) return;
    const added = files.map(({ file, name }) => new Picture(file, name, this.models.choice, { ...this.criteria }));
    if (!this.models.choice) added.forEach((picture) => (picture.message = this.#missing()));
    this.pictures.push(...added);
    added.forEach((picture) => this.#tell(picture));
    this.select(added[0]);
    this.#pump();
  }

  /**
   * Adds pictures that have results, without a request.
   * @param {Picture[]} pictures
   */
  restore(pictures) {
    if (!pictures.length) return;
    this.pictures.push(...pictures);
    pictures.forEach((picture) => this.#tell(picture));
    if (!this.selected) this.select(pictures[0]);
    this.#drawThumbnails(pictures);
  }

  /** Draws them one after the other: many pictures that are decoded at once take much memory.
   * @param {Picture[]} pictures */
  async #drawThumbnails(pictures) {
    for (const picture of pictures) {
      await this.#drawThumbnail(picture).catch(() => {}); // the server converts some formats, and may be away
      if (this.pictures.includes(picture)) this.#tell(picture);
    }
  }

  /**
   * Applies criteria to a picture, and to all pictures if criteria are shared.
   * @param {Picture} picture
   * @param {Criteria} criteria
   */
  judge(picture, criteria) {
    if (this.isShared) this.criteria = criteria;
    for (const each of this.isShared ? this.pictures : [picture]) {
      each.criteria = { ...criteria };
      this.#tell(each);
    }
  }

  /** @param {Picture | null} picture */
  select(picture) {
    this.selected = picture;
    this.dispatchEvent(new Event("select"));
  }

  /** @param {Picture} picture */
  cancel(picture) {
    picture.abort.abort();
    this.#set(picture, "cancelled", "");
  }

  /**
   * Sends the picture again, to the model that is chosen now.
   * @param {Picture} picture
   */
  again(picture) {
    this.#repeat(picture);
    this.select(picture);
    this.#pump();
  }

  /** Sends all pictures that are not being sent again, to the model that is chosen now. */
  allAgain() {
    this.pictures.filter((picture) => !picture.isPending).forEach((picture) => this.#repeat(picture));
    this.select(this.selected);
    this.#pump();
  }

  /** Removes all pictures. */
  clear() {
    for (const picture of this.pictures.splice(0)) {
      picture.abort.abort();
      this.#tell(picture);
    }
    this.select(null);
  }

  /** @param {Picture} picture */
  #repeat(picture) {
    if (this.models.choice) picture.choice = this.models.choice;
    if (picture.prediction) picture.before = picture.prediction;
    [picture.prediction, picture.readable, picture.tiles, picture.isHeld] = [null, null, null, false];
    picture.abort = new AbortController();
    this.#set(picture, "waiting", picture.choice ? "" : this.#missing());
  }

  /** @param {Picture} picture */
  remove(picture) {
    picture.abort.abort();
    const place = this.pictures.indexOf(picture);
    this.pictures.splice(place, 1);
    this.#tell(picture);
    if (this.selected === picture) this.select(this.pictures[Math.min(place, this.pictures.length - 1)] ?? null);
  }

  /** Assigns the chosen model to the pictures that wait for one. */
  #assign() {
    const { choice } = this.models;
    for (const picture of this.pictures.filter((each) => !each.choice && each.state === "waiting")) {
      picture.choice = choice;
      this.#set(picture, "waiting", choice ? "" : this.#missing());
    }
    this.#pump();
  }

  /** Why pictures wait for a model. */
  #missing() {
    return this.models.areKnown
      ? "No model is served. The picture is sent when there is one."
      : "The page is waiting for the server's models. The picture is sent when they are known.";
  }

  #pump() {
    if (this.connection.state === "gone") return;
    while (this.#running < AT_ONCE) {
      const next = this.pictures.find(({ state, isHeld, choice }) => state === "waiting" && !isHeld && choice);
      if (!next) return;
      this.#run(next);
    }
  }

  /** @param {Picture} picture */
  async #run(picture) {
    const { signal } = picture.abort;
    this.#running++;
    this.#set(picture, "sending", "");
    try {
      await this.#predict(picture, signal);
    } catch (error) {
      if (!signal.aborted) this.#fail(picture, error);
    } finally {
      this.#running--;
      this.#pump();
    }
  }

  /**
   * @param {Picture} picture
   * @param {AbortSignal} signal
   */
  async #predict(picture, signal) {
    this.#countTiles(picture);
    picture.sentAt = performance.now();
    const prediction = await predict(picture.answered, this.models, picture.file, signal, (share) => {
      if (signal.aborted) return;
      picture.sent = share;
      if (share === 1 && picture.state === "sending") {
        picture.sentAt = performance.now();
        this.#set(picture, "computing", "");
      } else this.#tell(picture);
    });
    signal.throwIfAborted();
    picture.seconds = (performance.now() - picture.sentAt) / 1000;
    if (picture.tiles) this.rates.set(prediction.digest, picture.tiles / picture.seconds);
    picture.prediction = prediction;
    if (picture.before?.digest === prediction.digest) picture.before = null;
    if (this.selected === picture) await this.#decode(picture, signal);
    else await this.#drawThumbnail(picture);
    signal.throwIfAborted();
    this.#set(picture, "done", "");
  }

  /**
   * Decodes the picture in full size, to be shown. It is freed at once if another picture is selected meanwhile.
   * @param {Picture} picture
   * @param {AbortSignal} signal
   */
  async #decode(picture, signal) {
    const levels = await readPicture(picture);
    picture.thumbnail = thumbnailOf(levels.smallest);
    if (this.selected === picture && !signal.aborted) picture.levels = levels;
    else levels.close();
  }

  /**
   * Counts the tiles that the picture takes, for its progress; they stay unknown if the browser cannot read it.
   * @param {Picture} picture
   */
  async #countTiles(picture) {
    const details = this.models.detailsOf(picture.answered);
    const size = details && (await sizeOf(picture.file).catch(() => null));
    if (!details || !size) return;
    picture.tiles = tilesOf(details, size).length + Number(details.tiling.enable && details.tiling.thumbnail);
    this.#tell(picture);
  }

  /**
   * The tiles that a picture's version computes in a second: as measured on this page, or by the server when it loaded
   * the version; null if neither is known.
   * @param {Picture} picture
   */
  rateOf(picture) {
    const details = picture.choice && this.models.detailsOf(picture.choice);
    if (!details) return null;
    return this.rates.get(details.digest) ?? details.execution.trials[0]?.tiles_per_s ?? null;
  }

  /** @param {Picture} picture */
  async #drawThumbnail(picture) {
    const small = await readSmall(picture);
    picture.thumbnail = thumbnailOf(small);
    small.close();
  }

  /**
   * @param {Picture} picture
   * @param {unknown} error
   */
  #fail(picture, error) {
    picture.prediction = null;
    if (error instanceof Unreachable) {
      this.#set(picture, "waiting", "The server does not answer. The picture is sent when it is back.");
      this.connection.lost();
    } else if (error instanceof Problem && error.passes) {
      const { signal } = picture.abort;
      picture.isHeld = true;
      this.#set(picture, "waiting", `${error.message}. Tried again in ${error.retryAfterS} s.`);
      setTimeout(() => {
        if (signal.aborted) return; // cancelled, and perhaps sent again since
        picture.isHeld = false;
        this.#pump();
      }, 1000 * Number(error.retryAfterS));
    } else {
      this.#set(picture, "failed", error instanceof Error ? error.message : String(error));
    }
  }

  /**
   * @param {Picture} picture
   * @param {Picture["state"]} state
   * @param {string} message
   */
  #set(picture, state, message) {
    [picture.state, picture.message] = [state, message];
    if (state === "sending") picture.sent = 0;
    this.#tell(picture);
  }

  /** @param {Picture} picture */
  #tell(picture) {
    this.dispatchEvent(new CustomEvent("change", { detail: picture }));
  }
}
