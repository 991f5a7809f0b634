/**
 * The strip of the pictures of this visit.
 */

import { byId, element } from "../element.js";
import { score } from "../format.js";

/** @typedef {import("../session/session.js").Session} Session */
/** @typedef {import("../session/picture.js").Picture} Picture */

/**
 * @typedef {object} Item
 * @property {HTMLLIElement} item
 * @property {HTMLButtonElement} pick
 * @property {HTMLElement} thumb
 * @property {HTMLElement} outcome
 * @property {string} drawn the state in which the thumbnail was drawn
 */

/** @param {Session} session */
export function showStrip(session) {
  const list = byId("strip", HTMLUListElement);
  /** @type {Map<Picture, Item>} */
  const items = new Map();
  session.addEventListener("change", (event) => {
    const picture = /** @type {CustomEvent<Picture>} */ (event).detail;
    if (!session.pictures.includes(picture)) {
      items.get(picture)?.item.remove();
      items.delete(picture);
      return;
    }
    let item = items.get(picture);
    if (!item) {
      item = made(session, picture);
      items.set(picture, item);
      list.append(item.item);
    }
    update(item, picture);
  });
  session.addEventListener("select", () => {
    for (const [picture, { pick, item }] of items) {
      pick.setAttribute("aria-current", String(picture === session.selected));
      if (picture === session.selected) item.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  });
}

/**
 * @param {Session} session
 * @param {Picture} picture
 * @returns {Item}
 */
function made(session, picture) {
  const [thumb, outcome] = [element("span", { class: "thumb" }), element("span", { class: "outcome" })];
  const name = element("span", { class: "name" }, picture.name);
  const attributes = { type: "button", class: "pick", "aria-current": String(picture === session.selected) };
  const pick = element("button", { ...attributes, click: () => session.select(picture) }, thumb, name, outcome);
  const remove = element(
    "button",
    { type: "button", class: "remove", "aria-label": `Remove ${picture.name}`, click: () => session.remove(picture) },
    "×",
  );
  return { item: element("li", {}, pick, remove), pick, thumb, outcome, drawn: "" };
}

/**
 * @param {Item} item
 * @param {Picture} picture
 */
function update(item, picture) {
  const { thumb, outcome } = item;
  if (item.drawn !== picture.state) {
    item.drawn = picture.state;
    const progress = element("progress", { "aria-label": `Progress of ${picture.name}`, max: 1 });
    thumb.replaceChildren(picture.thumbnail ?? (picture.isPending ? progress : "no picture"));
  }
  const progress = thumb.querySelector("progress");
  if (picture.state === "sending" && progress) progress.value = picture.sent;
  outcome.className = `outcome ${picture.state === "done" ? picture.label : picture.state}`;
  outcome.textContent =
    picture.prediction && picture.state === "done"
      ? `${picture.label} ${score(picture.prediction.score)}`
      : { waiting: "waiting", sending: "sending", computing: "computing", failed: "failed", cancelled: "cancelled", done: "" }[
          picture.state
        ];
}
