/**
 * Saves reviews by itself, one after the other for each picture, and never over a review that was not seen.
 */

import { Problem, Unreachable } from "../server/problem.js";
import { get, put, remove } from "../server/send.js";

/** @typedef {import("./queue.js").Item} Item */

const CONFLICT = 412;
const RETRY_MS = 2000;

/** Dispatches `state` after each change, with why a review is sent again as its `detail`, and `replaced`. */
export class Saver extends EventTarget {
  /** @type {Map<Item, Promise<void>>} the pictures that are being saved */
  #open = new Map();
  /** @type {Set<Item>} those that have changed since they were sent */
  #changed = new Set();
  /** Why reviews were not saved; until they are changed again.
   * @type {Map<Item, string>} */
  #failed = new Map();
  /** The pictures whose reviews somebody else has replaced, until the person goes on.
   * @type {Set<Item>} */
  #replaced = new Set();
  /** Reviews that were saved in this visit.
   * @type {Set<string>} */
  saved = new Set();

  constructor() {
    super();
    addEventListener("beforeunload", (event) => {
      if (this.#open.size || this.#failed.size) event.preventDefault();
    });
  }

  get isBusy() {
    return this.#open.size > 0;
  }

  /** What was not saved, and why; empty: nothing. */
  get trouble() {
    const failed = [...this.#failed].map(([item, why]) => `The review of ${nameOf(item)} was not saved: ${why}.`);
    const replaced = [...this.#replaced].map(
      (item) => `Somebody else has reviewed ${nameOf(item)} meanwhile. Their review is shown; yours was not saved.`,
    );
    return [...failed, ...replaced].join(" ");
  }

  /** The person has seen which reviews were replaced. */
  goOn() {
    this.#replaced.clear();
  }

  /** @param {Item} item */
  save(item) {
    this.#changed.add(item);
    this.#failed.delete(item);
    this.#replaced.delete(item);
    if (this.#open.has(item)) return;
    const saving = this.#run(item).finally(() => {
      this.#open.delete(item);
      this.#tell();
    });
    this.#open.set(item, saving);
    this.#tell();
  }

  /** @param {Item} item */
  async #run(item) {
    while (this.#changed.delete(item)) {
      try {
        await this.#send(item);
      } catch (error) {
        if (error instanceof Problem && error.status === CONFLICT) await this.#yield(item).catch(() => this.#retry(item));
        else if (error instanceof Unreachable || (error instanceof Problem && error.passes)) await this.#retry(item);
        else this.#failed.set(item, error instanceof Error ? error.message : String(error));
      }
    }
  }

  /** @param {Item} item */
  async #send(item) {
    const { judgement, url } = item;
    const { etag } = judgement.picture;
    const review = judgement.review;
    if (!review && !judgement.picture.review) return;
    const answer = await (review ? put(`${url}/review`, review, etag) : remove(`${url}/review`, etag));
    const told = await answer.json();
    Object.assign(judgement.picture, { etag: told.etag, review: told.review });
    if (review) this.saved.add(told.id);
    else this.saved.delete(told.id);
  }

  /** Somebody else was first: theirs is shown.
   * @param {Item} item */
  async #yield(item) {
    item.judgement.replace(await (await get(item.url)).json());
    this.#changed.delete(item);
    this.#replaced.add(item);
    this.dispatchEvent(new CustomEvent("replaced", { detail: item }));
  }

  /** @param {Item} item */
  async #retry(item) {
    this.#changed.add(item);
    this.#tell("The server takes no review at the moment. The review is kept here, and sent again.");
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }

  /** @param {string} [waiting] why a review is sent again later */
  #tell(waiting = "") {
    this.dispatchEvent(new CustomEvent("state", { detail: waiting }));
  }
}

/** @param {Item} item */
function nameOf({ picture }) {
  return picture.name || picture.id;
}
