import { PipelineError } from "@gakuen/contracts";
import { badStoreUrl, checkEndpoint, keyPrefix, parameters } from "./store-url.ts";

/** Where an Azure store is, as its URL and the environment say. */
export interface AzureLocation {
  readonly account: string;
  /** The account's address, without a slash at its end. */
  readonly endpoint: string;
  readonly container: string;
  /** What all keys begin with: "" or ending with a slash. */
  readonly prefix: string;
  readonly accountKey: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The parts of `Name=value;…`; values may have "=" themselves. */
function connectionParts(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    text.split(";").flatMap((part) => {
      const at = part.indexOf("=");
      return at < 0 ? [] : [[part.slice(0, at).trim(), part.slice(at + 1).trim()]];
    }),
  );
}

/**
 * Reads `azure://account/container/prefix?endpoint=…`. The account's key comes from AZURE_STORAGE_KEY or
 * AZURE_STORAGE_CONNECTION_STRING, which may also give the endpoint. Errors: `config.invalid`.
 */
export function azureLocation(url: URL, environment: Environment): AzureLocation {
  const [, container = "", ...rest] = url.pathname.split("/");
  if (url.host === "" || container === "" || url.hash !== "" || url.username !== "" || url.port !== "") {
    throw badStoreUrl(
      url.href.replace(/\/\/[^@/]*@/, "//…@"),
      "write it as azure://account/container/prefix; the account's key belongs into AZURE_STORAGE_KEY",
    );
  }
  const given = parameters(url, ["endpoint"]);
  const connection = connectionParts(environment["AZURE_STORAGE_CONNECTION_STRING"] ?? "");
  const account = url.host;
  if (connection["AccountName"] !== undefined && connection["AccountName"] !== account) {
    throw new PipelineError(
      "config.invalid",
      `AZURE_STORAGE_CONNECTION_STRING is for the account ${connection["AccountName"]}, the store's URL for ${account}`,
    );
  }
  const accountKey = environment["AZURE_STORAGE_KEY"] ?? connection["AccountKey"];
  if (!accountKey) {
    throw new PipelineError(
      "config.invalid",
      `The key of the Azure account ${account} is missing; set AZURE_STORAGE_KEY or AZURE_STORAGE_CONNECTION_STRING`,
    );
  }
  const suffix = connection["EndpointSuffix"] ?? "core.windows.net";
  const endpoint = given.endpoint ?? connection["BlobEndpoint"] ?? `https://${account}.blob.${suffix}`;
  return {
    account,
    endpoint: checkEndpoint(endpoint, given.endpoint ? "endpoint" : "BlobEndpoint").replace(/\/$/, ""),
    container: decodeURIComponent(container),
    prefix: keyPrefix(rest.join("/")),
    accountKey,
  };
}
