/**
 * The pictures to review, in order. The next ones are loaded ahead.
 */

import { get } from "../server/send.js";
import { Judgement } from "./judgement.js";

/** @typedef {import("./judgement.js").Picture} Picture */
/** @typedef {{model: string, reviewed: string, order: string}} Wish which pictures; empty: all of them */

const PAGE = 50;
/** The next page is requested when so few pictures are left. */
const FEW = 10;
/** So many pictures are loaded ahead, and so many are kept behind. */
const AHEAD = 3;
const BEHIND = 2;

export class Item {
  /** @type {Map<string, Promise<ImageBitmap>>} by the last part of their addresses */
  #loaded = new Map();

  /** @param {Picture} picture */
  constructor(picture) {
    this.judgement = new Judgement(picture);
    this.url = `v1/pictures/${picture.id}`;
  }

  get picture() {
    return this.judgement.picture;
  }

  /** The picture; loaded once. Rejects as `get` does. */
  image() {
    return this.#load("shown");
  }

  /** The heatmap; loaded once. Rejects as `get` does. */
  heat() {
    return this.#load("heatmap");
  }

  /** Frees the pictures; they are loaded again when they are needed. */
  release() {
    for (const each of this.#loaded.values()) each.then((image) => image.close()).catch(() => {});
    this.#loaded.clear();
  }

  /** One that could not be loaded is requested again next time.
   * @param {string} part */
  #load(part) {
    const known = this.#loaded.get(part);
    if (known) return known;
    const made = bitmap(`${this.url}/${part}`);
    this.#loaded.set(part, made);
    made.catch(() => this.#loaded.get(part) === made && this.#loaded.delete(part));
    return made;
  }
}

export class Queue {
  /** @type {Item[]} */
  items = [];
  place = 0;
  /** The pictures of all pages when the first page was requested. */
  total = 0;
  /** @type {string | undefined} */
  #next = undefined;
  /** @type {Promise<void> | null} */
  #loading = null;
  #filter = "";

  /** @returns {Item | null} */
  get current() {
    return this.items[this.place] ?? null;
  }

  /** Begins anew; rejects as `get` does.
   * @param {Wish} wish */
  async begin(wish) {
    this.#filter = new URLSearchParams(Object.entries(wish).filter(([, value]) => value)).toString();
    for (const item of this.items) item.release();
    [this.items, this.place, this.#next, this.#loading] = [[], 0, undefined, null];
    await this.#load();
    this.#ahead();
  }

  /** Goes to another picture; returns whether there is one. Rejects as `get` does.
   * @param {number} step */
  async go(step) {
    const wanted = this.place + step;
    if (wanted >= this.items.length && this.#next) await this.#load();
    if (wanted < 0 || wanted >= this.items.length) return false;
    this.place = wanted;
    this.#ahead();
    return true;
  }

  /** Loads the next page, once at a time. */
  #load() {
    this.#loading ??= this.#page().finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  async #page() {
    const filter = this.#filter;
    const place = this.#next ? `&cursor=${encodeURIComponent(this.#next)}` : "";
    const answer = await (await get(`v1/pictures?limit=${PAGE}&${filter}${place}`)).json();
    if (filter !== this.#filter) return; // another list was begun meanwhile
    const known = new Set(this.items.map(({ picture }) => picture.id));
    if (!place) this.total = answer.total;
    this.#next = answer.next;
    for (const picture of answer.pictures) if (!known.has(picture.id)) this.items.push(new Item(picture));
  }

  #ahead() {
    this.items.forEach((item, place) => {
      if (place < this.place - BEHIND || place > this.place + AHEAD) item.release();
      else if (place > this.place) item.image().catch(() => {}); // shown when it is the current one
    });
    if (this.#next && this.items.length - this.place <= FEW) this.#load().catch(() => {}); // tried again at the end
  }
}

/** @param {string} url */
async function bitmap(url) {
  return createImageBitmap(await (await get(url)).blob());
}
