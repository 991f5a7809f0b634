/**
 * Prometheus' text format, as far as the server writes it.
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
 * What a share of the observations between two looks at a histogram did not exceed, within its buckets as if they were
 * spread evenly; null without any. Of the last bucket, which has no end, its beginning.
 * @param {Sample[]} earlier
 * @param {Sample[]} later
 * @param {string} name
 * @param {Record<string, string>} labels
 * @param {number} share
 */
export function quantile(earlier, later, name, labels, share) {
  const buckets = later
    .filter((each) => each.name === `${name}_bucket` && Object.keys(labels).every((key) => each.labels[key] === labels[key]))
    .map(({ labels: { le }, value }) => ({
      end: le === "+Inf" ? Infinity : Number(le),
      count: value - total(earlier, `${name}_bucket`, { ...labels, le }),
    }))
    .sort((one, other) => one.end - other.end);
  const wanted = share * (buckets[buckets.length - 1]?.count ?? 0);
  if (!wanted) return null;
  let [begin, before] = [0, 0];
  for (const { end, count } of buckets) {
    if (count >= wanted) return end === Infinity ? begin : begin + ((end - begin) * (wanted - before)) / (count - before);
    [begin, before] = [end, count];
  }
  return null;
}
