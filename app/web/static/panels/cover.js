/**
 * The cover of the window while it shows no result: how to begin, the progress of a picture, or an error.
 */

import { byId, element } from "../element.js";
import { counted, seconds, whole } from "../format.js";
import { Unreachable } from "../server/problem.js";
import { get } from "../server/send.js";
import { link } from "../teach/teach.js";

/** @typedef {import("../session/session.js").Session} Session */
/** @typedef {import("../session/picture.js").Picture} Picture */

const EVERY_MS = 500;

/** @param {Session} session */
export function showCover(session) {
  const cover = byId("cover", HTMLElement);
  /** Null until the server has listed them.
   * @type {string[] | null} */
  let examples = null;
  /** Identifies the content: it is replaced only when this changes, so that buttons keep the focus. */
  let shown = "";
  let timer = 0;
  const draw = () => {
    clearTimeout(timer);
    const picture = session.selected;
    const now = picture ? `${picture.id} ${picture.state} ${picture.message}` : `none ${session.models.areKnown} ${session.models.list.length}`;
    if (now !== shown) {
      const hadFocus = cover.contains(document.activeElement);
      cover.replaceChildren(...(picture ? told(session, picture) : invitation(session, examples ?? [])));
      if (hadFocus) (cover.querySelector("button") ?? byId("canvas", HTMLCanvasElement)).focus();
    }
    shown = now;
    const progress = cover.querySelector("progress");
    if (picture?.state === "sending" && progress) progress.value = picture.sent;
    if (picture?.state === "computing" && progress) {
      showWork(progress, byId("work", HTMLElement), picture, session.rateOf(picture));
      timer = setTimeout(draw, EVERY_MS);
    }
  };
  session.addEventListener("select", draw);
  session.models.addEventListener("change", draw);
  session.addEventListener("change", (event) => {
    if (/** @type {CustomEvent<Picture>} */ (event).detail === session.selected) draw();
  });
  session.connection.addEventListener("change", async () => {
    if (examples || session.connection.state === "gone") return;
    try {
      [examples, shown] = [(await (await get("page/examples")).json()).examples, ""];
      draw();
    } catch {
      // the connection reports it, and they are requested again when it changes
    }
  });
  draw();
}

/**
 * What this page does, and how to begin.
 * @param {Session} session
 * @param {string[]} examples
 */
function invitation(session, examples) {
  const { areKnown, list } = session.models;
  const none = areKnown && !list.length;
  const text = none
    ? "No model is served yet. Train or import one into the server's models_dir; it appears here when it is loaded."
    : "Drop pictures here, paste them, or add them below. Each gets a verdict, and the places that differ. Nothing leaves this server.";
  const parts = [
    element("p", { class: "title" }, "Tessera finds what looks different from good pictures"),
    element("p", { class: none ? "text trouble" : "text" }, text),
  ];
  if (examples.length && list.length) {
    const buttons = examples.map((name) => example(session, name));
    parts.push(element("p", { class: "text" }, "Or try an example:"));
    parts.push(element("div", { class: "actions", role: "group", "aria-label": "Examples" }, ...buttons));
  }
  return [...parts, element("div", { class: "actions" }, link)];
}

/**
 * @param {Session} session
 * @param {string} name
 */
function example(session, name) {
  const source = `page/examples/${encodeURIComponent(name)}`;
  const trouble = element("span", { class: "trouble", role: "alert" });
  const button = element("button", { type: "button", class: "example" }, element("img", { src: source, alt: "" }), name, trouble);
  button.addEventListener("click", async () => {
    trouble.textContent = "";
    try {
      session.add([{ file: await (await get(source)).blob(), name }]);
    } catch (error) {
      if (error instanceof Unreachable) session.connection.lost();
      trouble.textContent = error instanceof Error ? error.message : String(error);
    }
  });
  return button;
}

/**
 * @param {Session} session
 * @param {Picture} picture
 * @returns {HTMLElement[]}
 */
function told(session, picture) {
  const again = element("button", { type: "button", click: () => session.again(picture) }, "Run again");
  const remove = element("button", { type: "button", click: () => session.remove(picture) }, "Remove");
  const cancel = element("button", { type: "button", click: () => session.cancel(picture) }, "Cancel");
  const name = `“${picture.name}”`;
  switch (picture.state) {
    case "waiting":
      return page("Waiting", picture.message || `${name} is sent when those before it are.`, false, [cancel]);
    case "sending":
      return page("Sending", name, false, [cancel], progressBar(`Sending ${picture.name}`, true));
    case "computing":
      return page("Computing", name, false, [cancel], progressBar(`Computing ${picture.name}`, false), element("p", { id: "work", class: "work" }));
    case "cancelled":
      return page("Cancelled", name, false, [again, remove]);
    case "failed":
      return page(`${name} was not answered`, picture.message, true, [again, remove]);
    default:
      return [];
  }
}

/**
 * @param {string} title
 * @param {string} text
 * @param {boolean} isTrouble
 * @param {HTMLElement[]} actions
 * @param {HTMLElement[]} more
 */
function page(title, text, isTrouble, actions, ...more) {
  return [
    element("p", { class: "title" }, title),
    element("p", { class: isTrouble ? "text trouble" : "text" }, text),
    ...more,
    element("div", { class: "actions" }, ...actions),
  ];
}

/**
 * @param {string} label
 * @param {boolean} isKnown whether the progress is known
 */
function progressBar(label, isKnown) {
  return element("progress", isKnown ? { "aria-label": label, value: 0, max: 1 } : { "aria-label": label });
}

/**
 * The progress of a picture that is computed. The server does not report the progress of one request, so that this is
 * an estimate from the rate of the model's tiles, and says so.
 * @param {HTMLProgressElement} progress
 * @param {HTMLElement} line
 * @param {Picture} picture
 * @param {number | null} rate tiles in a second; null: not known
 */
function showWork(progress, line, { tiles, sentAt }, rate) {
  const passed = (performance.now() - sentAt) / 1000;
  const since = `${whole(Math.max(1, passed))} s so far`;
  if (tiles === null || rate === null) {
    line.textContent = tiles === null ? since : `${counted(tiles, "tile")}, ${since}`;
    return;
  }
  const done = Math.floor(passed * rate);
  if (done >= tiles) {
    progress.removeAttribute("value");
    line.textContent = `${counted(tiles, "tile")}, ${since}: longer than the estimate of ${seconds(tiles / rate)}`;
    return;
  }
  [progress.max, progress.value] = [tiles, done];
  line.textContent = `About ${whole(done)} of ${counted(tiles, "tile")}, ${since}: an estimate from ${rate.toPrecision(2)} tiles a second`;
}
