/**
 * Requests. Uploads use XMLHttpRequest, because only it reports how much was sent.
 */

import { key } from "./key.js";
import { Problem, Unreachable } from "./problem.js";

const UNAUTHORIZED = 401;

/** @typedef {{body: Blob, header: (name: string) => string | null}} Answer */

/**
 * Posts a picture; rejects with a Problem, with Unreachable, or with the reason of the signal.
 *
 * If the server refuses the key, asks for another one, and sends the picture again.
 * @param {string} url
 * @param {Blob | FormData} picture the file, or a form with it, which has its name
 * @param {AbortSignal} [signal]
 * @param {(share: number) => void} [onSent] called with the share that was sent, in [0, 1]
 * @returns {Promise<Answer>}
 */
export async function post(url, picture, signal, onSent) {
  for (;;) {
    const headers = key.headers;
    try {
      return await postOnce(url, picture, headers, signal, onSent);
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== UNAUTHORIZED) throw error;
      await key.want(headers, error.message);
      signal?.throwIfAborted();
    }
  }
}

/**
 * The answer stays a Blob, which browsers keep outside of the page's memory.
 * @param {string} url
 * @param {Blob | FormData} picture
 * @param {Record<string, string>} headers
 * @param {AbortSignal} [signal]
 * @param {(share: number) => void} [onSent]
 * @returns {Promise<Answer>}
 */
function postOnce(url, picture, headers, signal, onSent) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.responseType = "blob";
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    // The server detects the format from the bytes. Browsers name the type of a form themselves.
    if (picture instanceof Blob) request.setRequestHeader("Content-Type", "application/octet-stream");
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
 * Rejects with a Problem or with Unreachable. If the server refuses the key, asks for another one.
 * @param {string} url
 * @param {number[]} [accepted] error statuses that do not reject
 * @returns {Promise<Response>}
 */
export function get(url, accepted = []) {
  return request("GET", url, accepted);
}

/**
 * Cancels or removes something; rejects as `get` does.
 * @param {string} url
 * @param {string} [tag] of what is removed, if the server wants to know that it has not changed
 */
export function remove(url, tag) {
  return request("DELETE", url, [], tag ? { "If-Match": tag } : {});
}

/**
 * Asks for something; rejects as `get` does.
 * @param {string} url
 * @param {object} value sent as JSON
 */
export function send(url, value) {
  return request("POST", url, [], { "Content-Type": "application/json" }, JSON.stringify(value));
}

/**
 * Replaces something that has this tag; rejects as `get` does.
 * @param {string} url
 * @param {object} value sent as JSON
 * @param {string} tag
 */
export function put(url, value, tag) {
  return request("PUT", url, [], { "If-Match": tag, "Content-Type": "application/json" }, JSON.stringify(value));
}

/**
 * @param {string} method
 * @param {string} url
 * @param {number[]} accepted
 * @param {Record<string, string>} [more] headers beside that of the key
 * @param {string} [body]
 * @returns {Promise<Response>}
 */
async function request(method, url, accepted, more = {}, body = undefined) {
  for (;;) {
    const headers = key.headers;
    let response;
    try {
      response = await fetch(url, { method, headers: { ...more, ...headers }, body });
    } catch {
      throw new Unreachable();
    }
    if (response.ok || accepted.includes(response.status)) return response;
    const problem = Problem.of(response.status, await response.text(), response.headers.get("Retry-After"));
    if (response.status !== UNAUTHORIZED) throw problem;
    await key.want(headers, problem.message);
  }
}
