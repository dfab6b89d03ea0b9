import { fileURLToPath } from "node:url";
import { PipelineError } from "@gakuen/contracts";
import { openFileStore } from "./fs-store.ts";
import type { ObjectStore } from "./port.ts";

/** Opens what a URL of each scheme names. The vendors' SDKs take half a second to load: only who needs one loads it. */
const openers: Readonly<Record<string, (url: URL) => Promise<ObjectStore>>> = {
  "file:": async (url) => {
    if (url.host !== "" || url.search !== "" || url.hash !== "") {
      throw new Error('it must be "file://" and an absolute path; write "?" as %3F and "#" as %23');
    }
    return await openFileStore(fileURLToPath(url));
  },
  "s3:": async (url) => (await import("./s3-store.ts")).openS3Store(url),
  "gs:": async (url) => (await import("./s3-store.ts")).openS3Store(url),
  "azure:": async (url) => (await import("./azure-store.ts")).openAzureStore(url),
};

const supported = Object.keys(openers)
  .map((scheme) => `${scheme}//`)
  .join(", ");

/**
 * Opens the store that `url` names: `file:///folder`, `s3://bucket/prefix`, `gs://bucket/prefix`,
 * `azure://account/container/prefix`; docs/storage.md has their parameters and credentials. Errors: `config.invalid`
 * for a URL that names none, and those of the store itself.
 */
export async function openStore(url: string): Promise<ObjectStore> {
  const refuse = (why: string, cause?: unknown): PipelineError =>
    new PipelineError("config.invalid", `"${url}" (GAKUEN_STORE_URL) is not the URL of a store: ${why}`, { cause });
  if (!URL.canParse(url)) throw refuse(`it must begin with one of ${supported}`);
  const parsed = new URL(url);
  const open = openers[parsed.protocol];
  if (open === undefined) throw refuse(`supported are ${supported}`);
  try {
    return await open(parsed);
  } catch (error) {
    if (error instanceof PipelineError) throw error;
    throw refuse(error instanceof Error ? error.message : String(error), error);
  }
}
