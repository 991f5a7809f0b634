/**
 * Parts of the page that a button opens and closes.
 */

import { byId } from "../element.js";

/**
 * @param {string} button its id
 * @param {string} drawer its id
 * @param {(isOpen: boolean) => void} onChange
 */
export function drawer(button, drawer, onChange) {
  const [opener, panel] = [byId(button, HTMLButtonElement), byId(drawer, HTMLElement)];
  opener.addEventListener("click", () => {
    panel.hidden = !panel.hidden;
    opener.setAttribute("aria-expanded", String(!panel.hidden));
    onChange(!panel.hidden);
  });
}
