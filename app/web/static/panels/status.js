/**
 * The state of the server, from its metrics. They are requested only while the panel is open.
 */

import { byId, element } from "../element.js";
import { counted, memory, seconds, whole } from "../format.js";
import { parseMetrics, quantile, total } from "../server/metrics.js";
import { get } from "../server/send.js";
import { drawer } from "./drawers.js";
import { Plot } from "./plot.js";

/** @typedef {import("../server/metrics.js").Sample} Sample */
/** @typedef {import("../server/models.js").Models} Models */

const EVERY_MS = 1000;
const POINTS = 120;
/** Rates and latencies are measured over the last this many intervals. */
const SPAN = 10;

/** @param {Models} models */
export function showStatus(models) {
  const panel = byId("status", HTMLElement);
  /** @param {string} title @param {(value: number) => string} format @param {string[]} names */
  const plot = (title, format, names) => new Plot(title, format, names, POINTS, EVERY_MS / 1000);
  const plots = {
    queue: plot("Queue", (value) => counted(Math.round(value), "tile"), ["waiting or running"]),
    pictures: plot("Throughput, pictures/s", (value) => value.toFixed(1), ["answered"]),
    verdicts: plot("Verdicts a minute", whole, ["all", "anomalous"]),
    latency: plot("Latency", seconds, ["median", "95th percentile"]),
    busy: plot("Device", (value) => `${Math.round(100 * value)}\u00a0%`, ["busy"]),
    memory: plot("Memory", memory, ["of the process"]),
  };
  const versions = element("div", { class: "versions" });
  const note = element("p", { class: "note", role: "status" });
  const figures = Object.values(plots).map(({ figure }) => figure);
  panel.append(element("div", { class: "plots" }, ...figures), versions, note);
  /** @type {{at: number, samples: Sample[]}[]} */
  const looks = [];
  let timer = 0;
  const look = async () => {
    clearTimeout(timer);
    if (panel.hidden) {
      looks.length = 0; // rates are not measured over the time until it is opened again
      return;
    }
    if (!document.hidden) {
      try {
        const samples = parseMetrics(await (await get("metrics")).text());
        looks.push({ at: performance.now() / 1000, samples });
        if (looks.length > SPAN + 1) looks.shift();
        add(plots, looks[0], looks[looks.length - 1]);
        versions.replaceChildren(...tableOf(samples));
        note.textContent = told(models, samples);
      } catch (error) {
        note.textContent = error instanceof Error ? error.message : String(error);
      }
    }
    timer = setTimeout(look, EVERY_MS);
  };
  drawer("status-toggle", "status", look);
}

/**
 * @param {Record<"queue" | "pictures" | "verdicts" | "latency" | "busy" | "memory", Plot>} plots
 * @param {{at: number, samples: Sample[]}} earlier
 * @param {{at: number, samples: Sample[]}} later
 */
function add(plots, earlier, later) {
  const span = later.at - earlier.at;
  /** @param {string} name @param {Record<string, string>} [labels] */
  const grown = (name, labels) => total(later.samples, name, labels) - total(earlier.samples, name, labels);
  /** @param {number} share */
  const latency = (share) => quantile(earlier.samples, later.samples, "tessera_request_seconds", isPrediction, share);
  const resident = total(later.samples, "process_resident_memory_bytes");
  plots.queue.add([total(later.samples, "tessera_queue_tiles")]);
  plots.pictures.add([span ? grown("tessera_device_pictures_total", { end: "done" }) / span : null]);
  const perMinute = span ? 60 / span : null;
  plots.verdicts.add([
    perMinute && grown("tessera_verdicts_total") * perMinute,
    perMinute && grown("tessera_verdicts_total", { label: "anomalous" }) * perMinute,
  ]);
  plots.latency.add([latency(0.5), latency(0.95)]);
  plots.busy.add([span ? grown("tessera_device_busy_seconds_total") / span : null]);
  plots.memory.add([resident || null]);
}

/** @param {Record<string, string>} labels */
function isPrediction({ route }) {
  return /\/(predict|predict-batch|heatmap|anomaly-map|infer)$/.test(route ?? "");
}

/**
 * The verdicts of each version since the server was started; nothing without verdicts.
 * @param {Sample[]} samples
 */
function tableOf(samples) {
  const verdicts = samples.filter(({ name }) => name === "tessera_verdicts_total");
  const versions = [...new Set(verdicts.map(({ labels }) => `${labels.model}\n${labels.version}`))].sort();
  if (!versions.length) return [];
  const rows = versions.map((each) => {
    const [model, version] = each.split("\n");
    const all = total(verdicts, "tessera_verdicts_total", { model, version });
    const anomalous = total(verdicts, "tessera_verdicts_total", { model, version, label: "anomalous" });
    const share = all ? `${((100 * anomalous) / all).toFixed(1)} %` : "–";
    return [model, version, whole(all), whole(anomalous), share];
  });
  const heads = ["Model", "Version", "Verdicts", "Anomalous", "Share"];
  return [
    element(
      "table",
      {},
      element("caption", {}, "Verdicts since the server was started"),
      element("thead", {}, element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)))),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((text) => element("td", {}, text))))),
    ),
  ];
}

/**
 * @param {Models} models
 * @param {Sample[]} samples
 */
function told(models, samples) {
  const device = models.chosen?.details?.execution.devices.join(", ") ?? "";
  const answered = total(samples, "tessera_device_pictures_total", { end: "done" });
  const missed = total(samples, "tessera_deadlines_missed_total");
  const parts = [device, `${whole(answered)} pictures since it was started`, missed ? `${whole(missed)} given up for time` : ""];
  return parts.filter(Boolean).join(", ");
}
