"""What docs/kubernetes.md says to do names files, names and settings that exist."""

import re

from app.settings import PREFIX, Settings
from tests.kubernetes.rendering import EXAMPLES, FOLDERS, ROOT, needs_kubectl, only, template

TEXT = (ROOT / "docs/kubernetes.md").read_text()


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_folder_is_described() -> None:
    assert set(re.findall(r"\]\(\.\./examples/kubernetes/(\S+)\)", TEXT)) == set(FOLDERS)


def test_every_link_has_its_target() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        file, _, anchor = target.partition("#")
        if "://" not in file:
            path = ROOT / "docs" / (file or "kubernetes.md")
            assert path.exists(), target
            assert not anchor or anchor in anchors(path.read_text()), target


def test_every_path_exists() -> None:
    paths = re.findall(r"kubectl (?:apply|delete) -[kf] ([a-z]\S+?)`?$", TEXT, re.MULTILINE)
    assert len(paths) > 5
    for path in [*paths, *re.findall(r"`((?:base|overlays|monitoring)/\S+\.yaml)`", TEXT)]:
        assert (ROOT / path).exists() or (EXAMPLES / path).exists(), path


def test_every_setting_exists() -> None:
    names = set(re.findall(rf"{PREFIX}([A-Z_]+)", TEXT)) - {"PORT"}
    assert names and {name.lower() for name in names} <= Settings.model_fields.keys()


@needs_kubectl
def test_secrets_and_pods_have_the_names_of_the_manifests() -> None:
    secrets = dict(re.findall(r"create secret generic (\S+) --from-(?:file|literal)=(\w+)", TEXT))
    (keys,) = [each["secret"] for each in template("overlays/cpu")["spec"]["volumes"] if "secret" in each]
    monitor = only("monitoring", "ServiceMonitor")["spec"]["endpoints"][0]["authorization"]["credentials"]
    assert secrets == {keys["secretName"]: "keys", monitor["name"]: monitor["key"]}
    (tools,) = set(re.findall(r"exec (\S+) --", TEXT))
    assert tools == only("tools", "Pod")["metadata"]["name"]
    (deployment,) = set(re.findall(r"rollout \w+ deployment/(\S+)", TEXT))
    assert deployment == only("base", "Deployment")["metadata"]["name"]
