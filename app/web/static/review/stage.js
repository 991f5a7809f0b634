/**
 * The canvas of the review: the picture, its regions, and the brush. It reports clicks and strokes.
 */

import { between, closeUp, excess, fitted, kept, moved, zoomed } from "../viewer/view.js";
import { contains, polygonsOf } from "./brush.js";
import { drawBrush, drawJudgement } from "./marks.js";

/** @typedef {import("../viewer/view.js").View} View */
/** @typedef {import("./judgement.js").Judgement} Judgement */
/** @typedef {import("./judgement.js").Ring} Ring */
/** @typedef {{x: number, y: number}} Point */

/** A press that moves by less is a click, in CSS pixels. */
const STILL = 5;
/** A click beside a small region still means it, in CSS pixels. */
const NEAR = 8;
const WHEEL = 0.0015;
/** The radius of the brush: of the shorter edge of the picture, and its bounds in pixels. */
const RADIUS_SHARE = 0.02;
const SMALLEST = 1;
const RADIUS_STEP = 1.4;

export class Stage extends EventTarget {
  /** Whether a press draws. */
  isBrush = false;
  radius = 8;
  heatOpacity = 0;
  selected = -1;
  /** @type {Judgement | null} */
  #judgement = null;
  /** @type {ImageBitmap | null} */
  #image = null;
  /** @type {ImageBitmap | null} */
  #heat = null;
  /** @type {View} */
  #view = { scale: 1, x: 0, y: 0 };
  #window = { width: 1, height: 1 };
  #frame = 0;
  /** @type {Point} the middle of the brush, in pixels of the picture */
  #brush = { x: 0, y: 0 };
  /** @type {Point[]} the stroke that is being drawn */
  #stroke = [];
  /** @type {{id: number, start: Point, last: Point, isClick: boolean} | null} */
  #press = null;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    super();
    this.canvas = canvas;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
    new ResizeObserver(() => this.#resize()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", () => this.#cancel());
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /**
   * Shows a picture; its pixels may come later.
   * @param {Judgement | null} judgement
   */
  show(judgement) {
    [this.#judgement, this.#image, this.#heat, this.#stroke, this.#press] = [judgement, null, null, [], null];
    if (judgement) {
      const { width, height } = judgement.picture.image;
      this.#brush = { x: width / 2, y: height / 2 };
      this.radius = Math.max(SMALLEST, Math.min(width, height) * RADIUS_SHARE);
    }
    this.fit();
  }

  /** @param {ImageBitmap | null} image */
  set image(image) {
    this.#image = image;
    this.redraw();
  }

  /** @param {ImageBitmap | null} heat */
  set heat(heat) {
    this.#heat = heat;
    this.redraw();
  }

  get hasImage() {
    return this.#image !== null;
  }

  get #size() {
    return this.#judgement?.picture.image ?? { width: 1, height: 1 };
  }

  fit() {
    this.#view = fitted(this.#window, this.#size);
    this.redraw();
  }

  /** @param {number} factor */
  zoom(factor) {
    const middle = { x: this.#window.width / 2, y: this.#window.height / 2 };
    this.#view = zoomed(this.#view, factor, middle, this.#window, this.#size);
    this.redraw();
  }

  /** Shows a region, if it is small or outside of the window.
   * @param {import("./judgement.js").Box} box */
  reveal(box) {
    const close = closeUp(box, this.#window, this.#size);
    const isSmall = Math.max(box.width, box.height) * this.#view.scale < 2 * NEAR;
    const [x, y] = [(box.x + box.width / 2 - this.#view.x) * this.#view.scale, (box.y + box.height / 2 - this.#view.y) * this.#view.scale];
    const isInside = x >= 0 && y >= 0 && x <= this.#window.width && y <= this.#window.height;
    if (isSmall || !isInside) this.#view = kept(between(this.#view, close, isSmall ? 0.5 : 1, this.#window), this.#window, this.#size);
    this.redraw();
  }

  /** Makes the brush larger (1) or smaller (-1).
   * @param {number} step */
  resizeBrush(step) {
    const most = Math.min(this.#size.width, this.#size.height) / 2;
    this.radius = Math.max(SMALLEST, Math.min(most, this.radius * RADIUS_STEP ** step));
    this.redraw();
  }

  /** Moves the brush by its radius, as arrow keys do.
   * @param {number} right
   * @param {number} down */
  moveBrush(right, down) {
    const { width, height } = this.#size;
    const x = Math.min(width, Math.max(0, this.#brush.x + right * this.radius));
    const y = Math.min(height, Math.max(0, this.#brush.y + down * this.radius));
    this.#brush = { x, y };
    const point = { x: (x - this.#view.x) * this.#view.scale, y: (y - this.#view.y) * this.#view.scale };
    const out = { x: excess(point.x, this.#window.width), y: excess(point.y, this.#window.height) };
    this.#view = moved(this.#view, -out.x, -out.y, this.#window, this.#size);
    this.redraw();
  }

  /** Draws where the brush is, as the space bar does. */
  stamp() {
    this.#stroke = [this.#brush];
    this.#finish();
  }

  redraw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#paint());
  }

  #paint() {
    const { context, canvas } = this;
    const ratio = devicePixelRatio;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#22272c";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const judgement = this.#judgement;
    if (!judgement) return;
    const { scale, x, y } = this.#view;
    const { width, height } = this.#size;
    /** @type {[number, number, number, number]} */
    const place = [-x * scale, -y * scale, width * scale, height * scale];
    context.imageSmoothingEnabled = scale * ratio < 3;
    if (this.#image) context.drawImage(this.#image, ...place);
    if (this.#heat && this.heatOpacity) {
      context.globalCompositeOperation = "screen"; // what is normal is dark, and leaves the picture as it is
      context.globalAlpha = this.heatOpacity;
      context.drawImage(this.#heat, ...place);
      context.globalCompositeOperation = "source-over";
      context.globalAlpha = 1;
    }
    drawJudgement(context, this.#view, judgement, this.selected);
    if (this.isBrush) drawBrush(context, this.#view, this.#brush, this.radius, this.#stroke);
  }

  #resize() {
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth || !clientHeight) return;
    this.#window = { width: clientWidth, height: clientHeight };
    this.canvas.width = Math.round(clientWidth * devicePixelRatio);
    this.canvas.height = Math.round(clientHeight * devicePixelRatio);
    this.fit();
  }

  /** @param {MouseEvent} event @returns {Point} */
  #pointOf(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  /** @param {Point} point in the window @returns {Point} in the picture */
  #placeOf(point) {
    return { x: this.#view.x + point.x / this.#view.scale, y: this.#view.y + point.y / this.#view.scale };
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button !== 0 || this.#press) return;
    this.canvas.setPointerCapture(event.pointerId);
    const point = this.#pointOf(event);
    this.#press = { id: event.pointerId, start: point, last: point, isClick: true };
    if (!this.isBrush) return;
    this.#brush = this.#placeOf(point);
    this.#stroke = [this.#brush];
    this.redraw();
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const point = this.#pointOf(event);
    const press = this.#press;
    if (this.isBrush) {
      this.#brush = this.#placeOf(point);
      if (press?.id === event.pointerId) this.#stroke.push(this.#brush);
      this.redraw();
      return;
    }
    if (press?.id !== event.pointerId) return;
    if (Math.hypot(point.x - press.start.x, point.y - press.start.y) > STILL) press.isClick = false;
    if (!press.isClick) this.#view = moved(this.#view, point.x - press.last.x, point.y - press.last.y, this.#window, this.#size);
    press.last = point;
    this.redraw();
  }

  /** @param {PointerEvent} event */
  #up(event) {
    const press = this.#press;
    if (press?.id !== event.pointerId) return;
    this.#press = null;
    if (this.isBrush) this.#finish();
    else if (press.isClick) {
      const number = this.#regionAt(this.#placeOf(press.start));
      if (number >= 0) this.dispatchEvent(new CustomEvent("region", { detail: number }));
    }
  }

  #cancel() {
    [this.#press, this.#stroke] = [null, []];
    this.redraw();
  }

  #finish() {
    const areas = polygonsOf(this.#stroke, this.radius, this.#size);
    this.#stroke = [];
    this.redraw();
    if (areas.length) this.dispatchEvent(new CustomEvent("stroke", { detail: areas }));
  }

  /** The smallest region at a place of the picture, or near it; -1: there is none.
   * @param {Point} place */
  #regionAt({ x, y }) {
    const near = NEAR / this.#view.scale;
    const found = (this.#judgement?.picture.regions ?? []).filter(({ box, outline }) => {
      const isIn = outline.some(([outer]) => contains(outer, x, y));
      const isNear = x > box.x - near && x < box.x + box.width + near && y > box.y - near && y < box.y + box.height + near;
      return isIn || (isNear && Math.max(box.width, box.height) < 4 * near);
    });
    found.sort((one, other) => one.area - other.area);
    return found[0]?.number ?? -1;
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const factor = Math.exp(-event.deltaY * (event.deltaMode ? 16 : 1) * WHEEL);
    this.#view = zoomed(this.#view, factor, this.#pointOf(event), this.#window, this.#size);
    this.redraw();
  }
}
