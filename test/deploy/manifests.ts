import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";

/** What is asserted of a manifest; the rest of it is Kubernetes' own schema to judge. */
const Manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});
export type Manifest = z.infer<typeof Manifest>;

const Probe = z.object({ httpGet: z.object({ path: z.literal("/healthz"), port: z.literal("http") }) });
const Name = z.object({ name: z.string() });

export const Deployment = Manifest.extend({
  kind: z.literal("Deployment"),
  spec: z.object({
    selector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
    template: z.object({
      metadata: z.object({ labels: z.record(z.string(), z.string()) }),
      spec: z.object({
        automountServiceAccountToken: z.boolean(),
        enableServiceLinks: z.boolean(),
        terminationGracePeriodSeconds: z.number(),
        securityContext: z.unknown(),
        containers: z.tuple([
          z.object({
            image: z.string(),
            envFrom: z.array(z.union([z.object({ configMapRef: Name }), z.object({ secretRef: Name })])),
            startupProbe: Probe,
            readinessProbe: Probe,
            livenessProbe: Probe,
            lifecycle: z
              .object({ preStop: z.object({ exec: z.object({ command: z.tuple([z.literal("sleep"), z.string()]) }) }) })
              .optional(),
            resources: z.object({
              requests: z.object({ cpu: z.union([z.string(), z.number()]), memory: z.string() }),
              limits: z.object({ memory: z.string() }),
            }),
            securityContext: z.unknown(),
          }),
        ]),
      }),
    }),
  }),
});

export const kubernetesFolder = fileURLToPath(new URL("../../deploy/kubernetes/", import.meta.url));

const Kustomization = z.object({
  namespace: z.string(),
  resources: z.array(z.string()),
  images: z.array(z.object({ name: z.string() })).default([]),
});

export function kustomization(folder: string): z.infer<typeof Kustomization> {
  return Kustomization.parse(parse(readFileSync(join(kubernetesFolder, folder, "kustomization.yaml"), "utf8")));
}

/** All manifests of a folder of deploy/kubernetes, by the file they stand in; not the kustomization itself. */
export function manifestsOf(folder: string): Map<string, Manifest[]> {
  const files = readdirSync(join(kubernetesFolder, folder)).filter((file) => file !== "kustomization.yaml");
  return new Map(
    files.map((file) => [file, parseManifests(readFileSync(join(kubernetesFolder, folder, file), "utf8"))]),
  );
}

/** The documents of a YAML text. Throws for what is no manifest, and for duplicate keys. */
export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors[0]) throw document.errors[0];
    return Manifest.parse(document.toJS());
  });
}
