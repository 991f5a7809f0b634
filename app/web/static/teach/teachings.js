/**
 * Teachings: reviewed pictures become a new version. Whether the server takes them, and requests about one.
 */

import { get, remove, send } from "../server/send.js";
import { follow as followRun } from "./runs.js";

/** @typedef {{id: string, name: string, review: string, served_score: number, candidate_score: number, lost: number}} Change */
/** @typedef {{id: string, name: string, reviewer: string, doubt: string, score: number}} Doubt */

/**
 * @typedef {object} Proof
 * @property {"sound" | "second_word" | "refused"} result
 * @property {string[]} sentences
 * @property {number} changed
 * @property {Change[]} changes
 * @property {number} doubtful
 * @property {Doubt[]} doubts
 */
/**
 * @typedef {object} Teaching
 * @property {string} id
 * @property {string} state
 * @property {string} model
 * @property {number | null} served
 * @property {number | null} version
 * @property {string} stage
 * @property {number} done
 * @property {number} total
 * @property {string[]} notes
 * @property {Proof | null} proof
 * @property {{message: string} | null} error
 */
/** @typedef {"promote" | "refuse" | "rollback"} Decision */
/**
 * @typedef {object} Options
 * @property {number | null} false_positive_rate that the thresholds aim at; null: that of the training
 * @property {boolean} second_stage whether there may be one
 */

const REFUSED = [403, 404]; // the key may not, or the server neither trains nor keeps pictures

/**
 * The newest teaching of a model; null: there is none. Undefined if the server or the key teaches none. Rejects as
 * `get` does.
 * @param {string} model
 * @returns {Promise<Teaching | null | undefined>}
 */
export async function newest(model) {
  const answer = await get(`v1/teachings?limit=1&model=${encodeURIComponent(model)}`, REFUSED);
  if (!answer.ok) return undefined;
  return (await answer.json()).teachings[0] ?? null;
}

/**
 * Starts to teach a model; rejects as `get` does.
 * @param {string} model
 * @param {Options} options
 * @returns {Promise<Teaching>}
 */
export async function begin(model, options) {
  return (await send(`v1/models/${encodeURIComponent(model)}/teach`, options)).json();
}

/**
 * Follows a teaching until it no longer runs; rejects as `followRun` does.
 * @param {string} id
 * @param {(teaching: Teaching) => void} onChange
 * @param {AbortSignal} signal
 * @returns {Promise<Teaching>}
 */
export function follow(id, onChange, signal) {
  return followRun(`v1/teachings/${id}`, onChange, signal);
}

/**
 * Decides what becomes of a candidate; rejects as `get` does.
 * @param {string} id
 * @param {Decision} decision
 * @param {boolean} isSecondPerson
 * @returns {Promise<Teaching>}
 */
export async function decide(id, decision, isSecondPerson) {
  return (await send(`v1/teachings/${id}/decision`, { decision, second_person: isSecondPerson })).json();
}

/**
 * Cancels a teaching; rejects as `get` does.
 * @param {string} id
 */
export function cancel(id) {
  return remove(`v1/teachings/${id}`);
}
