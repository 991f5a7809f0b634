/**
 * What a person says about one picture, with the steps back. Nothing is drawn or sent here.
 */

/** @typedef {"defect" | "harmless" | "unsure"} Label */
/** @typedef {[number, number][]} Ring */
/** @typedef {{x: number, y: number, width: number, height: number}} Box */
/** @typedef {{number: number, box: Box, area: number, score: number, outline: Ring[][]}} Region */
/** @typedef {{label: Label, regions: {number: number, label: Label}[], missed: {rings: Ring[]}[]}} Review */
/**
 * @typedef {object} Picture A kept picture; see the API at /docs.
 * @property {string} id
 * @property {string} etag
 * @property {string} name
 * @property {{width: number, height: number}} image
 * @property {{name: string, version: number}} model
 * @property {number} score
 * @property {number} threshold
 * @property {string} label
 * @property {string} kept
 * @property {Region[]} regions
 * @property {number} region_count
 * @property {Review & {reviewer: string, time: string}} [review]
 */
/**
 * @typedef {object} State
 * @property {Map<number, Label>} labels of the regions that were judged
 * @property {Ring[][]} missed the rings of each area that was drawn
 * @property {Label | null} whole what the person said about the whole picture
 */

/** @type {Label[]} the order in which clicks on a region go through the labels */
export const LABELS = ["defect", "harmless", "unsure"];

export class Judgement {
  /** @type {State} */
  #state;
  /** @type {State[]} */
  #before = [];

  /** @param {Picture} picture */
  constructor(picture) {
    this.picture = picture;
    this.#state = stateOf(picture);
  }

  get missed() {
    return this.#state.missed;
  }

  get canUndo() {
    return this.#before.length > 0;
  }

  /** @param {number} number of a region */
  labelOf(number) {
    return this.#state.labels.get(number) ?? null;
  }

  /** What the whole picture is; null: nothing was said. */
  get label() {
    return labelOf(this.#state, this.picture.regions.length);
  }

  /** What the server is told; null: nothing was said.
   * @returns {Review | null} */
  get review() {
    const label = this.label;
    if (!label) return null;
    const regions = [...this.#state.labels].sort(([one], [other]) => one - other);
    return {
      label,
      regions: regions.map(([number, each]) => ({ number, label: each })),
      missed: this.missed.map((rings) => ({ rings })),
    };
  }

  /** The first region that was not judged, from `start` on and then from the beginning; -1: all were.
   * @param {number} start */
  nextOpen(start) {
    const { regions } = this.picture;
    const order = [...regions.slice(start), ...regions.slice(0, start)];
    return order.find(({ number }) => !this.#state.labels.has(number))?.number ?? -1;
  }

  /**
   * @param {number} number of a region
   * @param {Label} label
   */
  judge(number, label) {
    const labels = new Map(this.#state.labels).set(number, label);
    this.#change({ ...this.#state, labels, whole: null });
  }

  /** Gives a region the next label: what a click does.
   * @param {number} number */
  cycle(number) {
    const label = this.labelOf(number);
    this.judge(number, label ? LABELS[(LABELS.indexOf(label) + 1) % LABELS.length] : LABELS[0]);
  }

  /** Says something about the whole picture and all of its regions. Only a defect keeps what was drawn.
   * @param {Label} label */
  judgeAll(label) {
    const labels = new Map(this.picture.regions.map(({ number }) => [number, label]));
    this.#change({ labels, missed: label === "defect" ? this.missed : [], whole: label });
  }

  /** @param {Ring[][]} areas of defects that the model did not find */
  draw(areas) {
    if (areas.length) this.#change({ ...this.#state, missed: [...this.missed, ...areas], whole: null });
  }

  /** Goes one step back. */
  undo() {
    this.#state = this.#before.pop() ?? this.#state;
  }

  /** Takes over what the server has, which somebody else said.
   * @param {Picture} picture */
  replace(picture) {
    this.picture = picture;
    [this.#state, this.#before] = [stateOf(picture), []];
  }

  /** @param {State} next */
  #change(next) {
    this.#before.push(this.#state);
    this.#state = next;
  }
}

/** @param {Picture} picture @returns {State} */
function stateOf({ review, regions }) {
  const labels = new Map((review?.regions ?? []).map(({ number, label }) => [number, label]));
  const missed = (review?.missed ?? []).map(({ rings }) => rings);
  /** @type {State} */
  const state = { labels, missed, whole: null };
  if (review && labelOf(state, regions.length) !== review.label) state.whole = review.label;
  return state;
}

/**
 * @param {State} state
 * @param {number} count of the picture's regions
 * @returns {Label | null}
 */
function labelOf({ labels, missed, whole }, count) {
  const said = [...labels.values()];
  if (missed.length || said.includes("defect")) return "defect";
  if (whole || !said.length) return whole;
  return said.length === count && said.every((label) => label === "harmless") ? "harmless" : "unsure";
}
