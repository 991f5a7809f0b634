/**
 * The list of the zones that are edited: name, what counts, threshold, and a button that removes the zone.
 */

import { element } from "../element.js";

/** @typedef {import("./draft.js").Draft} Draft */
/** @typedef {import("./shape.js").Zone} Zone */

/** The threshold of a zone that was ignored: above that of the model, 0.5. */
const FIRST_THRESHOLD = 0.7;

/**
 * The row of a zone.
 * @param {Draft} draft
 * @param {number} index
 */
export function rowOf(draft, index) {
  const { name, threshold } = draft.zones[index];
  const named = element("input", {
    type: "text",
    value: name,
    maxlength: 100,
    "aria-label": `Name of zone ${index + 1}`,
    change: () => draft.set(index, { name: named.value.trim() || name }),
  });
  const number = element("input", {
    type: "number",
    min: 0,
    step: "any",
    value: threshold ?? FIRST_THRESHOLD,
    "aria-label": `Threshold of ${name}`,
    hidden: threshold === null,
    change: () => {
      if (number.validity.valid && number.value) draft.set(index, { threshold: number.valueAsNumber, pixelThreshold: null });
    },
  });
  const counts = element(
    "select",
    {
      "aria-label": `What counts in ${name}`,
      change: () => {
        const own = counts.value === "own" ? FIRST_THRESHOLD : null;
        draft.set(index, { threshold: own, pixelThreshold: null });
      },
    },
    element("option", { value: "ignore", selected: threshold === null }, "Ignore"),
    element("option", { value: "own", selected: threshold !== null }, "Threshold"),
  );
  const remove = element("button", { type: "button", "aria-label": `Remove ${name}`, click: () => draft.remove(index) }, "×");
  const focusin = () => draft.select(index);
  return element("li", { focusin, class: index === draft.selected ? "selected" : "" }, named, counts, number, remove);
}
