// Every operation by the client of @hey-api/openapi-ts: with_openapi_ts.ts URL DEFECT NORMAL
import { strict as assert } from "node:assert";
import { openAsBlob } from "node:fs";

import { client } from "./typescript/client.gen";
import {
  anomalyMap,
  getModel,
  getModelHealth,
  heatmap,
  listModels,
  livez,
  metrics,
  predict,
  predictBatch,
  readyz,
  reloadAll,
  reloadModel,
} from "./typescript/sdk.gen";

async function main(): Promise<void> {
  const [url, defectPath, normalPath] = process.argv.slice(2);
  client.setConfig({ baseUrl: url, auth: process.env.TESSERA_KEY });
  const path = { model: "default" };
  const defect = await openAsBlob(defectPath);
  const normal = await openAsBlob(normalPath);

  const found = (await predict({ path, body: { image: defect }, query: { include: ["tiles"] }, throwOnError: true })).data;
  assert.equal(found.label, "anomalous");
  assert.ok(found.regions.length > 0);
  assert.equal(found.tiles.items?.length, found.tiles.count);
  const nothing = (await predict({ path, body: { image: normal }, throwOnError: true })).data;
  assert.deepEqual([nothing.label, nothing.regions], ["normal", []]);

  const drawn = (await heatmap({ path, body: { image: defect }, query: { style: "mask" }, throwOnError: true })).data;
  const png = Buffer.from(await drawn.arrayBuffer());
  assert.equal(png.toString("latin1", 1, 4), "PNG");
  assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [found.image.width, found.image.height]);
  const measured = await anomalyMap({ path, body: { image: defect }, parseAs: "blob", throwOnError: true });
  const npy = Buffer.from(await measured.data.arrayBuffer());
  assert.equal(npy.toString("latin1", 1, 6), "NUMPY");
  assert.ok(npy.length >= 4 * found.image.width * found.image.height);

  const refused = await predict({ path, body: { image: new Blob(["no picture"]) } });
  assert.equal(refused.response?.status, 415);
  assert.ok(refused.error && "code" in refused.error && refused.error.code === "unsupported_image");
  const unknown = await getModel({ path: { model: "none" } });
  assert.ok(unknown.error && "code" in unknown.error && unknown.error.code === "model_not_found");

  const images = [defect, new Blob(["no picture"]), normal];
  const batch = (await predictBatch({ path, body: { images }, parseAs: "json", throwOnError: true })).data;
  assert.ok(typeof batch !== "string");
  assert.deepEqual(batch.items.map((each) => each.index), [0, 1, 2]);
  assert.equal(batch.items[0].prediction?.score, found.score);
  assert.equal(batch.items[1].problem?.code, "unsupported_image");
  assert.equal(batch.items[2].prediction?.label, "normal");

  const looked = (await reloadModel({ path, throwOnError: true })).data;
  assert.deepEqual([looked.newest, looked.added], [found.model.version, []]);
  const everything = (await reloadAll({ throwOnError: true })).data;
  assert.deepEqual(everything.models.map((each) => each.name), [looked.name]);

  const known = (await getModel({ path, throwOnError: true })).data;
  assert.deepEqual([known.name, known.live], [found.model.name, found.model.version]);
  assert.equal((await getModelHealth({ path, throwOnError: true })).data.version, known.live);
  assert.deepEqual((await listModels({ throwOnError: true })).data.models.map((each) => each.name), [known.name]);
  assert.equal((await livez({ throwOnError: true })).data.alive, true);
  assert.equal((await readyz({ throwOnError: true })).data.ready, true);
  assert.match((await metrics({ throwOnError: true })).data, /tessera_/);

  for (const [auth, code] of [["wrong", "invalid_key"], [process.env.TESSERA_PREDICT_KEY, "insufficient_scope"]]) {
    const denied = await reloadAll({ auth });
    assert.ok(denied.error && "code" in denied.error && denied.error.code === code);
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
