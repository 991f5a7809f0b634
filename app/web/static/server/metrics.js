/**
 * Parses the part of Prometheus' text format that the server writes.
 */

/** @typedef {{name: string, labels: Record<string, string>, value: number}} Sample */

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/**
 * @param {string} text
 * @returns {Sample[]}
 */
export function parseMetrics(text) {
  return text.split("\n").flatMap((line) => {
    const found = LINE.exec(line);
    if (!found) return [];
    const labels = Object.fromEntries([...(found[2] ?? "").matchAll(LABEL)].map(([, key, value]) => [key, value]));
    return [{ name: found[1], labels, value: found[3] === "+Inf" ? Infinity : Number(found[3]) }];
  });
}

/**
 * The sum of the samples of a name whose labels match.
 * @param {Sample[]} samples
 * @param {string} name
 * @param {Record<string, string>} [labels]
 */
export function total(samples, name, labels = {}) {
  return samples
    .filter((each) => each.name === name && Object.entries(labels).every(([key, value]) => each.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0);
}

/**
 * The quantile `share` of the observations between two readings of a histogram, interpolated linearly in its bucket. In
 * the last bucket, which has no upper end, its lower end. Null without observations.
 * @param {Sample[]} earlier
 * @param {Sample[]} later
 * @param {string} name
 * @param {(labels: Record<string, string>) => boolean} counts whether a sample with these labels counts
 * @param {number} share
 */
export function quantile(earlier, later, name, counts, share) {
  const [before, after] = [earlier, later].map((samples) => bucketsOf(samples, `${name}_bucket`, counts));
  const buckets = [...after].map(([end, count]) => ({ end, count: count - (before.get(end) ?? 0) }));
  buckets.sort((one, other) => one.end - other.end);
  const wanted = share * (buckets[buckets.length - 1]?.count ?? 0);
  if (!wanted) return null;
  let [begin, below] = [0, 0];
  for (const { end, count } of buckets) {
    if (count >= wanted) return end === Infinity ? begin : begin + ((end - begin) * (wanted - below)) / (count - below);
    [begin, below] = [end, count];
  }
  return null;
}

/**
 * The number of observations up to the upper end of each bucket.
 * @param {Sample[]} samples
 * @param {string} name
 * @param {(labels: Record<string, string>) => boolean} counts
 */
function bucketsOf(samples, name, counts) {
  /** @type {Map<number, number>} */
  const found = new Map();
  for (const { name: other, labels, value } of samples) {
    if (other !== name || !counts(labels)) continue;
    const end = labels.le === "+Inf" ? Infinity : Number(labels.le);
    found.set(end, (found.get(end) ?? 0) + value);
  }
  return found;
}
