// learn_with_openapi_generator.go URL FOLDER: trains and teaches a model by the client of openapi-generator for Go.
// FOLDER has normal-00.png to normal-11.png, of one size, and defect.png.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"station/tessera"
)

const name = "lid-go"

var (
	ctx    = context.WithValue(context.Background(), tessera.ContextAccessToken, os.Getenv("TESSERA_KEY"))
	client *tessera.APIClient
)

// The client closes the files that it sends.
func open(folder, name string) *os.File {
	file, err := os.Open(filepath.Join(folder, name))
	check(err)
	return file
}

func content(file *os.File, err error) []byte {
	check(err)
	defer os.Remove(file.Name())
	bytes, err := io.ReadAll(file)
	check(err)
	return bytes
}

func digest(bytes []byte) string {
	sum := sha256.Sum256(bytes)
	return hex.EncodeToString(sum[:])
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func expect(ok bool, found ...any) {
	if !ok {
		panic(fmt.Sprint(found...))
	}
}

func code(err error) tessera.ProblemCode {
	var failure *tessera.GenericOpenAPIError
	expect(errors.As(err, &failure), err)
	problem, ok := failure.Model().(tessera.ProblemBody)
	expect(ok, err)
	return problem.Code
}

// Returns the id of the training.
func train(folder string) string {
	api := client.TrainingsAPI
	var pictures []*os.File
	for index := range 10 {
		pictures = append(pictures, open(folder, fmt.Sprintf("normal-%02d.png", index)))
	}
	training, _, err := api.TrainFirstModel(ctx).Name(name).Images(pictures).Execute()
	check(err)
	expect(training.State == tessera.TRAININGSTATE_RUNNING && training.Pictures == 10, training)
	events, _, err := api.GetTrainingEvents(ctx, training.Id).Execute() // returns when the training has ended
	check(err)
	expect(strings.Contains(events, "event: training"), events)
	training, _, err = api.GetTraining(ctx, training.Id).Execute()
	check(err)
	expect(training.State == tessera.TRAININGSTATE_DONE && *training.Version.Get() == 1, training)
	list, _, err := api.ListTrainings(ctx).Limit(100).Execute()
	check(err)
	listed := false
	for _, each := range list.Trainings {
		listed = listed || each.Id == training.Id
	}
	expect(listed, list)
	copied, _, err := client.ModelsAPI.NormalPicture(ctx, name, 0).Execute()
	expect(strings.HasPrefix(string(content(copied, err)), "\xff\xd8"), "no JPEG")
	return training.Id
}

func keptPictures(count int) []tessera.KeptPictureBody {
	for {
		kept, _, err := client.ReviewsAPI.ListPictures(ctx).Model(name).Limit(100).Execute()
		check(err)
		if len(kept.Pictures) == count {
			return kept.Pictures
		}
		time.Sleep(50 * time.Millisecond) // pictures are kept after their answers
	}
}

// Returns one of the reviewed pictures.
func review(folder string) *tessera.KeptPictureBody {
	api := client.ReviewsAPI
	for _, sent := range []string{"normal-10.png", "normal-11.png", "defect.png"} {
		_, _, err := client.PredictionsAPI.Predict(ctx, name).Image(open(folder, sent)).Execute()
		check(err)
	}
	defect, err := io.ReadAll(open(folder, "defect.png"))
	check(err)
	kept := keptPictures(3)
	for _, each := range kept {
		label := tessera.HARMLESS
		if each.Sha256 == digest(defect) {
			label = tessera.DEFECT
		}
		body := *tessera.NewReviewRequestBody(label)
		reviewed, _, err := api.PutReview(ctx, each.Id).IfMatch(each.Etag).ReviewRequestBody(body).Execute()
		check(err)
		expect(reviewed.Review.Label == label, reviewed)
	}
	picture, _, err := api.GetPicture(ctx, kept[0].Id).Execute()
	check(err)
	expect(picture.Etag != kept[0].Etag && picture.HasReview(), picture)
	unsure := *tessera.NewReviewRequestBody(tessera.UNSURE)
	_, response, err := api.PutReview(ctx, picture.Id).IfMatch(kept[0].Etag).ReviewRequestBody(unsure).Execute()
	expect(code(err) == tessera.REVIEW_CONFLICT && response.StatusCode == 412, err)

	file, _, err := api.GetPictureFile(ctx, picture.Id).Execute()
	expect(digest(content(file, err)) == picture.Sha256, picture)
	shown, _, err := api.GetPictureShown(ctx, picture.Id).Execute()
	expect(strings.HasPrefix(string(content(shown, err)), "\x89PNG"), "no PNG")
	heatmap, _, err := api.GetPictureHeatmap(ctx, picture.Id).Execute()
	expect(strings.HasPrefix(string(content(heatmap, err)), "\x89PNG"), "no PNG")
	return picture
}

func teach() *tessera.TeachingBody {
	api := client.TeachingsAPI
	body := tessera.NewTeachRequestBody()
	body.SetFalsePositiveRate(0.2)
	body.SetSecondStage(false)
	teaching, _, err := api.TeachModel(ctx, name).TeachRequestBody(*body).Execute()
	check(err)
	expect(teaching.State == tessera.TEACHINGSTATE_RUNNING && teaching.Proof.Get() == nil, teaching)
	events, _, err := api.GetTeachingEvents(ctx, teaching.Id).Execute()
	check(err)
	expect(strings.Contains(events, "event: teaching"), events)
	teaching, _, err = api.GetTeaching(ctx, teaching.Id).Execute()
	check(err)
	expect(teaching.State == tessera.TEACHINGSTATE_PROPOSED && teaching.Proof.Get().Reviewed == 3, teaching)
	list, _, err := api.ListTeachings(ctx).Model(name).Execute()
	check(err)
	expect(len(list.Teachings) == 1 && list.Teachings[0].Id == teaching.Id, list)
	return teaching
}

func shadow(version int64) {
	api := client.ModelsAPI
	body := tessera.NewShadowRequestBody(version)
	body.SetPictures(100)
	started, _, err := api.StartModelShadow(ctx, name).ShadowRequestBody(*body).Execute()
	check(err)
	expect(started.Shadow.Get().State == tessera.SHADOWSTATE_RUNNING && started.Shadow.Get().Served == 1, started)
	found, _, err := api.GetModelShadow(ctx, name).Execute()
	check(err)
	expect(found.Shadow.Get().Version == version, found)
	stopped, _, err := api.StopModelShadow(ctx, name).Execute()
	check(err)
	expect(stopped.Shadow.Get().State == tessera.SHADOWSTATE_STOPPED, stopped)
}

func decide(teaching string, decision tessera.TeachingDecision, state tessera.TeachingState, live int64) {
	body := *tessera.NewDecisionRequestBody(decision)
	decided, _, err := client.TeachingsAPI.DecideTeaching(ctx, teaching).DecisionRequestBody(body).Execute()
	check(err)
	expect(decided.State == state, decided)
	model, _, err := client.ModelsAPI.GetModel(ctx, name).Execute()
	check(err)
	expect(model.GetLive() == live, model)
}

func drawZones() {
	api := client.ModelsAPI
	zones, response, err := api.GetModelZones(ctx, name).Execute()
	check(err)
	expect(len(zones.Features) == 0, zones)
	corners := [][]float64{{0, 0}, {64, 0}, {64, 64}, {0, 64}, {0, 0}}
	clamp := map[string]any{
		"type":       "Feature",
		"geometry":   map[string]any{"type": "Polygon", "coordinates": [][][]float64{corners}},
		"properties": map[string]any{"name": "clamp", "ignore": true},
	}
	drawn := map[string]any{
		"type":     "FeatureCollection",
		"image":    map[string]any{"width": 256, "height": 256},
		"features": []any{clamp},
	}
	written, _, err := api.PutModelZones(ctx, name).IfMatch(response.Header.Get("ETag")).RequestBody(drawn).Execute()
	check(err)
	expect(written.Written && written.Zones[0].Name == "clamp", written)
	read, _, err := api.GetModelZones(ctx, name).Version(written.Version).Execute()
	check(err)
	expect(read.Features[0].Properties.GetName() == "clamp", read)
}

func remove(training, teaching string, picture *tessera.KeptPictureBody) {
	unreviewed, _, err := client.ReviewsAPI.DeleteReview(ctx, picture.Id).IfMatch(picture.Etag).Execute()
	check(err)
	expect(!unreviewed.HasReview(), unreviewed)
	_, err = client.ReviewsAPI.DeletePicture(ctx, picture.Id).IfMatch(unreviewed.Etag).Execute()
	check(err)
	_, _, err = client.TeachingsAPI.DeleteTeaching(ctx, teaching).Execute()
	check(err)
	_, _, err = client.TrainingsAPI.DeleteTraining(ctx, training).Execute()
	check(err)
	_, _, err = client.TrainingsAPI.GetTraining(ctx, training).Execute()
	expect(code(err) == tessera.TRAINING_NOT_FOUND, err)
}

func main() {
	configuration := tessera.NewConfiguration()
	configuration.Servers = tessera.ServerConfigurations{{URL: os.Args[1]}}
	client = tessera.NewAPIClient(configuration)

	training := train(os.Args[2])
	picture := review(os.Args[2])
	teaching := teach()
	candidate := *teaching.Version.Get()
	shadow(candidate)
	decide(teaching.Id, tessera.PROMOTE, tessera.TEACHINGSTATE_SERVED, candidate)
	decide(teaching.Id, tessera.ROLLBACK, tessera.TEACHINGSTATE_ROLLED_BACK, 1)
	drawZones()
	remove(training, teaching.Id, picture)
}
