import json
import re

from starlette.testclient import TestClient

OPERATIONS = {
    "list_models",
    "get_model",
    "get_model_health",
    "get_model_shadow",
    "get_model_zones",
    "put_model_zones",
    "start_model_shadow",
    "stop_model_shadow",
    "reload_model",
    "reload_all",
    "predict",
    "predict_batch",
    "heatmap",
    "anomaly_map",
    "stream_rows",
    "create_job",
    "list_jobs",
    "get_job",
    "delete_job",
    "get_job_events",
    "get_job_picture",
    "upload_job_part",
    "get_job_result",
    "get_job_regions",
    "get_job_pyramid",
    "get_job_file",
    "get_job_tile",
    "normal_picture",
    "train_first_model",
    "list_trainings",
    "get_training",
    "delete_training",
    "get_training_events",
    "teach_model",
    "list_teachings",
    "get_teaching",
    "get_teaching_events",
    "delete_teaching",
    "decide_teaching",
    "list_pictures",
    "get_picture",
    "get_picture_file",
    "get_picture_shown",
    "get_picture_heatmap",
    "delete_picture",
    "put_review",
    "delete_review",
    "livez",
    "readyz",
    "metrics",
    "v2_server_live",
    "v2_server_ready",
    "v2_server_metadata",
    "v2_repository_index",
    "v2_model_ready",
    "v2_model_version_ready",
    "v2_model_metadata",
    "v2_model_version_metadata",
    "v2_infer",
    "v2_infer_version",
}


def test_operations_have_names_for_generated_clients(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {operation["operationId"] for path in paths.values() for operation in path.values()} == OPERATIONS


def test_every_reference_has_a_schema(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    components = schema["components"]["schemas"]
    for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(schema)):
        assert name in components, name
    assert "HTTPValidationError" not in components


def test_uploads_and_files_are_binary(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    for name in ("predict", "heatmap", "anomaly-map"):
        content = schema["paths"][f"/v1/models/{{model}}/{name}"]["post"]["requestBody"]["content"]
        form, *raw = content.items()  # the form comes first: some generators use only the first type
        assert form[0] == "multipart/form-data"
        assert form[1]["schema"] == {"$ref": "#/components/schemas/PictureForm"}
        image = schema["components"]["schemas"]["PictureForm"]["properties"]["image"]
        assert (image["type"], image["format"]) == ("string", "binary")
        assert {media_type for media_type, _ in raw} >= {"application/octet-stream", "image/png", "image/jpeg"}
        assert all(each == {"schema": {"type": "string", "format": "binary"}} for _, each in raw)
    answer = schema["paths"]["/v1/models/{model}/heatmap"]["post"]["responses"]["200"]
    assert answer["content"] == {"image/png": {"schema": {"type": "string", "format": "binary"}}}


def test_problems_are_described(client: TestClient) -> None:
    responses = client.get("/openapi.json").json()["paths"]["/v1/models/{model}/predict"]["post"]["responses"]
    statuses = {"200", "400", "401", "403", "404", "408", "413", "415", "421", "422", "429", "500", "503", "504", "507"}
    assert responses.keys() == statuses
    assert responses["413"]["content"].keys() == {"application/problem+json"}


def test_docs_load_nothing_from_other_hosts(client: TestClient) -> None:
    page = client.get("/docs").text
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(links) == 3
    for link in links:
        assert client.get(f"/{link}").status_code == 200
    assert "http" not in page.replace("http-equiv", "")


def test_the_page_links_to_the_docs(client: TestClient) -> None:
    assert 'href="docs"' in client.get("/").text


def test_the_inference_protocol_is_described_with_its_own_errors(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    for path in ("/v2/models/{model}/infer", "/v2/models/{model}/versions/{version}/infer"):
        operation = schema["paths"][path]["post"]
        assert operation["requestBody"]["content"].keys() == {"application/json", "application/octet-stream"}
        responses = operation["responses"]
        statuses = {"200", "400", "401", "403", "404", "408", "413", "415", "421", "422", "429", "500", "503", "504"}
        assert responses.keys() == statuses
        assert responses["200"]["content"].keys() == {"application/json", "application/octet-stream"}
    for path, operations in schema["paths"].items():
        for operation in operations.values() if path.startswith("/v2") else ():
            for status, response in operation["responses"].items():
                if status != "200":
                    reference = response["content"]["application/json"]["schema"]["$ref"]
                    assert reference == "#/components/schemas/InferenceErrorBody", (path, status)


def test_the_document_is_made_once(client: TestClient) -> None:
    document = client.app.state.document  # type: ignore[attr-defined]  # of a Starlette application
    assert document("/plant") is document("/plant") != document("")
