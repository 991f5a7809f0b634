/**
 * The models of the server, and the version that the next pictures are sent to.
 */

import { get } from "./send.js";

/**
 * @typedef {object} Details The description of a version; see the API at /docs.
 * @property {string} digest
 * @property {{name: string, parameters: Record<string, unknown>}} detector
 * @property {{width: number, height: number} | null} image_size
 * @property {{enable: boolean, tile_size: {width: number, height: number}, stride: {width: number, height: number},
 *   remove_border_count: number, mode: string, blend: string, halo: number, grid: number, thumbnail: boolean}} tiling
 * @property {{protocol: string, pictures: number, anomalous_pictures: number, false_positive_rate: number | null,
 *   image_threshold: number, pixel_threshold: number, pixel_min: number, pixel_max: number,
 *   thresholds: {image_limits: {low: number, high: number}, image_margin: number} | null,
 *   calibrated_from: number | null}} calibration
 * @property {Record<string, number>} metrics
 * @property {{false_alarms: {pictures: number, exceeded: number, low: number, high: number} | null,
 *   smallest_defect: number | null} | null} quality
 * @property {{headlines: string[]} | null} [certificate]
 * @property {{name: string, threshold: number | null}[]} zones
 * @property {{created_at: string, tessera_version: string, dataset: string, pictures: number,
 *   backbone_weights: string}} provenance
 * @property {{devices: string[], runtime: string, precision: string, batch_tiles: number,
 *   trials: {tiles_per_s: number}[]}} execution
 */
/**
 * @typedef {object} Version
 * @property {number} version
 * @property {"loading" | "ready" | "failed"} state
 * @property {"live" | "candidate" | "earlier"} stage
 * @property {Details | null} details
 * @property {{code: string, message: string} | null} error
 */
/** @typedef {{name: string, default: boolean, live: number | null, pinned: number | null, versions: Version[]}} Model */
/** @typedef {{name: string, version: number | null}} Choice `version` is null for the live one. */

export class Models extends EventTarget {
  /** @type {Model[]} */
  list = [];
  /** Null until the models are known, and while there is none.
   * @type {Choice | null} */
  choice = null;
  /** Whether the server has listed its models. */
  areKnown = false;

  /** Requests the models again; rejects as `get` does. */
  async refresh() {
    const { models } = await (await get("v1/models")).json();
    [this.list, this.areKnown] = [models, true];
    if (!this.#exists(this.choice)) {
      const first = this.list.find((model) => model.default) ?? this.list[0];
      this.choice = first ? { name: first.name, version: null } : null;
    }
    this.dispatchEvent(new Event("change"));
  }

  /**
   * @param {string} name
   * @param {number | null} version
   */
  choose(name, version) {
    this.choice = { name, version };
    this.dispatchEvent(new Event("change"));
  }

  /** The version that the next picture is sent to. */
  get chosen() {
    return this.choice && this.#versionOf(this.choice);
  }

  /**
   * The description of a chosen version; null if it is not loaded.
   * @param {Choice} choice
   */
  detailsOf(choice) {
    return this.#versionOf(choice)?.details ?? null;
  }

  /** @param {Choice} choice */
  #versionOf(choice) {
    const model = this.list.find(({ name }) => name === choice.name);
    const number = choice.version ?? model?.live;
    return model?.versions.find(({ version }) => version === number) ?? null;
  }

  /**
   * The description of the version that answered. Requests the models again if it is new. Null if it is gone.
   * @param {string} name
   * @param {string} digest
   * @returns {Promise<Details | null>}
   */
  async details(name, digest) {
    const known = this.#known(name, digest);
    if (known) return known;
    await this.refresh();
    return this.#known(name, digest);
  }

  /**
   * @param {string} name
   * @param {string} digest
   */
  #known(name, digest) {
    const versions = this.list.find((model) => model.name === name)?.versions ?? [];
    return versions.find(({ details }) => details?.digest === digest)?.details ?? null;
  }

  /** @param {Choice | null} choice */
  #exists(choice) {
    const model = this.list.find(({ name }) => name === choice?.name);
    return Boolean(model && (!choice?.version || model.versions.some(({ version }) => version === choice.version)));
  }
}
