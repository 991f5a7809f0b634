/**
 * NumPy's file format, version 1.0: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */

/**
 * @typedef {object} Grid
 * @property {number} width
 * @property {number} height
 * @property {Float32Array} values row by row; a view of the file's own bytes
 */

const MAGIC = "\x93NUMPY\x01\x00";
const HEAD = 10;

/**
 * Parses a file of two-dimensional little-endian float32; throws an Error for any other file.
 * @param {ArrayBuffer} file
 * @returns {Grid}
 */
export function parseNpy(file) {
  if (file.byteLength < HEAD || String.fromCharCode(...new Uint8Array(file, 0, 8)) !== MAGIC) {
    throw new Error("the server's map is not a NumPy file of version 1.0");
  }
  const length = new DataView(file).getUint16(8, true);
  const header = new TextDecoder("latin1").decode(new Uint8Array(file, HEAD, length));
  const shape = /'shape': \((\d+), (\d+)\)/.exec(header);
  if (!shape || !header.includes("'descr': '<f4'") || !header.includes("'fortran_order': False")) {
    throw new Error(`the server's map is not made of rows of float32: ${header.trim()}`);
  }
  const [height, width] = [Number(shape[1]), Number(shape[2])];
  return { width, height, values: new Float32Array(file, HEAD + length, width * height) };
}
