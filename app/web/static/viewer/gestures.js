/**
 * Translates touches, mouse, wheel and keys on the canvas into calls of the viewer.
 */

/** @typedef {{x: number, y: number}} Point */

/**
 * @typedef {object} Wishes
 * @property {(right: number, down: number) => void} move
 * @property {(factor: number, point?: Point) => void} zoom around the point; without one around the window's middle
 * @property {() => void} fit
 * @property {() => void} actualSize
 * @property {(step: 1 | -1) => void} step to the next region (1), or to the previous one (-1)
 * @property {(point: Point) => boolean} grabs whether a drag that starts here moves the divider
 * @property {(point: Point) => void} divide
 * @property {(point: Point | null) => void} hover
 * @property {() => Tool | null} tool that gets clicks, drags and keys first; null: there is none
 * @property {(point: Point) => Point} placeOf the place in the picture, in its pixels
 * @property {(length: number) => number} lengthOf in pixels of the picture
 */
/**
 * @typedef {object} Tool What works on the picture. Places and lengths are in its pixels.
 * @property {(place: Point, near: number) => boolean} press whether the drag that begins here is for the tool
 * @property {(place: Point) => void} drag
 * @property {(place: Point, near: number) => void} click
 * @property {(place: Point) => void} hover
 * @property {(event: KeyboardEvent) => boolean} key whether the key was for the tool
 */

/** A press that moves by less is a click. */
const STILL = 5;
/** A press so near to something means it. */
const NEAR = 12;
const KEY_STEP = 80;
const KEY_FACTOR = 1.5;
const WHEEL = 0.0015;
/** Pixels of a wheel's unit, by its `deltaMode`: pixels, lines, pages. */
const UNITS = [1, 16, 400];

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Wishes} wishes
 */
export function listen(canvas, wishes) {
  /** @param {MouseEvent} event @returns {Point} */
  const pointOf = (event) => {
    const { left, top } = canvas.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };
  listenToPointers(canvas, wishes, pointOf);
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const pinch = event.ctrlKey ? 5 : 1; // browsers report a pinch on a touchpad as a wheel with ctrlKey
      wishes.zoom(Math.exp(-event.deltaY * UNITS[event.deltaMode] * WHEEL * pinch), pointOf(event));
    },
    { passive: false },
  );
  canvas.addEventListener("dblclick", (event) => {
    if (!wishes.tool()) wishes.zoom(2, pointOf(event));
  });
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const wish = wishes.tool()?.key(event) ? () => {} : KEYS[event.key];
    if (!wish) return;
    event.preventDefault();
    wish(wishes);
  });
}

/** @type {Record<string, (wishes: Wishes) => void>} */
const KEYS = {
  ArrowLeft: (wishes) => wishes.move(KEY_STEP, 0),
  ArrowRight: (wishes) => wishes.move(-KEY_STEP, 0),
  ArrowUp: (wishes) => wishes.move(0, KEY_STEP),
  ArrowDown: (wishes) => wishes.move(0, -KEY_STEP),
  "+": (wishes) => wishes.zoom(KEY_FACTOR),
  "=": (wishes) => wishes.zoom(KEY_FACTOR),
  "-": (wishes) => wishes.zoom(1 / KEY_FACTOR),
  0: (wishes) => wishes.fit(),
  1: (wishes) => wishes.actualSize(),
  n: (wishes) => wishes.step(1),
  p: (wishes) => wishes.step(-1),
};

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Wishes} wishes
 * @param {(event: MouseEvent) => Point} pointOf
 */
function listenToPointers(canvas, wishes, pointOf) {
  /** @type {Map<number, Point>} */
  const down = new Map();
  let dividing = false;
  /** @type {{tool: Tool, start: Point, isClick: boolean, isTaken: boolean} | null} a press while there is a tool */
  let press = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    const point = pointOf(event);
    const tool = wishes.tool();
    if (!down.size) dividing = wishes.grabs(point);
    press = null; // two fingers move and zoom
    if (tool && !down.size && !dividing) {
      const isTaken = tool.press(wishes.placeOf(point), wishes.lengthOf(NEAR));
      press = { tool, start: point, isClick: !isTaken, isTaken };
    }
    down.set(event.pointerId, point);
  });
  canvas.addEventListener("pointermove", (event) => {
    const point = pointOf(event);
    const last = down.get(event.pointerId);
    if (!last) {
      wishes.hover(point);
      wishes.tool()?.hover(wishes.placeOf(point));
      return;
    }
    if (press?.isClick && Math.hypot(point.x - press.start.x, point.y - press.start.y) <= STILL) return;
    down.set(event.pointerId, point);
    if (press) press.isClick = false;
    if (press?.isTaken) press.tool.drag(wishes.placeOf(point));
    else if (dividing) wishes.divide(point);
    else if (down.size === 1) wishes.move(point.x - last.x, point.y - last.y);
    else if (down.size === 2) pinch(down, event.pointerId, last, point, wishes);
  });
  for (const kind of /** @type {const} */ (["pointerup", "pointercancel"])) {
    canvas.addEventListener(kind, (event) => {
      const isClick = down.delete(event.pointerId) && kind === "pointerup" && press?.isClick;
      if (press && isClick) press.tool.click(wishes.placeOf(press.start), wishes.lengthOf(NEAR));
      press = null;
    });
  }
  canvas.addEventListener("pointerleave", () => wishes.hover(null));
}

/**
 * Moves and zooms after a movement of one of two fingers.
 * @param {Map<number, Point>} down
 * @param {number} id
 * @param {Point} last
 * @param {Point} point
 * @param {Wishes} wishes
 */
function pinch(down, id, last, point, wishes) {
  const other = [...down].find(([each]) => each !== id)?.[1];
  if (!other) return;
  wishes.move((point.x - last.x) / 2, (point.y - last.y) / 2);
  const [before, after] = [last, point].map((each) => Math.hypot(each.x - other.x, each.y - other.y));
  if (before > 0) wishes.zoom(after / before, { x: (point.x + other.x) / 2, y: (point.y + other.y) / 2 });
}
