// with_openapi_generator.go URL DEFECT NORMAL: uses every operation by the client of openapi-generator for Go.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"station/tessera"
)

var (
	ctx    = context.WithValue(context.Background(), tessera.ContextAccessToken, os.Getenv("TESSERA_KEY"))
	client *tessera.APIClient
)

// The client closes the files that it sends.
func open(path string) *os.File {
	file, err := os.Open(path)
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

func predictions(defect, normal, broken string) *tessera.PredictionBody {
	api := client.PredictionsAPI
	found, _, err := api.Predict(ctx, "default").Image(open(defect)).Include([]tessera.Include{tessera.INCLUDE_TILES}).Execute()
	check(err)
	expect(found.Label == tessera.ANOMALOUS && len(found.Regions) > 0, found)
	expect(int64(len(found.Tiles.Items)) == found.Tiles.Count, found.Tiles)
	part, _, err := api.Predict(ctx, "default").Image(open(defect)).Roi([]int32{64, 0, 256, 192}).Execute()
	check(err)
	expect(part.Roi.X == 64 && part.Roi.Height == 192 && part.Tiles.Count < found.Tiles.Count, part)
	nothing, _, err := api.Predict(ctx, "default").Image(open(normal)).Execute()
	check(err)
	expect(nothing.Label == tessera.NORMAL && len(nothing.Regions) == 0, nothing)

	heatmap, _, err := api.Heatmap(ctx, "default").Image(open(defect)).Style(tessera.MASK).Execute()
	png := content(heatmap, err)
	expect(bytes.HasPrefix(png, []byte("\x89PNG\r\n\x1a\n")), len(png))
	expect(int64(binary.BigEndian.Uint32(png[16:])) == found.Image.Width, found.Image)
	values, _, err := api.AnomalyMap(ctx, "default").Image(open(defect)).Format(tessera.NPY).Execute()
	npy := content(values, err)
	expect(bytes.HasPrefix(npy, []byte("\x93NUMPY")) && int64(len(npy)) >= 4*found.Image.Width*found.Image.Height, len(npy))

	_, response, err := api.Predict(ctx, "default").Image(open(broken)).Execute()
	expect(code(err) == tessera.UNSUPPORTED_IMAGE && response.StatusCode == 415, err)

	pictures := []*os.File{open(defect), open(broken), open(normal)}
	batch, _, err := api.PredictBatch(ctx, "default").Images(pictures).Execute()
	check(err)
	expect(len(batch.Items) == 3, batch)
	expect(batch.Items[0].Prediction.Score == found.Score, batch)
	expect(batch.Items[1].Problem.Code == tessera.UNSUPPORTED_IMAGE, batch)
	expect(batch.Items[2].Prediction.Label == tessera.NORMAL, batch)
	return found
}

func models(found *tessera.PredictionBody) {
	api := client.ModelsAPI
	_, _, err := api.GetModel(ctx, "none").Execute()
	expect(code(err) == tessera.MODEL_NOT_FOUND, err)
	known, _, err := api.GetModel(ctx, "default").Execute()
	check(err)
	expect(known.Name == found.Model.Name && known.GetLive() == found.Model.Version, known)
	health, _, err := api.GetModelHealth(ctx, "default").Execute()
	check(err)
	expect(health.Version == known.GetLive(), health)
	list, _, err := api.ListModels(ctx).Execute()
	check(err)
	expect(len(list.Models) == 1 && list.Models[0].Name == known.Name, list)
	reloaded, _, err := api.ReloadModel(ctx, "default").Execute()
	check(err)
	expect(reloaded.GetNewest() == found.Model.Version && len(reloaded.Added) == 0, reloaded)
	all, _, err := api.ReloadAll(ctx).Execute()
	check(err)
	expect(len(all.Models) == 1 && all.Models[0].Name == known.Name, all)
}

func probes() {
	api := client.ProbesAPI
	alive, _, err := api.Livez(ctx).Execute()
	check(err)
	ready, _, err := api.Readyz(ctx).Execute()
	check(err)
	expect(alive.Alive && ready.Ready, alive, ready)
	text, _, err := api.Metrics(ctx).Execute()
	check(err)
	expect(strings.Contains(text, "tessera_"), text)
}

func main() {
	configuration := tessera.NewConfiguration()
	configuration.Servers = tessera.ServerConfigurations{{URL: os.Args[1]}}
	client = tessera.NewAPIClient(configuration)

	broken, err := os.CreateTemp("", "broken-*.png")
	check(err)
	defer os.Remove(broken.Name())
	_, err = broken.WriteString("no picture")
	check(errors.Join(err, broken.Close()))

	models(predictions(os.Args[2], os.Args[3], broken.Name()))
	probes()
}
