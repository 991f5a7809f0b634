/**
 * The keys of the review, and what they do.
 */

/**
 * @typedef {object} Actions
 * @property {(step: number) => void} go to another picture
 * @property {(step: number) => void} select another region
 * @property {(label: import("./judgement.js").Label) => void} judge the selected region, or the picture without regions
 * @property {(label: import("./judgement.js").Label) => void} judgeAll the whole picture, and go on
 * @property {() => void} undo
 * @property {() => void} toggleBrush
 * @property {(step: number) => void} resizeBrush
 * @property {(right: number, down: number) => void} moveBrush
 * @property {() => void} stamp
 * @property {() => void} toggleHeat
 * @property {(factor: number) => void} zoom
 * @property {() => void} fit
 * @property {() => void} close
 */

/** What the page says about the keys. */
export const LEGEND = [
  ["→ ←", "next, previous picture"],
  ["↓ ↑", "next, previous region"],
  ["D H U", "region: defect, harmless, unsure"],
  ["A", "whole picture harmless, and next"],
  ["W", "whole picture a defect, and next"],
  ["B", "brush on, off: a defect was missed here"],
  ["arrows, Space", "with the brush: move it, draw"],
  ["[ ]", "smaller, larger brush"],
  ["Z", "undo, also on the picture before"],
  ["M", "heat on, off"],
  ["+ − 0", "zoom in, out, all"],
  ["Esc", "brush off, or close the review"],
];

/** @type {Record<string, (actions: Actions) => void>} */
const ALWAYS = {
  n: (to) => to.go(1),
  p: (to) => to.go(-1),
  d: (to) => to.judge("defect"),
  h: (to) => to.judge("harmless"),
  u: (to) => to.judge("unsure"),
  a: (to) => to.judgeAll("harmless"),
  w: (to) => to.judgeAll("defect"),
  z: (to) => to.undo(),
  b: (to) => to.toggleBrush(),
  "[": (to) => to.resizeBrush(-1),
  "]": (to) => to.resizeBrush(1),
  m: (to) => to.toggleHeat(),
  "+": (to) => to.zoom(1.5),
  "=": (to) => to.zoom(1.5),
  "-": (to) => to.zoom(1 / 1.5),
  0: (to) => to.fit(),
  Escape: (to) => to.close(),
};

/** @type {Record<string, (actions: Actions) => void>} */
const WITHOUT_BRUSH = {
  ArrowRight: (to) => to.go(1),
  ArrowLeft: (to) => to.go(-1),
  ArrowDown: (to) => to.select(1),
  ArrowUp: (to) => to.select(-1),
};

/** @type {Record<string, (actions: Actions) => void>} */
const WITH_BRUSH = {
  ArrowRight: (to) => to.moveBrush(1, 0),
  ArrowLeft: (to) => to.moveBrush(-1, 0),
  ArrowDown: (to) => to.moveBrush(0, 1),
  ArrowUp: (to) => to.moveBrush(0, -1),
  " ": (to) => to.stamp(),
};

/** Keys that act again while they are held. The others judge or switch something: holding one must not judge many pictures. */
const HELD = ["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp", "n", "p", "[", "]", "+", "=", "-"];

/** Elements that need the keys for themselves. */
const OWN = "select, input, textarea, dialog";
const PRESSED = ["button", "a[href]", "summary"];

/**
 * Listens for keys while `isOpen` says so.
 * @param {() => boolean} isOpen
 * @param {() => boolean} isBrush
 * @param {Actions} actions
 */
export function listenToKeys(isOpen, isBrush, actions) {
  document.addEventListener("keydown", (event) => {
    const target = event.target instanceof Element ? event.target : document.body;
    if (!isOpen() || event.ctrlKey || event.metaKey || event.altKey || target.closest(OWN)) return;
    if (event.key === " " && target.closest(PRESSED.join())) return;
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const action = (isBrush() ? WITH_BRUSH : WITHOUT_BRUSH)[name] ?? ALWAYS[name];
    if (!action) return;
    event.preventDefault();
    if (!event.repeat || HELD.includes(name)) action(actions);
  });
}
