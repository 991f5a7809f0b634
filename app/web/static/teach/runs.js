/**
 * Trainings and teachings, which run on the server: how they are followed.
 */

import { Problem, Unreachable } from "../server/problem.js";
import { get } from "../server/send.js";

const EVERY_MS = 500;

/**
 * Follows a run until it has ended, also while the server does not answer for a time. Rejects as `get` does for other
 * errors, and with the reason of the signal.
 * @template {{state: string}} Run
 * @param {string} path
 * @param {(run: Run) => void} onChange
 * @param {AbortSignal} [signal]
 * @returns {Promise<Run>} the run at its end
 */
export async function follow(path, onChange, signal) {
  for (;;) {
    const answer = await get(path).catch((error) => {
      if (error instanceof Unreachable || (error instanceof Problem && error.passes)) return null;
      throw error;
    });
    /** @type {Run | null} */
    const run = answer && (await answer.json());
    signal?.throwIfAborted();
    if (run && run.state !== "running") return run;
    if (run) onChange(run);
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}
