/**
 * Pictures that arrive while the page is still starting: they are kept until there is a session.
 */

/** @typedef {import("./intake.js").Incoming} Incoming */
/** @typedef {(pictures: Incoming[]) => void} Take */

class Inbox {
  /** @type {Incoming[]} */
  #kept = [];
  /** @type {Take | null} */
  #take = null;

  /** @param {Incoming[]} pictures */
  put(pictures) {
    if (this.#take) this.#take(pictures);
    else this.#kept.push(...pictures);
  }

  /**
   * Passes the kept pictures to `take`, and from now on all others.
   * @param {Take} take
   */
  open(take) {
    this.#take = take;
    take(this.#kept.splice(0));
  }
}

export const inbox = new Inbox();
