/**
 * Trainings of first models: whether the server takes them, and requests about one.
 */

import { get, post, remove } from "../server/send.js";
import { follow as followRun } from "./runs.js";

/**
 * @typedef {object} Training
 * @property {string} id
 * @property {"running" | "done" | "failed" | "cancelled"} state
 * @property {string} model
 * @property {number} pictures
 * @property {string} stage
 * @property {number} done
 * @property {number} total
 * @property {string} caution
 * @property {string[]} notes
 * @property {string[]} unlike
 * @property {{message: string} | null} error
 */

const REFUSED = [403, 404]; // the key may not, or the server trains no models

/** Whether the server trains models for this page's key; false if it does not answer. */
export async function areAllowed() {
  const answer = await get("v1/trainings?limit=1", REFUSED).catch(() => null);
  return Boolean(answer?.ok);
}

/**
 * Starts a training; rejects as `post` does.
 * @param {string} name
 * @param {File[]} pictures
 * @param {AbortSignal} signal
 * @param {(share: number) => void} onSent
 * @returns {Promise<Training>}
 */
export async function begin(name, pictures, signal, onSent) {
  const form = new FormData();
  form.append("name", name);
  for (const picture of pictures) form.append("images", picture, picture.name);
  return JSON.parse(await (await post("v1/models", form, signal, onSent)).body.text());
}

/**
 * Follows a training until it has ended; rejects as `get` does.
 * @param {string} id
 * @param {(training: Training) => void} onChange
 * @returns {Promise<Training>}
 */
export function follow(id, onChange) {
  return followRun(`v1/trainings/${id}`, onChange);
}

/**
 * Cancels a training; rejects as `get` does.
 * @param {string} id
 */
export function cancel(id) {
  return remove(`v1/trainings/${id}`);
}
