/**
 * The pixels of a map that exceed a threshold, as runs in rows. If few pixels do, runs take little memory.
 */

/** @typedef {import("./npy.js").Grid} Grid */

/**
 * @typedef {object} Runs Sorted by row, then by column; runs of a row neither overlap nor touch.
 * @property {number} width
 * @property {number} height
 * @property {Int32Array} first index of each row's first run; the last element is the number of runs: [height + 1]
 * @property {Int32Array} begin each run's first column
 * @property {Int32Array} end the column after each run's last column
 */

/** The length of the parts of a row whose largest values are stored, in pixels. */
const PART = 64;

/** A list of integers that grows. */
export class Integers {
  #values = new Int32Array(1024);
  length = 0;

  /** @param {number} value */
  push(value) {
    if (this.length === this.#values.length) {
      const larger = new Int32Array(2 * this.length);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.length++] = value;
  }

  /** A copy of the integers. */
  done() {
    return this.#values.slice(0, this.length);
  }
}

/**
 * The largest value in each part of each row. `findRuns` skips the parts that do not exceed the threshold.
 * @param {Grid} map
 * @returns {Float32Array}
 */
export function partMaxima({ width, height, values }) {
  const parts = Math.ceil(width / PART);
  const maxima = new Float32Array(height * parts);
  for (let row = 0, place = 0; row < height; row++) {
    const rowEnd = (row + 1) * width;
    for (let start = row * width; start < rowEnd; start += PART) {
      let largest = -Infinity;
      for (let at = start, end = Math.min(start + PART, rowEnd); at < end; at++) {
        if (values[at] > largest) largest = values[at];
      }
      maxima[place++] = largest;
    }
  }
  return maxima;
}

/**
 * @param {Grid} map
 * @param {Float32Array} maxima see `partMaxima`
 * @param {number} threshold
 * @returns {Runs}
 */
export function findRuns({ width, height, values }, maxima, threshold) {
  const parts = Math.ceil(width / PART);
  const [first, begin, end] = [new Int32Array(height + 1), new Integers(), new Integers()];
  for (let row = 0; row < height; row++) {
    first[row] = begin.length;
    let inside = false;
    for (let part = 0; part < parts; part++) {
      const left = part * PART;
      if (!(maxima[row * parts + part] > threshold)) {
        if (inside) end.push(left);
        inside = false;
        continue;
      }
      const right = Math.min(left + PART, width);
      for (let column = left, at = row * width + left; column < right; column++, at++) {
        if (values[at] > threshold !== inside) {
          (inside ? end : begin).push(column);
          inside = !inside;
        }
      }
    }
    if (inside) end.push(width);
  }
  first[height] = begin.length;
  return { width, height, first, begin: begin.done(), end: end.done() };
}

/**
 * The runs for which `keep` is true.
 * @param {Runs} runs
 * @param {(run: number) => boolean} keep
 * @returns {Runs}
 */
export function someRuns(runs, keep) {
  const [first, begin, end] = [new Int32Array(runs.height + 1), new Integers(), new Integers()];
  for (let row = 0; row < runs.height; row++) {
    first[row] = begin.length;
    for (let run = runs.first[row]; run < runs.first[row + 1]; run++) {
      if (!keep(run)) continue;
      begin.push(runs.begin[run]);
      end.push(runs.end[run]);
    }
  }
  first[runs.height] = begin.length;
  return { ...runs, first, begin: begin.done(), end: end.done() };
}

/**
 * The runs at half the size: a pixel is covered if any of its four pixels is.
 * @param {Runs} runs
 * @returns {Runs}
 */
export function halved(runs) {
  const [width, height] = [Math.ceil(runs.width / 2), Math.ceil(runs.height / 2)];
  const [first, begin, end] = [new Int32Array(height + 1), new Integers(), new Integers()];
  for (let row = 0; row < height; row++) {
    first[row] = begin.length;
    let upper = runs.first[2 * row];
    const upperEnd = runs.first[2 * row + 1];
    let lower = upperEnd;
    const lowerEnd = runs.first[Math.min(2 * row + 2, runs.height)];
    let [from, to] = [-1, -1];
    while (upper < upperEnd || lower < lowerEnd) {
      const next =
        lower >= lowerEnd || (upper < upperEnd && runs.begin[upper] <= runs.begin[lower]) ? upper++ : lower++;
      const [left, right] = [runs.begin[next] >> 1, (runs.end[next] + 1) >> 1];
      if (from >= 0 && left <= to) {
        to = Math.max(to, right);
        continue;
      }
      if (from >= 0) {
        begin.push(from);
        end.push(to);
      }
      [from, to] = [left, right];
    }
    if (from >= 0) {
      begin.push(from);
      end.push(to);
    }
  }
  first[height] = begin.length;
  return { width, height, first, begin: begin.done(), end: end.done() };
}
