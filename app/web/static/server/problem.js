/**
 * Errors of requests to the server.
 */

/** The server answered with problem details (RFC 9457). */
export class Problem extends Error {
  /**
   * @param {string} title
   * @param {string} detail
   * @param {number} status
   * @param {number | null} retryAfterS seconds until the request may be repeated; null: unknown
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
      // the body is not JSON: a proxy has answered
    }
    const detail = `the answer has the status ${status} and no explanation; a proxy between may have sent it`;
    return new Problem("The request failed.", detail, status, retryAfterS);
  }

  /** Whether the same request may succeed later. */
  get passes() {
    return (this.status === 429 || this.status === 503) && this.retryAfterS !== null;
  }
}

/** The server did not answer. */
export class Unreachable extends Error {
  constructor() {
    super("The server does not answer.");
  }
}
