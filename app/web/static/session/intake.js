/**
 * How pictures get into the page: dropped, pasted, chosen, or taken with a camera.
 */

/** @typedef {{file: Blob, name: string}} Incoming */

/**
 * @param {HTMLElement} area the element that is marked while files are dragged
 * @param {HTMLInputElement[]} inputs for files and for the camera
 * @param {(pictures: Incoming[]) => void} take
 */
export function listenForPictures(area, inputs, take) {
  for (const input of inputs) {
    const read = () => {
      take(named(input.files ?? []));
      input.value = ""; // the same file may be chosen again
    };
    input.addEventListener("change", read);
    if (input.files?.length) read(); // chosen before this program ran
  }
  document.addEventListener("paste", (event) => take(named(event.clipboardData?.files ?? [])));
  let inside = 0;
  /** @param {number} change */
  const count = (change) => {
    inside = Math.max(0, inside + change);
    area.classList.toggle("dropping", inside > 0);
  };
  document.addEventListener("dragenter", (event) => {
    if (carriesFiles(event)) count(1);
  });
  document.addEventListener("dragleave", (event) => {
    if (carriesFiles(event)) count(-1);
  });
  document.addEventListener("dragover", (event) => {
    if (carriesFiles(event)) event.preventDefault(); // otherwise the browser leaves the page to show the file
  });
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    count(-inside);
    take(named(event.dataTransfer?.files ?? []));
  });
}

/** @param {DragEvent} event */
function carriesFiles(event) {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

/**
 * @param {Iterable<File>} files
 * @returns {Incoming[]}
 */
function named(files) {
  return [...files].map((file) => ({ file, name: file.name || "pasted picture" }));
}
