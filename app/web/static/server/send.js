/**
 * Requests. Uploads use XMLHttpRequest, because only it reports how much was sent.
 */

import { Problem, Unreachable } from "./problem.js";

/** @typedef {{body: Blob, header: (name: string) => string | null}} Answer */

/**
 * Posts a picture; rejects with a Problem, with Unreachable, or with the reason of the signal.
 *
 * The answer stays a Blob, which browsers keep outside of the page's memory.
 * @param {string} url
 * @param {Blob} picture
 * @param {AbortSignal} [signal]
 * @param {(share: number) => void} [onSent] called with the share that was sent, in [0, 1]
 * @returns {Promise<Answer>}
 */
export function post(url, picture, signal, onSent) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.responseType = "blob";
    request.setRequestHeader("Content-Type", "application/octet-stream"); // the server detects the format from the bytes
    request.upload.onprogress = ({ loaded, total }) => onSent?.(total ? loaded / total : 1);
    request.upload.onload = () => onSent?.(1);
    request.onerror = () => reject(new Unreachable());
    request.onabort = () => reject(signal?.reason ?? new Unreachable());
    request.onload = async () => {
      /** @param {string} name */
      const header = (name) => request.getResponseHeader(name);
      if (request.status < 400) resolve({ body: request.response, header });
      else reject(Problem.of(request.status, await request.response.text(), header("Retry-After")));
    };
    if (signal?.aborted) return reject(signal.reason);
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.send(picture);
  });
}

/**
 * Rejects with a Problem or with Unreachable.
 * @param {string} url
 * @param {number[]} [accepted] error statuses that do not reject
 * @returns {Promise<Response>}
 */
export async function get(url, accepted = []) {
  let response;
  try {
    response = await fetch(url);
  } catch {
    throw new Unreachable();
  }
  if (response.ok || accepted.includes(response.status)) return response;
  throw Problem.of(response.status, await response.text(), response.headers.get("Retry-After"));
}
