/**
 * Whether the server answers, and whether it is ready for pictures.
 */

import { get } from "./send.js";

/** @typedef {"unknown" | "ready" | "unready" | "gone"} State */

const USUAL_MS = 5000;
const URGENT_MS = 1000;

export class Connection extends EventTarget {
  /** @type {State} */
  state = "unknown";
  /** @type {string[]} why it is not ready */
  reasons = [];
  #timer = 0;

  /** Checks the server now, and then regularly while the page is visible. */
  watch() {
    this.lookNow();
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.lookNow();
    });
  }

  /** Checks the server now; the regular checks continue. */
  lookNow() {
    clearTimeout(this.#timer);
    this.#look();
  }

  /** Reports that a request had no answer. The server is checked again soon, not at once: it may fail again. */
  lost() {
    this.#found("gone", []);
    this.#lookIn(URGENT_MS);
  }

  /** @param {number} ms */
  #lookIn(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), ms);
  }

  async #look() {
    if (document.hidden) return;
    /** @type {[State, string[]]} */
    let found = ["gone", []];
    try {
      const { ready, reasons } = await (await get("readyz", [503])).json();
      found = [ready ? "ready" : "unready", reasons];
    } catch {
      // no answer: the server is gone
    }
    this.#lookIn(found[0] === "ready" ? USUAL_MS : URGENT_MS);
    this.#found(...found);
  }

  /**
   * @param {State} state
   * @param {string[]} reasons
   */
  #found(state, reasons) {
    const changed = state !== this.state || String(reasons) !== String(this.reasons);
    [this.state, this.reasons] = [state, reasons];
    if (changed) this.dispatchEvent(new Event("change"));
  }
}
