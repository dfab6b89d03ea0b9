import { settings } from "@gakuen/platform";
import { Deployment as KubernetesDeployment } from "kubernetes-models/apps/v1";
import { HorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2";
import { Ingress } from "kubernetes-models/networking.k8s.io/v1";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { ConfigMap, Namespace, Secret, Service } from "kubernetes-models/v1";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { Deployment, kustomization, type Manifest, manifestsOf } from "./manifests.ts";

const services = ["fukukaichou", "kaichou", "kaikeishi", "otetsudai", "shoki"];
/** What any service takes to end once it is told to, in seconds: apps/gakuen/one-service.ts. */
const SHUTDOWN_SECONDS = 30;

const base = [...manifestsOf("base").values()].flat();
const examples = [...manifestsOf("examples").values()].flat();
const autoscaled = [...manifestsOf("autoscaled").values()].flat();
const deployments = base.filter(({ kind }) => kind === "Deployment").map((manifest) => Deployment.parse(manifest));
const named = (kind: string, manifests = base): string[] =>
  manifests.filter((manifest) => manifest.kind === kind).map(({ metadata }) => metadata.name);

/** A validator of each kind, which knows Kubernetes' own schema; unknown fields are refused by none of them. */
const models: Readonly<Record<string, new (manifest: never) => { validate(): void }>> = {
  "apps/v1 Deployment": KubernetesDeployment,
  "autoscaling/v2 HorizontalPodAutoscaler": HorizontalPodAutoscaler,
  "networking.k8s.io/v1 Ingress": Ingress,
  "policy/v1 PodDisruptionBudget": PodDisruptionBudget,
  "v1 ConfigMap": ConfigMap,
  "v1 Namespace": Namespace,
  "v1 Secret": Secret,
  "v1 Service": Service,
};

const Data = z.record(z.string(), z.string());
const dataOf = (manifest: Manifest): Record<string, string> =>
  Data.parse(manifest["data"] ?? manifest["stringData"] ?? {});

test("every manifest is what Kubernetes' schema of its kind says", () => {
  for (const manifest of [...base, ...examples]) {
    const kind = `${manifest.apiVersion} ${manifest.kind}`;
    const Model = models[kind];
    if (!Model) throw new Error(`no schema for ${kind}`);
    expect(() => new Model(manifest as never).validate(), `${kind} ${manifest.metadata.name}`).not.toThrow();
  }
});

test("every file of the base is applied, and every image is named where it is to be replaced", () => {
  const { resources, images } = kustomization("base");
  expect(resources.toSorted()).toEqual([...manifestsOf("base").keys()].toSorted());
  expect(images.map(({ name }) => name).toSorted()).toEqual(
    deployments.map(({ spec }) => spec.template.spec.containers[0].image).toSorted(),
  );
});

test("there are five services; each survives a drain, and those that are called have an address", () => {
  expect(named("Deployment").toSorted()).toEqual(services);
  expect(named("PodDisruptionBudget").toSorted()).toEqual(services);
  expect(named("Service").toSorted()).toEqual(services.filter((name) => name !== "otetsudai"));
  for (const { metadata, spec } of deployments) {
    const label = { "app.kubernetes.io/name": metadata.name };
    expect(spec.selector.matchLabels).toEqual(label);
    expect(spec.template.metadata.labels).toMatchObject(label);
    for (const { kind, metadata: its, ...manifest } of base)
      if (its.name === metadata.name && (kind === "Service" || kind === "PodDisruptionBudget"))
        expect(manifest["spec"]).toMatchObject({ selector: kind === "Service" ? label : { matchLabels: label } });
  }
});

describe.each(deployments)("$metadata.name", ({ metadata, spec }) => {
  const pod = spec.template.spec;
  const [container] = pod.containers;

  test("runs without root, without rights, and on a file system that cannot be written", () => {
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 1000,
      seccompProfile: { type: "RuntimeDefault" },
    });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(pod.automountServiceAccountToken).toBe(false);
    // A Service called "x" would set X_PORT and the like.
    expect(pod.enableServiceLinks).toBe(false);
  });

  test("has the time to end by itself", () => {
    const pause = Number(container.lifecycle?.preStop.exec.command[1] ?? 0);
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(SHUTDOWN_SECONDS + pause);
  });

  test("is told settings that there are, and only those that concern it", () => {
    const sources = container.envFrom.map((source) =>
      "secretRef" in source ? `Secret ${source.secretRef.name}` : `ConfigMap ${source.configMapRef.name}`,
    );
    const known = new Set<string>([
      ...Object.values(settings).map(({ env }) => env),
      "AWS_ACCESS_KEY_ID",
      "AWS_SECRET_ACCESS_KEY",
    ]);
    for (const source of sources) {
      const found = [...base, ...examples].find(({ kind, metadata: { name } }) => `${kind} ${name}` === source);
      if (!found) throw new Error(`there is no ${source}`);
      for (const name of Object.keys(dataOf(found))) expect(known).toContain(name);
    }
    const own = { otetsudai: "gakuen-encoder", fukukaichou: undefined }[metadata.name] ?? "gakuen-keepers";
    expect(sources).toEqual([
      "ConfigMap gakuen",
      ...(metadata.name === "fukukaichou" ? [] : [`ConfigMap ${own}`, `Secret ${own}`]),
    ]);
  });
});

test("encoders are told the queue's address as their own role, and no other secret", () => {
  const secret = examples.find(({ kind, metadata }) => kind === "Secret" && metadata.name === "gakuen-encoder");
  expect(secret && dataOf(secret)).toEqual({
    GAKUEN_QUEUE_URL: expect.stringMatching(/^postgres:\/\/gakuen_encoder:/),
  });
});

test("the autoscaler asks for as many encoders as the queue's chunks fill", () => {
  const scaled = autoscaled.find(({ kind }) => kind === "ScaledObject");
  const slots = base.find(({ metadata }) => metadata.name === "gakuen-encoder");
  expect(scaled?.["spec"]).toMatchObject({
    scaleTargetRef: { name: "otetsudai" },
    triggers: [
      {
        type: "postgresql",
        metadata: { targetQueryValue: slots && dataOf(slots)["GAKUEN_SLOTS"] },
        authenticationRef: { name: named("TriggerAuthentication", autoscaled)[0] },
      },
    ],
  });
  expect(named("HorizontalPodAutoscaler").toSorted()).toEqual(["fukukaichou", "kaikeishi", "shoki"]);
});
