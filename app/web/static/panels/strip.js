/**
 * The strip of the pictures of this visit.
 */

import { byId, element } from "../element.js";
import { score } from "../format.js";
import { labelAt } from "../server/prediction.js";

/** @typedef {import("../session/session.js").Session} Session */
/** @typedef {import("../session/picture.js").Picture} Picture */

/**
 * @typedef {object} Item
 * @property {HTMLLIElement} item
 * @property {HTMLButtonElement} pick
 * @property {HTMLElement} thumb
 * @property {HTMLElement} outcome
 * @property {string} drawn the state in which the thumbnail was drawn
 * @property {string} told what the outcome says, by lines
 */

/**
 * @param {Session} session
 * @param {import("../session/arrangement.js").Arrangement} arrangement
 */
export function showStrip(session, arrangement) {
  const list = byId("strip", HTMLUListElement);
  /** @type {Map<Picture, Item>} */
  const items = new Map();
  let frame = 0;
  const arrange = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      const wanted = arrangement.of(session.pictures).flatMap((picture) => items.get(picture)?.item ?? []);
      if (wanted.length === list.children.length && wanted.every((item, place) => item === list.children[place])) return;
      const focused = document.activeElement;
      const place = [...list.children].findIndex((item) => item.contains(focused));
      list.replaceChildren(...wanted);
      if (focused instanceof HTMLElement && list.contains(focused)) focused.focus();
      else if (place >= 0) (wanted[Math.min(place, wanted.length - 1)]?.querySelector("button") ?? byId("choose", HTMLInputElement)).focus();
      reveal();
    });
  };
  const reveal = () => {
    const item = session.selected && items.get(session.selected)?.item;
    if (!item?.isConnected) return;
    const [shown, window] = [item.getBoundingClientRect(), list.getBoundingClientRect()];
    list.scrollLeft += Math.min(0, shown.left - window.left) + Math.max(0, shown.right - window.right);
  };
  arrangement.addEventListener("change", arrange);
  session.addEventListener("change", (event) => {
    const picture = /** @type {CustomEvent<Picture>} */ (event).detail;
    if (!session.pictures.includes(picture)) {
      items.delete(picture);
      arrange();
      return;
    }
    let item = items.get(picture);
    if (!item) {
      item = made(session, picture);
      items.set(picture, item);
    }
    update(item, picture);
    arrange();
  });
  session.addEventListener("select", () => {
    for (const [picture, { pick }] of items) pick.setAttribute("aria-current", String(picture === session.selected));
    reveal();
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
  return { item: element("li", {}, pick, remove), pick, thumb, outcome, drawn: "", told: "" };
}

/**
 * @param {Item} item
 * @param {Picture} picture
 */
function update(item, picture) {
  const { thumb, outcome } = item;
  const drawn = `${picture.state} ${picture.thumbnail !== null}`;
  if (item.drawn !== drawn) {
    item.drawn = drawn;
    const progress = element("progress", { "aria-label": `Progress of ${picture.name}`, max: 1 });
    thumb.replaceChildren(picture.thumbnail ?? (picture.isPending ? progress : "no picture"));
  }
  const progress = thumb.querySelector("progress");
  if (picture.state === "sending" && progress) progress.value = picture.sent;
  const lines = outcomeOf(picture);
  const told = lines.join("\n");
  if (item.told === told) return; // another threshold changes few of many pictures
  item.told = told;
  outcome.className = `outcome ${picture.state === "done" ? picture.label : picture.state}`;
  outcome.replaceChildren(...lines.map((line) => element("span", {}, line)));
}

/** @param {Picture} picture */
function outcomeOf({ state, before, prediction, criteria, label }) {
  if (state !== "done" || !prediction) return [state];
  const lines = [`${label} ${score(prediction.score)}`];
  if (before) lines.push(`before ${labelAt(before, criteria.threshold)} ${score(before.score)}`);
  return lines;
}
