// Trains and teaches a model by the client of @hey-api/openapi-ts: learn_with_openapi_ts.ts URL FOLDER
// FOLDER has normal-00.png to normal-11.png, of one size, and defect.png.
import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { openAsBlob } from "node:fs";
import { setTimeout } from "node:timers/promises";

import { client } from "./typescript/client.gen";
import {
  decideTeaching,
  deletePicture,
  deleteReview,
  deleteTeaching,
  deleteTraining,
  getModel,
  getModelShadow,
  getModelZones,
  getPicture,
  getPictureFile,
  getPictureHeatmap,
  getPictureShown,
  getTeaching,
  getTeachingEvents,
  getTraining,
  getTrainingEvents,
  listPictures,
  listTeachings,
  listTrainings,
  normalPicture,
  predict,
  putModelZones,
  putReview,
  startModelShadow,
  stopModelShadow,
  teachModel,
  trainFirstModel,
} from "./typescript/sdk.gen";
import type { KeptPictureBody, TeachingBody, TeachingDecision, TeachingState } from "./typescript/types.gen";

const NAME = "lid-ts";
const model = { path: { model: NAME }, throwOnError: true } as const;

async function bytes(blob: Blob): Promise<Buffer> {
  return Buffer.from(await blob.arrayBuffer());
}

function digest(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

/** The number of the events; returns when the work has ended. */
async function count(stream: AsyncIterable<unknown>): Promise<number> {
  let events = 0;
  for await (const _ of stream) events++;
  return events;
}

/** Returns the id of the training. */
async function train(normal: Blob[]): Promise<string> {
  const started = (await trainFirstModel({ body: { name: NAME, images: normal }, throwOnError: true })).data;
  assert.deepEqual([started.state, started.pictures], ["running", normal.length]);
  const one = { path: { training: started.id }, throwOnError: true } as const;
  assert.ok((await count((await getTrainingEvents(one)).stream)) > 0);
  const training = (await getTraining(one)).data;
  assert.deepEqual([training.state, training.version], ["done", 1], training.error?.message);
  const list = (await listTrainings({ query: { limit: 100 }, throwOnError: true })).data;
  assert.ok(list.trainings.some((each) => each.id === training.id));
  const copy = await normalPicture({ path: { model: NAME, number: 0 }, throwOnError: true });
  assert.equal((await bytes(copy.data)).readUInt16BE(0), 0xffd8);
  return training.id;
}

async function keptPictures(count: number): Promise<KeptPictureBody[]> {
  while (true) {
    const kept = (await listPictures({ query: { model: NAME, limit: 100 }, throwOnError: true })).data;
    if (kept.pictures.length === count) return kept.pictures;
    await setTimeout(50); // pictures are kept after their answers
  }
}

/** Returns one of the reviewed pictures. */
async function review(normal: Blob[], defect: Blob): Promise<KeptPictureBody> {
  for (const image of [...normal, defect]) await predict({ ...model, body: { image } });
  const defective = digest(await bytes(defect));
  const kept = await keptPictures(normal.length + 1);
  for (const { id, etag, sha256 } of kept) {
    const label = sha256 === defective ? "defect" : "harmless";
    const headers = { "If-Match": etag };
    const reviewed = await putReview({ path: { picture: id }, headers, body: { label }, throwOnError: true });
    assert.equal(reviewed.data.review?.label, label);
  }
  const old = kept[0];
  const one = { path: { picture: old.id }, throwOnError: true } as const;
  const picture = (await getPicture(one)).data;
  assert.ok(picture.etag !== old.etag && picture.review);
  const headers = { "If-Match": old.etag };
  const refused = await putReview({ path: one.path, headers, body: { label: "unsure" } });
  assert.equal(refused.response?.status, 412);
  assert.ok(refused.error && "code" in refused.error && refused.error.code === "review_conflict");

  assert.equal(digest(await bytes((await getPictureFile(one)).data)), picture.sha256);
  assert.equal((await bytes((await getPictureShown(one)).data)).toString("latin1", 1, 4), "PNG");
  assert.equal((await bytes((await getPictureHeatmap(one)).data)).toString("latin1", 1, 4), "PNG");
  return picture;
}

async function teach(): Promise<TeachingBody> {
  const started = (await teachModel({ ...model, body: { false_positive_rate: 0.2, second_stage: false } })).data;
  assert.deepEqual([started.state, started.proof], ["running", null]);
  const one = { path: { teaching: started.id }, throwOnError: true } as const;
  assert.ok((await count((await getTeachingEvents(one)).stream)) > 0);
  const teaching = (await getTeaching(one)).data;
  assert.deepEqual([teaching.state, teaching.proof?.reviewed], ["proposed", 3], teaching.error?.message);
  const list = (await listTeachings({ query: { model: NAME }, throwOnError: true })).data;
  assert.deepEqual(list.teachings.map((each) => each.id), [teaching.id]);
  return teaching;
}

async function shadow(version: number): Promise<void> {
  const started = (await startModelShadow({ ...model, body: { version, pictures: 100 } })).data.shadow;
  assert.deepEqual([started?.state, started?.served], ["running", 1]);
  assert.equal((await getModelShadow(model)).data.shadow?.version, version);
  assert.equal((await stopModelShadow(model)).data.shadow?.state, "stopped");
}

async function decide(teaching: string, decision: TeachingDecision, state: TeachingState, live: number): Promise<void> {
  const decided = await decideTeaching({ path: { teaching }, body: { decision }, throwOnError: true });
  assert.equal(decided.data.state, state);
  assert.equal((await getModel(model)).data.live, live);
}

async function drawZones(): Promise<void> {
  const zones = await getModelZones(model);
  assert.deepEqual(zones.data.features, []);
  const coordinates = [[[0, 0], [64, 0], [64, 64], [0, 64], [0, 0]]];
  const geometry = { type: "Polygon", coordinates };
  const clamp = { type: "Feature", geometry, properties: { name: "clamp", ignore: true } };
  const body = { type: "FeatureCollection", image: { width: 256, height: 256 }, features: [clamp] };
  const headers = { "If-Match": zones.response.headers.get("ETag") ?? "" };
  const written = (await putModelZones({ ...model, headers, body })).data;
  assert.ok(written.written);
  assert.equal(written.zones[0].name, "clamp");
  const read = (await getModelZones({ ...model, query: { version: written.version } })).data;
  assert.deepEqual([read.features[0].properties.name, read.features[0].geometry.coordinates], ["clamp", coordinates]);
}

async function remove(training: string, teaching: string, { id, etag }: KeptPictureBody): Promise<void> {
  const path = { picture: id };
  const unreviewed = (await deleteReview({ path, headers: { "If-Match": etag }, throwOnError: true })).data;
  assert.equal(unreviewed.review, undefined);
  await deletePicture({ path, headers: { "If-Match": unreviewed.etag }, throwOnError: true });
  await deleteTeaching({ path: { teaching }, throwOnError: true });
  await deleteTraining({ path: { training }, throwOnError: true });
  const missing = await getTraining({ path: { training } });
  assert.ok(missing.error && "code" in missing.error && missing.error.code === "training_not_found");
}

async function main(): Promise<void> {
  const [url, folder] = process.argv.slice(2);
  client.setConfig({ baseUrl: url, auth: process.env.TESSERA_KEY });
  const names = Array.from({ length: 12 }, (_, index) => `normal-${String(index).padStart(2, "0")}.png`);
  const normal = await Promise.all(names.map((name) => openAsBlob(`${folder}/${name}`)));

  const training = await train(normal.slice(0, 10));
  const picture = await review(normal.slice(10), await openAsBlob(`${folder}/defect.png`));
  const teaching = await teach();
  const candidate = teaching.version;
  assert.ok(candidate !== null);
  await shadow(candidate);
  await decide(teaching.id, "promote", "served", candidate);
  await decide(teaching.id, "rollback", "rolled_back", 1);
  await drawZones();
  await remove(training, teaching.id, picture);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
