/**
 * Whether a candidate runs beside the served version of the chosen model, and what it has found, as a group of the
 * model's details.
 */

import { element } from "../element.js";
import { counted, whole } from "../format.js";
import { get } from "../server/send.js";

/**
 * @typedef {object} Shadow The body of `/v1/models/{model}/shadow`; see the API at /docs.
 * @property {number} version
 * @property {number} served
 * @property {number} share
 * @property {"running" | "paused" | "decided" | "stopped"} state
 * @property {string | null} reason
 * @property {number} compared
 * @property {number} candidate_only
 * @property {number} served_only
 * @property {number} dropped
 * @property {"open" | "more_alarms" | "fewer_alarms" | "no_difference"} decision
 */

/** Adds the group to `panel` if the model has or had a shadow.
 * @param {string} name that of the model
 * @param {HTMLElement} panel
 */
export async function addShadow(name, panel) {
  const place = element("section", {});
  try {
    /** @type {{shadow: Shadow | null}} */
    const { shadow } = await (await get(`v1/models/${encodeURIComponent(name)}/shadow`)).json();
    if (!shadow) return;
    place.append(element("h2", {}, "Shadow"), element("p", {}, sentence(shadow)));
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    place.append(element("h2", {}, "Shadow"), element("p", { class: "trouble" }, text));
  }
  panel.append(place);
}

/** @param {Shadow} shadow */
function sentence({ version, served, share, state, reason, compared, candidate_only, served_only, dropped, decision }) {
  const runs = {
    running: `runs beside version ${served} on ${+(100 * share).toPrecision(3)} % of the requests`,
    paused: `is paused: ${reason}`,
    decided: `was compared with version ${served}`,
    stopped: `was compared with version ${served}, and is stopped`,
  }[state];
  const decided = {
    open: "Nothing is decided yet.",
    more_alarms: `Decided: version ${version} has more alarms.`,
    fewer_alarms: `Decided: version ${version} has fewer alarms.`,
    no_difference: "Decided: no difference is proved.",
  }[decision];
  const found =
    `Of ${counted(compared, "picture")}, ${whole(candidate_only)} are anomalous for version ${version} only, and ` +
    `${whole(served_only)} for version ${served} only; ${whole(dropped)} had no room.`;
  return `Version ${version} ${runs}. ${found} ${decided}`;
}
