/**
 * Keeps the results of this tab in the browser's database, so that they survive a reload. They end with the tab: those
 * of other visits are removed after a day.
 */

import { Picture } from "./picture.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("../server/prediction.js").Prediction} Prediction */
/** @typedef {import("../server/prediction.js").Criteria} Criteria */
/**
 * @typedef {object} Kept
 * @property {string} key `{visit}/{number}`
 * @property {Blob} file
 * @property {string} name
 * @property {Prediction} prediction
 * @property {Prediction | null} before
 * @property {number} seconds
 */

const [NAME, PICTURES, CRITERIA, VISIT] = ["tessera", "pictures", "criteria", "tessera-visit"];
/** Larger results are not kept, in bytes of file and maps: browsers hold them in memory while they write them. */
const MOST_BYTES = 96 * 2 ** 20;
const DAY_MS = 24 * 60 * 60 * 1000;
const AFTER_MS = 300;

/** Dispatches `change` when another number of results is not kept. */
export class Keeping extends EventTarget {
  /** Why results do not survive a reload; empty while they do. */
  message = "";
  /** @type {IDBDatabase | null} */
  #database = null;
  /** @type {Set<Picture>} whose criteria are to be written */
  #changed = new Set();
  #number = 0;
  /** @type {WeakMap<Picture, number>} in the order in which pictures were chosen; results come in another one */
  #numbers = new WeakMap();
  #timer = 0;
  /** Begins with its time, in milliseconds. */
  #visit = "";

  /**
   * Restores the results of this tab, and keeps those to come.
   * @param {Session} session
   */
  start(session) {
    const isReady = this.#restore(session);
    session.addEventListener("change", async (event) => {
      const picture = /** @type {CustomEvent<Picture>} */ (event).detail;
      if (!(await isReady)) return;
      this.#follow(picture, session.pictures.includes(picture)).catch((error) => this.#fail(error));
    });
    addEventListener("pagehide", () => this.#writeCriteria());
  }

  /**
   * Opens the database, and restores the results of this tab.
   * @param {Session} session
   * @returns {Promise<boolean>} whether results can be kept
   */
  async #restore(session) {
    try {
      this.#visit = sessionStorage.getItem(VISIT) ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;
      sessionStorage.setItem(VISIT, this.#visit);
      this.#database = await opened();
      await this.#forgetOthers();
      session.restore(await this.#restored());
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  /**
   * @param {Picture} picture
   * @param {boolean} isThere
   */
  async #follow(picture, isThere) {
    if (!this.#numbers.has(picture)) this.#numbers.set(picture, ++this.#number);
    if (!isThere || picture.state !== "done" || !picture.prediction) {
      if (picture.kept && (!isThere || picture.state !== "done")) await this.#remove(picture);
      return;
    }
    if (!picture.kept) await this.#add(picture, picture.prediction);
    this.#changed.add(picture);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#writeCriteria(), AFTER_MS);
  }

  /**
   * @param {Picture} picture
   * @param {Prediction} prediction
   */
  async #add(picture, prediction) {
    const { file, name, before, seconds } = picture;
    const bytes = file.size + prediction.map.size + (before?.map.size ?? 0);
    if (bytes > MOST_BYTES) {
      this.#tell(`Results of more than ${MOST_BYTES / 2 ** 20} MiB do not survive a reload: ${name}.`);
      return;
    }
    const key = (picture.kept = `${this.#visit}/${String(this.#numbers.get(picture)).padStart(8, "0")}`);
    try {
      await this.#write(PICTURES, (store) => store.put({ key, file, name, prediction, before, seconds }));
    } catch (error) {
      picture.kept = null;
      throw error;
    }
  }

  /** @param {Picture} picture */
  async #remove(picture) {
    const key = /** @type {string} */ (picture.kept);
    picture.kept = null;
    this.#changed.delete(picture);
    await this.#write(PICTURES, (store) => store.delete(key));
    await this.#write(CRITERIA, (store) => store.delete(key));
  }

  #writeCriteria() {
    const changed = [...this.#changed].filter(({ kept }) => kept);
    this.#changed.clear();
    if (!changed.length) return;
    this.#write(CRITERIA, (store) => {
      for (const { kept, criteria } of changed) store.put({ ...criteria }, /** @type {string} */ (kept));
    }).catch((error) => this.#fail(error));
  }

  /** @returns {Promise<Picture[]>} */
  async #restored() {
    const range = IDBKeyRange.bound(`${this.#visit}/`, `${this.#visit}/~`);
    /** @type {Kept[]} */
    const kept = await this.#read(PICTURES, (store) => store.getAll(range));
    const pictures = [];
    for (const { key, file, name, prediction, before, seconds } of kept) {
      /** @type {Criteria | undefined} */
      const criteria = await this.#read(CRITERIA, (store) => store.get(key));
      const choice = { name: prediction.model, version: prediction.version };
      const picture = new Picture(file, name, choice, criteria ?? { threshold: 0.5, minArea: 1 });
      pictures.push(Object.assign(picture, { state: "done", prediction, before, seconds, kept: key }));
      this.#number = Number(key.split("/")[1]);
      this.#numbers.set(pictures[pictures.length - 1], this.#number);
    }
    return pictures;
  }

  /** Removes what other visits left a day ago or earlier. The keys begin with the time of the visit. */
  async #forgetOthers() {
    for (const name of [PICTURES, CRITERIA]) {
      await this.#write(name, (store) => store.delete(IDBKeyRange.upperBound(String(Date.now() - DAY_MS))));
    }
  }

  /**
   * @template Read
   * @param {string} name of the store
   * @param {(store: IDBObjectStore) => IDBRequest<Read>} ask
   * @returns {Promise<Read>}
   */
  #read(name, ask) {
    return answer(ask(this.#store(name, "readonly")));
  }

  /**
   * Resolves when the change is in the database.
   * @param {string} name of the store
   * @param {(store: IDBObjectStore) => void} change
   * @returns {Promise<void>}
   */
  #write(name, change) {
    const store = this.#store(name, "readwrite");
    change(store);
    return new Promise((resolve, reject) => {
      store.transaction.oncomplete = () => resolve();
      store.transaction.onabort = () => reject(store.transaction.error);
    });
  }

  /**
   * @param {string} name
   * @param {IDBTransactionMode} mode
   */
  #store(name, mode) {
    if (!this.#database) throw new Error("the browser's database is closed");
    return this.#database.transaction(name, mode).objectStore(name);
  }

  /** @param {unknown} error */
  #fail(error) {
    this.#tell(`Results do not survive a reload: ${error instanceof Error ? error.message : String(error)}`);
  }

  /** @param {string} message */
  #tell(message) {
    this.message = message;
    this.dispatchEvent(new Event("change"));
  }
}

/** @returns {Promise<IDBDatabase>} */
function opened() {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(PICTURES, { keyPath: "key" });
    request.result.createObjectStore(CRITERIA);
  };
  return answer(request);
}

/**
 * @template Read
 * @param {IDBRequest<Read>} request
 * @returns {Promise<Read>}
 */
function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
