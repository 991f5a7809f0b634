/**
 * Trainings and teachings, which run on the server: how they are followed.
 */

import { get } from "../server/send.js";

const EVERY_MS = 500;

/**
 * Follows a run until it has ended; rejects as `get` does.
 * @template {{state: string}} Run
 * @param {string} path
 * @param {(run: Run) => void} onChange
 * @returns {Promise<Run>} the run at its end
 */
export async function follow(path, onChange) {
  for (;;) {
    /** @type {Run} */
    const run = await (await get(path)).json();
    if (run.state !== "running") return run;
    onChange(run);
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}
