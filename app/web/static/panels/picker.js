/**
 * The choice of the model and version for the next pictures, and the state of the connection.
 */

import { byId, element } from "../element.js";

/** @typedef {import("../server/models.js").Models} Models */
/** @typedef {import("../server/connection.js").Connection} Connection */

const STATES = { loading: ", being loaded", failed: ", refused", ready: "" };
const STAGES = { live: "", candidate: ", candidate", earlier: "" };

/** @param {Models} models */
export function showPicker(models) {
  const [model, version] = [byId("model", HTMLSelectElement), byId("version", HTMLSelectElement)];
  model.addEventListener("change", () => models.choose(model.value, null));
  version.addEventListener("change", () => models.choose(model.value, version.value ? Number(version.value) : null));
  models.addEventListener("change", () => {
    const { choice } = models;
    const chosen = models.list.find(({ name }) => name === choice?.name);
    model.replaceChildren(...models.list.map(({ name }) => option(name, name, name === choice?.name)));
    const live = chosen?.live ? `live (${chosen.live}${chosen.pinned === chosen.live ? ", pinned" : ""})` : "live";
    version.replaceChildren(
      option("", live, !choice?.version),
      ...(chosen?.versions ?? []).map((each) =>
        option(String(each.version), `${each.version}${STAGES[each.stage]}${STATES[each.state]}`, each.version === choice?.version),
      ),
    );
    model.disabled = version.disabled = !models.list.length;
  });
}

/**
 * @param {string} value
 * @param {string} text
 * @param {boolean} selected
 */
function option(value, text, selected) {
  return element("option", { value, selected }, text);
}

/** @param {Connection} connection */
export function showConnection(connection) {
  const line = byId("connection", HTMLElement);
  connection.addEventListener("change", () => {
    line.className = `connection ${connection.state}`;
    line.textContent = {
      unknown: "",
      ready: "Ready",
      unready: `Not ready: ${connection.reasons.join("; ")}`,
      gone: "The server does not answer; it is asked again every second",
    }[connection.state];
  });
}
