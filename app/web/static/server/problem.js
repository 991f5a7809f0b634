/**
 * What goes wrong between the page and the server.
 */

/** The server answered with problem details (RFC 9457). */
export class Problem extends Error {
  /**
   * @param {string} title
   * @param {string} detail
   * @param {number} status
   * @param {number | null} retryAfterS when it may be tried again; null if nobody said
   */
  constructor(title, detail, status, retryAfterS) {
    super(detail);
    this.title = title;
    this.status = status;
    this.retryAfterS = retryAfterS;
  }

  /**
   * @param {number} status
   * @param {string} body
   * @param {string | null} retryAfter the header
   */
  static of(status, body, retryAfter) {
    const retryAfterS = retryAfter && Number.isFinite(Number(retryAfter)) ? Number(retryAfter) : null;
    try {
      const { title, detail } = JSON.parse(body);
      if (typeof detail === "string") return new Problem(String(title), detail, status, retryAfterS);
    } catch {
      // it is no JSON: a proxy has answered
    }
    const detail = `the answer has the status ${status} and no explanation; a proxy between may have sent it`;
    return new Problem("The request failed.", detail, status, retryAfterS);
  }

  /** Whether the same request may succeed in a while. */
  get passes() {
    return (this.status === 429 || this.status === 503) && this.retryAfterS !== null;
  }
}

/** No answer came at all. */
export class Unreachable extends Error {
  constructor() {
    super("The server does not answer.");
  }
}
