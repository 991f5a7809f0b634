/**
 * The API key of this visit. It is kept in the tab's session storage: it ends with the tab, and no other site reads it.
 */

const PLACE = "tessera.key";

class Key extends EventTarget {
  /** @type {Promise<void> | null} resolved when the user has given a key; null: nobody waits for one */
  #wanted = null;
  #given = () => {};
  /** What the server said of the last key. */
  reason = "";

  /** Whether requests wait for a key. */
  get isWanted() {
    return this.#wanted !== null;
  }

  /** @returns {Record<string, string>} the headers that a request sends */
  get headers() {
    const key = sessionStorage.getItem(PLACE);
    return key ? { Authorization: `Bearer ${key}` } : {};
  }

  /**
   * Requests a key from the user, once for all requests that were refused. Resolves when there is one that was not sent.
   * @param {Record<string, string>} sent the headers of the refused request
   * @param {string} reason
   */
  async want(sent, reason) {
    if (sent.Authorization !== this.headers.Authorization) return; // another request has got one meanwhile
    if (!this.#wanted) {
      this.#wanted = new Promise((resolve) => (this.#given = resolve));
      this.reason = reason;
      this.dispatchEvent(new Event("want"));
    }
    await this.#wanted;
  }

  /** @param {string} key */
  give(key) {
    sessionStorage.setItem(PLACE, key);
    this.#wanted = null;
    this.#given();
  }
}

export const key = new Key();
