/**
 * The dialog that asks for an API key, when the server refuses a request without one.
 */

import { byId } from "../element.js";
import { key } from "../server/key.js";

/** Header values: characters that no key has would make the browser refuse the request. */
const ALLOWED = /^[A-Za-z0-9._~+/=-]+$/;

export function showKey() {
  const dialog = byId("key", HTMLDialogElement);
  const [form, input] = [byId("key-form", HTMLFormElement), byId("key-input", HTMLInputElement)];
  const reason = byId("key-reason", HTMLElement);
  dialog.addEventListener("cancel", (event) => event.preventDefault()); // nothing works without a key
  dialog.addEventListener("close", () => {
    if (key.isWanted && !dialog.open) dialog.showModal(); // browsers let a second Escape close any dialog
  });
  key.addEventListener("want", () => {
    reason.textContent = key.reason;
    input.value = "";
    if (!dialog.open) dialog.showModal();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = input.value.trim();
    if (!ALLOWED.test(given)) {
      reason.textContent = "This is no API key: it has characters that no key has.";
      return;
    }
    key.give(given);
    dialog.close();
  });
}
