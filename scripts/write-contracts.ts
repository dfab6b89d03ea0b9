import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  AttemptClaims,
  Claim,
  EncodeJob,
  EncodeProgress,
  GrantClaims,
  type Ingest,
  IngestResult,
  Plan,
  PrepareJob,
  Problem,
  PublishJob,
  SourceClaims,
} from "@gakuen/contracts";
import type { Engine } from "@gakuen/engine";
import { type Kaichou, sourceRoutes, titleControlRoutes } from "@gakuen/kaichou-intake";
import { ingestRoutes } from "@gakuen/kaikeishi-uploader";
import { createHttpServer, createLog, createTokens, type HttpServer } from "@gakuen/platform";
import type { Records } from "@gakuen/records";
import { createShoki } from "@gakuen/shoki-publisher";
import type { ObjectStore } from "@gakuen/storage";
import { z } from "zod";
import { completeOpenApi, type OpenApiDocument } from "./complete-openapi.ts";
import { exampleArguments } from "./example-arguments.ts";

/** A generated file below docs/contracts. */
export interface ContractFile {
  /** From the root of the project. */
  readonly file: string;
  readonly text: string;
}

const folder = "docs/contracts";

/** Every contract that follows from the code: OpenAPI per service, JSON Schema per message, worked command lines. */
export async function contractFiles(): Promise<ContractFile[]> {
  const files: ContractFile[] = [];
  for (const [service, routes] of Object.entries(services))
    files.push(jsonFile(`openapi/${service}.json`, await openApi(service, routes)));
  for (const [name, schema] of Object.entries(schemas))
    files.push(jsonFile(`schemas/${name}.schema.json`, jsonSchema(name, schema)));
  files.push(jsonFile("examples/arguments.json", exampleArguments()));
  return files;
}

/**
 * Routes are declared here and never called, so nothing behind them is ever touched: no database, no store. What a
 * constructor asks for at once is answered.
 */
const records = { events: { subscribe: () => () => undefined } } as unknown as Records;
const untouched = {} as unknown;
const log = createLog({ level: "silent", format: "json" });
const tokens = createTokens("declared only, signs nothing at all");

const services: Record<string, (server: HttpServer) => void> = {
  kaichou(server) {
    titleControlRoutes(server, untouched as Kaichou);
    sourceRoutes(server, records, tokens);
  },
  kaikeishi: (server) => ingestRoutes(server, untouched as Ingest),
  shoki: (server) =>
    createShoki({ records, engine: untouched as Engine, store: untouched as ObjectStore, log }).routes(server),
};

async function openApi(service: string, routes: (server: HttpServer) => void): Promise<object> {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8")) as {
    version: string;
  };
  const server = createHttpServer({ log, service, version });
  routes(server);
  await server.ready();
  const document = server.swagger();
  await server.close();
  return completeOpenApi(document as unknown as OpenApiDocument);
}

const schemas: Record<string, z.ZodType> = {
  "prepare-job": PrepareJob,
  "encode-job": EncodeJob,
  "publish-job": PublishJob,
  "encode-progress": EncodeProgress,
  plan: Plan,
  claim: Claim,
  "ingest-result": IngestResult,
  problem: Problem,
  "grant-claims": GrantClaims,
  "attempt-claims": AttemptClaims,
  "source-claims": SourceClaims,
};

/** As a reader sees it (`io: "input"`): fields that it does not know are none of its business and are allowed. */
function jsonSchema(name: string, schema: z.ZodType): object {
  const { $schema, ...rest } = z.toJSONSchema(schema, { target: "draft-2020-12", io: "input" });
  return { $schema, $id: `urn:gakuen:schema:${name}`, ...rest };
}

/** In the form that the formatter gives every JSON file of the project. */
function jsonFile(name: string, content: object): ContractFile {
  const biome = join(import.meta.dirname, "../node_modules/.bin/biome");
  const file = `${folder}/${name}`;
  const formatted = spawnSync(biome, ["format", `--stdin-file-path=${file}`], {
    input: JSON.stringify(content, null, 2),
    encoding: "utf8",
    cwd: join(import.meta.dirname, ".."),
  });
  if (formatted.status !== 0) throw new Error(`${file} could not be formatted: ${formatted.stderr}`);
  return { file, text: formatted.stdout };
}
