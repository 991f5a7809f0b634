/* The list of pictures: sorting, filtering, and enlarging a picture. */

const list = /** @type {HTMLTableElement} */ (document.querySelector("table.list"));
const rows = [...list.tBodies[0].rows];
const filters = /** @type {HTMLElement} */ (document.querySelector(".filters"));
const state = /** @type {HTMLSelectElement} */ (filters.querySelector(".state"));
const kind = /** @type {HTMLSelectElement} */ (filters.querySelector(".kind"));
const name = /** @type {HTMLInputElement} */ (filters.querySelector(".name"));
const count = /** @type {HTMLOutputElement} */ (filters.querySelector("output"));

/**
 * The value by which a cell is sorted: a number or text; null where a picture has none.
 * @param {HTMLTableRowElement} row
 * @param {number} column
 */
function valueOf(row, column) {
  const value = row.cells[column]?.dataset.value;
  if (value === undefined || value === "") return null;
  return Number.isNaN(Number(value)) ? value : Number(value);
}

/**
 * Sorts the rows. Rows without a value stay at the end.
 * @param {number} column
 * @param {boolean} ascending
 */
function sort(column, ascending) {
  const keyed = rows.map((row) => ({ row, value: valueOf(row, column) }));
  keyed.sort((one, other) => {
    if (one.value === null || other.value === null) return Number(one.value === null) - Number(other.value === null);
    const order =
      typeof one.value === "number" && typeof other.value === "number"
        ? one.value - other.value
        : String(one.value).localeCompare(String(other.value), undefined, { numeric: true });
    return ascending ? order : -order;
  });
  list.tBodies[0].append(...keyed.map(({ row }) => row));
}

function filter() {
  const words = name.value.trim().toLowerCase();
  let shown = 0;
  for (const row of rows) {
    const found = row.dataset.state ?? "";
    const wanted = state.value === "wrong" ? found === "missed" || found === "false alarm" : found === state.value;
    row.hidden = !(
      (!state.value || wanted) &&
      (!kind.value || row.dataset.kind === kind.value) &&
      (row.cells[1].dataset.value ?? "").toLowerCase().includes(words)
    );
    shown += Number(!row.hidden);
  }
  count.textContent = `${shown} of ${rows.length} pictures`;
}

for (const header of list.tHead?.rows[0].cells ?? []) {
  header.querySelector("button")?.addEventListener("click", () => {
    const ascending = header.ariaSort ? header.ariaSort === "descending" : !header.matches(".number");
    for (const other of list.tHead?.rows[0].cells ?? []) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    sort(header.cellIndex, ascending);
  });
}

for (const input of [state, kind, name]) input.addEventListener("input", filter);
document.addEventListener("verdicts", filter);
filters.hidden = false;
filter();

const dialog = /** @type {HTMLDialogElement} */ (document.querySelector("#enlarged"));
list.addEventListener("click", (event) => {
  const button = /** @type {HTMLElement} */ (event.target).closest("button.thumbnail");
  const row = button?.closest("tr");
  if (!row) return;
  const pictures = [...row.querySelectorAll("img")].map((image) => image.cloneNode());
  dialog.querySelector(".large")?.replaceChildren(...pictures);
  const words = [...row.cells].map((cell) => cell.textContent?.trim()).filter(Boolean);
  const caption = dialog.querySelector("p");
  if (caption) caption.textContent = words.join(" · ");
  dialog.showModal();
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});
