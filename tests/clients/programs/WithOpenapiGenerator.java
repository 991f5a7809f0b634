// WithOpenapiGenerator.java URL DEFECT NORMAL: uses every operation by the client of openapi-generator for Java.
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.List;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.ModelsApi;
import org.openapitools.client.api.PredictionsApi;
import org.openapitools.client.api.ProbesApi;
import org.openapitools.client.model.HeatmapStyle;
import org.openapitools.client.model.Include;
import org.openapitools.client.model.Label;
import org.openapitools.client.model.MapFormat;
import org.openapitools.client.model.ModelBody;
import org.openapitools.client.model.PredictionBody;
import org.openapitools.client.model.ProblemBody;
import org.openapitools.client.model.ProblemCode;

class WithOpenapiGenerator {
  interface Call {
    Object run() throws ApiException;
  }

  static ApiClient client;

  static void expect(boolean ok, Object found) {
    if (!ok) throw new AssertionError(String.valueOf(found));
  }

  static ProblemBody problem(Call call) throws Exception {
    try {
      throw new AssertionError("no error: " + call.run());
    } catch (ApiException error) {
      return client.getObjectMapper().readValue(error.getResponseBody(), ProblemBody.class);
    }
  }

  static PredictionBody predictions(File defect, File normal, File broken) throws Exception {
    var api = new PredictionsApi(client);
    var tiles = List.of(Include.INCLUDE_TILES);
    var found = api.predict("default", defect, null, null, null, null, null, null, null, tiles, null, null);
    expect(found.getLabel() == Label.ANOMALOUS && !found.getRegions().isEmpty(), found);
    expect(found.getTiles().getItems().size() == found.getTiles().getCount(), found.getTiles());
    var roi = List.of(64, 0, 256, 192);
    var part = api.predict("default", defect, null, roi, null, null, null, null, null, null, null, null);
    expect(part.getRoi().getX() == 64 && part.getRoi().getHeight() == 192, part);
    var nothing = api.predict("default", normal, null, null, null, null, null, null, null, null, null, null);
    expect(nothing.getLabel() == Label.NORMAL && nothing.getRegions().isEmpty(), nothing);

    var style = HeatmapStyle.MASK;
    var heatmap = api.heatmap("default", defect, null, null, null, null, null, null, null, style, null);
    var png = ByteBuffer.wrap(Files.readAllBytes(heatmap.toPath()));
    expect(png.getInt(0) == 0x89504E47 && png.getInt(16) == found.getImage().getWidth(), found.getImage());
    var map = api.anomalyMap("default", defect, null, null, null, MapFormat.NPY, null, null);
    var npy = Files.readAllBytes(map.toPath());
    expect(new String(npy, 1, 5, StandardCharsets.US_ASCII).equals("NUMPY"), npy.length);
    expect(npy.length >= 4 * found.getImage().getWidth() * found.getImage().getHeight(), npy.length);

    var refused = problem(() -> api.predict("default", broken, null, null, null, null, null, null, null, null, null, null));
    expect(refused.getCode() == ProblemCode.UNSUPPORTED_IMAGE && refused.getStatus() == 415, refused);

    var pictures = List.of(defect, broken, normal);
    var items = api.predictBatch("default", pictures, null, null, null, null, null, null, null, null, null).getItems();
    expect(items.size() == 3, items);
    expect(items.get(0).getPrediction().getScore().equals(found.getScore()), items);
    expect(items.get(1).getProblem().getCode() == ProblemCode.UNSUPPORTED_IMAGE, items);
    expect(items.get(2).getPrediction().getLabel() == Label.NORMAL, items);
    return found;
  }

  static void models(PredictionBody found) throws Exception {
    var api = new ModelsApi(client);
    var unknown = problem(() -> api.getModel("none", null));
    expect(unknown.getCode() == ProblemCode.MODEL_NOT_FOUND, unknown);
    ModelBody known = api.getModel("default", null);
    expect(known.getName().equals(found.getModel().getName()), known);
    expect(known.getLive().equals(found.getModel().getVersion()), known);
    var health = api.getModelHealth("default", null);
    expect(health.getVersion().equals(known.getLive()), health);
    var list = api.listModels(null).getModels();
    expect(list.size() == 1 && list.get(0).getName().equals(known.getName()), list);
    var reloaded = api.reloadModel("default");
    expect(reloaded.getNewest().equals(known.getLive()) && reloaded.getAdded().isEmpty(), reloaded);
    var all = api.reloadAll().getModels();
    expect(all.size() == 1 && all.get(0).getName().equals(known.getName()), all);
  }

  public static void main(String[] arguments) throws Exception {
    client = new ApiClient();
    client.updateBaseUri(arguments[0]);
    client.setRequestInterceptor(
        request -> request.setHeader("Authorization", "Bearer " + System.getenv("TESSERA_KEY")));
    var broken = Files.createTempFile("broken", ".png");
    Files.writeString(broken, "no picture");
    try {
      var found = predictions(new File(arguments[1]), new File(arguments[2]), broken.toFile());
      models(found);
    } finally {
      Files.delete(broken);
    }
    var probes = new ProbesApi(client);
    expect(probes.livez().getAlive() && probes.readyz().getReady(), "probes");
    expect(probes.metrics().contains("tessera_"), "metrics");
  }
}
