/**
 * Listens for pictures. It runs before the rest of the page is loaded, so that no picture is lost.
 */

import { byId } from "./element.js";
import { inbox } from "./session/inbox.js";
import { listenForPictures } from "./session/intake.js";

const inputs = ["choose", "photograph"].map((id) => byId(id, HTMLInputElement));
listenForPictures(byId("window", HTMLElement), inputs, (pictures) => inbox.put(pictures));
