/**
 * Starts the page: creates its parts and connects their events.
 */

import { byId } from "./element.js";
import { counted } from "./format.js";
import { Inspector } from "./inspector.js";
import { showBatch } from "./panels/batch.js";
import { showCamera } from "./panels/camera.js";
import { showCover } from "./panels/cover.js";
import { showDetails } from "./panels/details.js";
import { EvidencePanel } from "./panels/evidence.js";
import { showFiles } from "./panels/files.js";
import { showJobs } from "./panels/jobs.js";
import { showKey } from "./panels/key.js";
import { showConnection, showPicker } from "./panels/picker.js";
import { RegionList } from "./panels/regions.js";
import { showStatus } from "./panels/status.js";
import { showStrip } from "./panels/strip.js";
import { showToolbar } from "./panels/toolbar.js";
import { Verdict } from "./panels/verdict.js";
import { showReview } from "./review/review.js";
import { Connection } from "./server/connection.js";
import { Models } from "./server/models.js";
import { get } from "./server/send.js";
import { Arrangement } from "./session/arrangement.js";
import { inbox } from "./session/inbox.js";
import { Keeping } from "./session/keeping.js";
import { Session } from "./session/session.js";
import { showTeaching } from "./teach/teach.js";
import { Viewer } from "./viewer/viewer.js";
import { showZones } from "./zones/zones.js";

function start() {
  const [connection, models] = [new Connection(), new Models()];
  const session = new Session(models, connection);
  const canvas = byId("canvas", HTMLCanvasElement);
  const inspector = new Inspector(new Viewer(canvas));
  showKey();
  showConnection(connection);
  showPicker(models);
  showDetails(models);
  showStatus(models);
  showJobs(connection);
  showReview(connection);
  showCamera(models);
  showTeaching(models, connection);
  showToolbar(inspector, models);
  new Verdict(inspector, session);
  new RegionList(inspector);
  new EvidencePanel(inspector);
  showZones(inspector, models, session);
  showFiles(inspector, session);
  const [arrangement, keeping] = [new Arrangement(), new Keeping()];
  showStrip(session, arrangement);
  showBatch(session, arrangement, keeping, inspector);
  showCover(session);
  follow(session, inspector, canvas);
  keeping.start(session);
  inbox.open((pictures) => session.add(pictures));
  connection.addEventListener("change", () => {
    if (connection.state === "ready") refresh(models, inspector).catch(() => connection.lost());
  });
  connection.watch();
}

/**
 * Requests what the page needs to know of the server; rejects as `get` does.
 * @param {Models} models
 * @param {Inspector} inspector
 */
async function refresh(models, inspector) {
  const colours = inspector.hasColours ? null : get("page/colours").then((answer) => answer.json());
  const [tables] = await Promise.all([colours, models.refresh()]);
  if (tables) inspector.useColours(tables);
}

/**
 * Shows the selected picture once it has a result, and announces results to screen readers.
 * @param {Session} session
 * @param {Inspector} inspector
 * @param {HTMLCanvasElement} canvas
 */
function follow(session, inspector, canvas) {
  const announcements = byId("announcements", HTMLElement);
  const show = () => {
    const picture = session.selected;
    document.body.classList.toggle("empty", !picture);
    canvas.setAttribute("aria-label", picture ? `${picture.name}, ${picture.label || picture.state}` : "No picture");
    inspector.show(picture?.state === "done" ? picture : null);
  };
  session.addEventListener("select", show);
  show();
  session.addEventListener("change", (event) => {
    const picture = /** @type {CustomEvent<import("./session/picture.js").Picture>} */ (event).detail;
    if (picture === session.selected) show();
    if (picture.state === "failed") announcements.textContent = `${picture.name} was not answered: ${picture.message}`;
  });
  inspector.addEventListener("found", () => {
    const { picture, found } = inspector;
    if (picture && found) announcements.textContent = `${picture.name}: ${picture.label}, ${counted(found.count, "region")}`;
  });
  inspector.addEventListener("trouble", (event) => {
    announcements.textContent = byId("facts", HTMLElement).textContent = /** @type {CustomEvent<string>} */ (event).detail;
  });
}

try {
  start();
} catch (error) {
  const reason = error instanceof Error ? error.message : String(error);
  byId("cover", HTMLElement).textContent = `The page could not be started: ${reason} Load it anew.`;
}
