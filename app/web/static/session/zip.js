/**
 * ZIP archives without compression: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT. PNG files are
 * compressed already.
 */

/** @typedef {{name: string, content: Blob}} Entry */

const [LOCAL, CENTRAL, END] = [0x04034b50, 0x02014b50, 0x06054b50];
const VERSION = 20; // of the format, 2.0
const UTF8 = 0x0800; // names are UTF-8
const JANUARY_1980 = 0x21; // the earliest date of the format: files have no other one
const MOST_BYTES = 2 ** 32 - 1;
const MOST_ENTRIES = 2 ** 16 - 1;

/**
 * Throws an Error if the archive would exceed 4 GiB or 65,535 files, which the format without its extension cannot hold.
 * @param {Entry[]} entries with different names
 * @returns {Promise<Blob>}
 */
export async function zipOf(entries) {
  /** @type {(Blob | Uint8Array<ArrayBuffer>)[]} */
  const parts = [];
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const directory = [];
  let offset = 0;
  for (const { name, content } of entries) {
    const encoded = new TextEncoder().encode(name);
    const sum = await crc32(content);
    /** @type {[number, number][]} */
    const shared = [[VERSION, 2], [UTF8, 2], [0, 2], [0, 2], [JANUARY_1980, 2], [sum, 4], [content.size, 4], [content.size, 4], [encoded.length, 2], [0, 2]];
    const local = bytes([[LOCAL, 4], ...shared]);
    parts.push(local, encoded, content);
    directory.push(bytes([[CENTRAL, 4], [VERSION, 2], ...shared, [0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]]), encoded);
    offset += local.length + encoded.length + content.size;
    if (offset > MOST_BYTES) throw new Error("The files exceed the 4 GiB of an archive. Remove or filter some pictures.");
  }
  if (entries.length > MOST_ENTRIES) throw new Error("An archive holds at most 65,535 files. Filter the pictures.");
  const size = directory.reduce((sum, each) => sum + each.length, 0);
  const count = entries.length;
  const end = bytes([[END, 4], [0, 2], [0, 2], [count, 2], [count, 2], [size, 4], [offset, 4], [0, 2]]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

/**
 * Little-endian numbers with their lengths in bytes.
 * @param {[number, number][]} numbers
 */
function bytes(numbers) {
  const made = new Uint8Array(numbers.reduce((sum, [, length]) => sum + length, 0));
  let at = 0;
  for (const [value, length] of numbers) {
    for (let byte = 0; byte < length; byte++) made[at++] = (value >>> (8 * byte)) & 255;
  }
  return made;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** @param {Blob} content */
async function crc32(content) {
  let sum = 0xffffffff;
  const reader = content.stream().getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return (sum ^ 0xffffffff) >>> 0;
    for (const byte of value) sum = TABLE[(sum ^ byte) & 255] ^ (sum >>> 8);
  }
}
