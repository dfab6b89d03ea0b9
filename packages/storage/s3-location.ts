import { badStoreUrl, checkEndpoint, keyPrefix, parameters } from "./store-url.ts";

/** Where an S3 store is, as its URL and the environment say. */
export interface S3Location {
  readonly bucket: string;
  /** What all keys begin with: "" or ending with a slash. */
  readonly prefix: string;
  /** Undefined: Amazon's own. */
  readonly endpoint: string | undefined;
  /** Undefined: as the SDK finds it in the profile. */
  readonly region: string | undefined;
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`. */
  readonly pathStyle: boolean;
  /** Google's XML interface is nearly S3; see docs/storage.md. */
  readonly google: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

const GOOGLE = "https://storage.googleapis.com";

/**
 * Reads `s3://bucket/prefix?endpoint=…&region=…&pathStyle=…` or `gs://bucket/prefix`. What the URL leaves open comes
 * from AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION and AWS_DEFAULT_REGION. Errors: `config.invalid`.
 */
export function s3Location(url: URL, environment: Environment): S3Location {
  const google = url.protocol === "gs:";
  if (url.host === "" || url.hash !== "" || url.username !== "" || url.port !== "") {
    throw badStoreUrl(
      url.href.replace(/\/\/[^@/]*@/, "//…@"),
      `write it as ${url.protocol}//bucket/prefix; credentials belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`,
    );
  }
  const given = parameters(url, ["endpoint", "region", "pathStyle"]);
  const endpoint = google
    ? (given.endpoint ?? GOOGLE)
    : (given.endpoint ?? environment["AWS_ENDPOINT_URL_S3"] ?? environment["AWS_ENDPOINT_URL"]);
  if (endpoint !== undefined) checkEndpoint(endpoint, given.endpoint ? "endpoint" : "AWS_ENDPOINT_URL_S3");
  if (given.pathStyle !== undefined && !["true", "false"].includes(given.pathStyle)) {
    throw badStoreUrl(url.href, "pathStyle is true or false");
  }
  const region = google
    ? (given.region ?? "auto")
    : (given.region ?? environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"]);
  return {
    bucket: decodeURIComponent(url.host),
    prefix: keyPrefix(url.pathname),
    endpoint,
    // Servers of one's own have no regions, but the signature needs one; this is what they expect.
    region: region ?? (endpoint === undefined ? undefined : "us-east-1"),
    pathStyle: given.pathStyle === undefined ? endpoint !== undefined : given.pathStyle === "true",
    google,
  };
}
