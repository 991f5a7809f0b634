/* The threshold that the reader chooses: its recall, its false alarms, and the verdicts in the list. */

/**
 * @typedef {object} Data
 * @property {number[]} scores normalised, of each picture
 * @property {boolean[]} anomalous the label of each picture
 * @property {[number, number]} raw the raw scores of the normalised scores 0 and 1
 * @property {[number, number][]} recall the interval of each number of defects found
 * @property {[number, number][]} false_alarms the interval of each number of false alarms
 */

/** @param {string} id */
const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @type {Data} */
const data = JSON.parse(part("data").textContent ?? "");
const slider = /** @type {HTMLInputElement} */ (part("slider"));
const exact = /** @type {HTMLInputElement} */ (part("exact"));
const reset = /** @type {HTMLButtonElement} */ (part("reset"));
const verdicts = new Map(
  [.../** @type {NodeListOf<HTMLTableRowElement>} */ (document.querySelectorAll("tr[data-number]"))].map((row) => [
    Number(row.dataset.number),
    { row, cell: /** @type {HTMLElement} */ (row.querySelector(".verdict")) },
  ]),
);

/**
 * The share in percent: whole numbers, or one decimal below 10 % and above 90 %.
 * @param {number} share
 */
function percent(share) {
  const text = (100 * share).toFixed(share >= 0.1 && share <= 0.9 ? 0 : 1);
  return text.endsWith(".0") ? text.slice(0, -2) : text;
}

/**
 * @param {number} part
 * @param {number} whole
 * @param {[number, number][]} intervals of each possible part
 */
function told(part, whole, intervals) {
  if (!whole) return "none";
  const [low, high] = intervals[part].map(percent);
  return `${part} of ${whole}: ${percent(part / whole)} %, 95 % interval ${low} to ${high} %`;
}

/** @param {number} threshold */
function show(threshold) {
  let [found, alarms, defects] = [0, 0, 0];
  data.scores.forEach((score, number) => {
    const anomalous = data.anomalous[number];
    const exceeds = score > threshold;
    defects += Number(anomalous);
    if (exceeds && anomalous) found += 1;
    if (exceeds && !anomalous) alarms += 1;
    const shown = verdicts.get(number);
    if (!shown) return;
    const state = anomalous ? (exceeds ? "found" : "missed") : exceeds ? "false alarm" : "normal";
    shown.row.dataset.state = state;
    shown.cell.dataset.value = String(anomalous ? threshold - score : score - threshold);
    const badge = shown.cell.firstElementChild;
    if (badge) {
      badge.textContent = state;
      badge.classList.toggle("wrong", exceeds !== anomalous);
    }
  });
  part("found").textContent = told(found, defects, data.recall);
  part("alarms").textContent = told(alarms, data.scores.length - defects, data.false_alarms);
  const precision = found + alarms ? `${percent(found / (found + alarms))} %` : "there is no alarm";
  part("precision").textContent = precision;
  const raw = data.raw[0] + threshold * (data.raw[1] - data.raw[0]);
  part("raw").textContent = String(Number(raw.toPrecision(4)));
  part("mark").setAttribute("transform", `translate(${480 * threshold} 0)`);
  slider.value = String(threshold);
  slider.setAttribute("aria-valuetext", `${threshold}: ${told(found, defects, data.recall)} of the defects`);
  if (exact !== document.activeElement) exact.value = String(threshold);
  reset.disabled = threshold === 0.5;
  document.dispatchEvent(new Event("verdicts"));
}

slider.addEventListener("input", () => show(Number(slider.value)));
exact.addEventListener("input", () => {
  if (exact.value !== "" && exact.validity.valid) show(Number(exact.value));
});
exact.addEventListener("change", () => {
  exact.value = exact.validity.valid && exact.value !== "" ? exact.value : slider.value;
});
reset.addEventListener("click", () => show(0.5));
for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("button.use"))) {
  button.disabled = false;
  button.addEventListener("click", () => show(Number(button.value)));
}
part("threshold").hidden = false;
show(0.5);
