// LearnWithOpenapiGenerator.java URL FOLDER: trains and teaches a model by the client of openapi-generator for Java.
// FOLDER has normal-00.png to normal-11.png, of one size, and defect.png.
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.ModelsApi;
import org.openapitools.client.api.PredictionsApi;
import org.openapitools.client.api.ReviewsApi;
import org.openapitools.client.api.TeachingsApi;
import org.openapitools.client.api.TrainingsApi;
import org.openapitools.client.model.DecisionRequestBody;
import org.openapitools.client.model.KeptPictureBody;
import org.openapitools.client.model.ProblemBody;
import org.openapitools.client.model.ProblemCode;
import org.openapitools.client.model.ReviewLabel;
import org.openapitools.client.model.ReviewRequestBody;
import org.openapitools.client.model.ShadowRequestBody;
import org.openapitools.client.model.ShadowState;
import org.openapitools.client.model.TeachRequestBody;
import org.openapitools.client.model.TeachingBody;
import org.openapitools.client.model.TeachingDecision;
import org.openapitools.client.model.TeachingState;
import org.openapitools.client.model.TrainingState;

class LearnWithOpenapiGenerator {
  interface Call {
    Object run() throws ApiException;
  }

  static final String NAME = "lid-java";
  static final int PNG = 0x89504E47;
  static final long POLL_MS = 50;
  static ApiClient client;
  static File folder;

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

  static String digest(File file) throws Exception {
    var digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file.toPath()));
    return HexFormat.of().formatHex(digest);
  }

  static int start(File file) throws Exception {
    return ByteBuffer.wrap(Files.readAllBytes(file.toPath())).getInt();
  }

  /** Returns the id of the training. */
  static String train() throws Exception {
    var api = new TrainingsApi(client);
    var pictures = new ArrayList<File>();
    for (var index = 0; index < 10; index++) pictures.add(new File(folder, String.format("normal-%02d.png", index)));
    var started = api.trainFirstModel(NAME, pictures);
    expect(started.getState() == TrainingState.TRAININGSTATE_RUNNING && started.getPictures() == 10, started);
    var training = started;
    while (training.getState() == TrainingState.TRAININGSTATE_RUNNING) {
      Thread.sleep(POLL_MS);
      training = api.getTraining(started.getId());
    }
    expect(training.getState() == TrainingState.TRAININGSTATE_DONE && training.getVersion() == 1, training);
    var list = api.listTrainings(100).getTrainings();
    expect(list.stream().anyMatch(each -> each.getId().equals(started.getId())), list);
    var copy = new ModelsApi(client).normalPicture(NAME, 0L, null);
    expect(start(copy) >>> 16 == 0xFFD8, copy);
    return started.getId();
  }

  static List<KeptPictureBody> keptPictures(int count) throws Exception {
    while (true) {
      var kept = new ReviewsApi(client).listPictures(NAME, null, null, null, 100, null);
      if (kept.getPictures().size() == count) return kept.getPictures();
      Thread.sleep(POLL_MS); // pictures are kept after their answers
    }
  }

  /** Returns one of the reviewed pictures. */
  static KeptPictureBody review() throws Exception {
    var predictions = new PredictionsApi(client);
    for (var name : List.of("normal-10.png", "normal-11.png", "defect.png")) {
      var sent = new File(folder, name);
      predictions.predict(NAME, sent, null, null, null, null, null, null, null, null, null, null);
    }
    var api = new ReviewsApi(client);
    var defect = digest(new File(folder, "defect.png"));
    var kept = keptPictures(3);
    for (var each : kept) {
      var label = each.getSha256().equals(defect) ? ReviewLabel.DEFECT : ReviewLabel.HARMLESS;
      var reviewed = api.putReview(each.getId(), each.getEtag(), new ReviewRequestBody().label(label));
      expect(reviewed.getReview().getLabel() == label, reviewed);
    }
    var old = kept.get(0);
    var picture = api.getPicture(old.getId(), null);
    expect(!picture.getEtag().equals(old.getEtag()) && picture.getReview() != null, picture);
    var unsure = new ReviewRequestBody().label(ReviewLabel.UNSURE);
    var refused = problem(() -> api.putReview(old.getId(), old.getEtag(), unsure));
    expect(refused.getCode() == ProblemCode.REVIEW_CONFLICT && refused.getStatus() == 412, refused);

    expect(digest(api.getPictureFile(old.getId())).equals(picture.getSha256()), picture);
    expect(start(api.getPictureShown(old.getId())) == PNG, picture);
    expect(start(api.getPictureHeatmap(old.getId())) == PNG, picture);
    return picture;
  }

  static TeachingBody teach() throws Exception {
    var api = new TeachingsApi(client);
    var started = api.teachModel(NAME, new TeachRequestBody().falsePositiveRate(0.2).secondStage(false));
    expect(started.getState() == TeachingState.TEACHINGSTATE_RUNNING && started.getProof() == null, started);
    var teaching = started;
    while (teaching.getState() == TeachingState.TEACHINGSTATE_RUNNING) {
      Thread.sleep(POLL_MS);
      teaching = api.getTeaching(started.getId());
    }
    expect(teaching.getState() == TeachingState.TEACHINGSTATE_PROPOSED, teaching);
    expect(teaching.getProof().getReviewed() == 3, teaching);
    var list = api.listTeachings(NAME, null).getTeachings();
    expect(list.size() == 1 && list.get(0).getId().equals(started.getId()), list);
    return teaching;
  }

  static void shadow(Long version) throws Exception {
    var api = new ModelsApi(client);
    var started = api.startModelShadow(NAME, new ShadowRequestBody().version(version).pictures(100)).getShadow();
    expect(started.getState() == ShadowState.SHADOWSTATE_RUNNING && started.getServed() == 1, started);
    var shadow = api.getModelShadow(NAME).getShadow();
    expect(shadow.getVersion().equals(version), shadow);
    var stopped = api.stopModelShadow(NAME).getShadow();
    expect(stopped.getState() == ShadowState.SHADOWSTATE_STOPPED, stopped);
  }

  static void decide(String teaching, TeachingDecision decision, TeachingState state, Long live) throws Exception {
    var decided = new TeachingsApi(client).decideTeaching(teaching, new DecisionRequestBody().decision(decision));
    expect(decided.getState() == state, decided);
    var model = new ModelsApi(client).getModel(NAME, null);
    expect(model.getLive().equals(live), model);
  }

  static void drawZones() throws Exception {
    var api = new ModelsApi(client);
    var answer = api.getModelZonesWithHttpInfo(NAME, null, null);
    expect(answer.getData().getFeatures().isEmpty(), answer.getData());
    var etag = answer.getHeaders().get("etag").get(0);
    var corners = List.of(List.of(0, 0), List.of(64, 0), List.of(64, 64), List.of(0, 64), List.of(0, 0));
    Map<String, Object> clamp =
        Map.of(
            "type", "Feature",
            "geometry", Map.of("type", "Polygon", "coordinates", List.of(corners)),
            "properties", Map.of("name", "clamp", "ignore", true));
    Map<String, Object> drawn =
        Map.of(
            "type", "FeatureCollection",
            "image", Map.of("width", 256, "height", 256),
            "features", List.of(clamp));
    var written = api.putModelZones(NAME, etag, drawn, null, null);
    expect(written.getWritten() && written.getZones().get(0).getName().equals("clamp"), written);
    var read = api.getModelZones(NAME, written.getVersion(), null);
    expect(read.getFeatures().get(0).getProperties().getName().equals("clamp"), read);
  }

  static void remove(String training, String teaching, KeptPictureBody picture) throws Exception {
    var reviews = new ReviewsApi(client);
    var unreviewed = reviews.deleteReview(picture.getId(), picture.getEtag());
    expect(unreviewed.getReview() == null, unreviewed);
    reviews.deletePicture(picture.getId(), unreviewed.getEtag());
    new TeachingsApi(client).deleteTeaching(teaching);
    var trainings = new TrainingsApi(client);
    trainings.deleteTraining(training);
    var missing = problem(() -> trainings.getTraining(training));
    expect(missing.getCode() == ProblemCode.TRAINING_NOT_FOUND, missing);
  }

  public static void main(String[] arguments) throws Exception {
    client = new ApiClient();
    client.updateBaseUri(arguments[0]);
    client.setRequestInterceptor(
        request -> request.setHeader("Authorization", "Bearer " + System.getenv("TESSERA_KEY")));
    folder = new File(arguments[1]);
    var training = train();
    var picture = review();
    var teaching = teach();
    shadow(teaching.getVersion());
    decide(teaching.getId(), TeachingDecision.PROMOTE, TeachingState.TEACHINGSTATE_SERVED, teaching.getVersion());
    decide(teaching.getId(), TeachingDecision.ROLLBACK, TeachingState.TEACHINGSTATE_ROLLED_BACK, 1L);
    drawZones();
    remove(training, teaching.getId(), picture);
  }
}
