/**
 * The pictures of this visit. They are sent in order, two at a time, and again after a temporary error.
 */

import { Problem, Unreachable } from "../server/problem.js";
import { predict } from "../server/prediction.js";
import { Picture } from "./picture.js";
import { readPicture, readSmall, thumbnailOf } from "./reading.js";

/** @typedef {import("../server/models.js").Models} Models */
/** @typedef {import("../server/connection.js").Connection} Connection */

/** The number of pictures in flight: one is computed while the next one is sent. */
const AT_ONCE = 2;

/** Dispatches `change` with a picture as its `detail`, and `select`. */
export class Session extends EventTarget {
  /** @type {Picture[]} */
  pictures = [];
  /** @type {Picture | null} */
  selected = null;
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
    const added = files.map(({ file, name }) => new Picture(file, name, this.models.choice));
    if (!this.models.choice) added.forEach((picture) => (picture.message = this.#missing()));
    this.pictures.push(...added);
    added.forEach((picture) => this.#tell(picture));
    this.select(added[0]);
    this.#pump();
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
    if (this.models.choice) picture.choice = this.models.choice;
    [picture.prediction, picture.readable, picture.abort] = [null, null, new AbortController()];
    this.#set(picture, "waiting", picture.choice ? "" : this.#missing());
    this.select(picture);
    this.#pump();
  }

  /** @param {Picture} picture */
  remove(picture) {
    picture.abort.abort();
    const place = this.pictures.indexOf(picture);
    this.pictures.splice(place, 1);
    this.#tell(picture);
    if (this.selected === picture) this.select(this.pictures[Math.min(place, this.pictures.length - 1)] ?? null);
  }

  /**
   * Dispatches `change` for a picture that other code has changed.
   * @param {Picture} picture
   */
  retell(picture) {
    this.#tell(picture);
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
    let sentAt = performance.now();
    const prediction = await predict(picture.answered, this.models, picture.file, signal, (share) => {
      if (signal.aborted) return;
      picture.sent = share;
      if (share === 1 && picture.state === "sending") {
        sentAt = performance.now();
        this.#set(picture, "computing", "");
      } else this.#tell(picture);
    });
    signal.throwIfAborted();
    picture.seconds = (performance.now() - sentAt) / 1000;
    picture.prediction = prediction;
    if (this.selected === picture) {
      picture.levels = await readPicture(picture);
      picture.thumbnail = thumbnailOf(picture.levels.smallest);
    } else picture.thumbnail = thumbnailOf(await readSmall(picture));
    signal.throwIfAborted();
    this.#set(picture, "done", "");
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
      picture.isHeld = true;
      this.#set(picture, "waiting", `${error.message}. Tried again in ${error.retryAfterS} s.`);
      setTimeout(() => {
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
