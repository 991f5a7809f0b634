"""The fields of a RayService that examples/ray uses.

Kubernetes' schemas have no custom resources. Names and types are those of KubeRay 1.6.2 (docs.ray.io, "KubeRay CRD API
reference"). Templates of Pods are Kubernetes' own, and are validated by its schemas.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(strict=True, ge=0)]
Text = Annotated[str, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]


class Fields(BaseModel):
    """A structure; Kubernetes refuses fields that it does not have."""

    model_config = ConfigDict(extra="forbid")


class AuthOptions(Fields):
    mode: Literal["disabled", "token"]
    secretName: Text | None = None


class AutoscalerOptions(Fields):
    version: Literal["v1", "v2"] | None = None
    idleTimeoutSeconds: Count | None = None
    upscalingMode: Literal["Default", "Aggressive", "Conservative"] | None = None
    resources: dict[Text, Any] | None = None
    securityContext: dict[Text, Any] | None = None
    volumeMounts: list[dict[Text, Any]] | None = None


class HeadGroup(Fields):
    rayStartParams: dict[Text, Text]
    template: dict[Text, Any]
    serviceType: Literal["ClusterIP", "NodePort", "LoadBalancer"] | None = None
    enableIngress: Flag | None = None


class WorkerGroup(Fields):
    groupName: Text
    replicas: Count | None = None
    minReplicas: Count
    maxReplicas: Count
    idleTimeoutSeconds: Count | None = None
    rayStartParams: dict[Text, Text]
    template: dict[Text, Any]


class RayCluster(Fields):
    rayVersion: Text
    authOptions: AuthOptions
    enableInTreeAutoscaling: Flag
    autoscalerOptions: AutoscalerOptions
    headGroupSpec: HeadGroup
    workerGroupSpecs: Annotated[list[WorkerGroup], Field(min_length=1)]


class UpgradeStrategy(Fields):
    type: Literal["NewCluster", "NewClusterWithIncrementalUpgrade", "None"]


class RayServiceSpec(Fields):
    serveConfigV2: Text
    rayClusterConfig: RayCluster
    rayClusterDeletionDelaySeconds: Count | None = None
    upgradeStrategy: UpgradeStrategy | None = None
    excludeHeadPodFromServeSvc: Flag | None = None


class Metadata(Fields):
    name: Text
    namespace: Text
    labels: dict[Text, Text]


class RayService(Fields):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayService"]
    metadata: Metadata
    spec: RayServiceSpec
