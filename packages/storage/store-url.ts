import { PipelineError } from "@gakuen/contracts";

/** The error for a store's URL that cannot be used. */
export function badStoreUrl(url: string, why: string, cause?: unknown): PipelineError {
  return new PipelineError("config.invalid", `"${url}" is not the URL of a store: ${why}`, { cause });
}

/** The URL's path as the beginning of keys: "" or ending with a slash. */
export function keyPrefix(path: string): string {
  const names = decodeURIComponent(path)
    .split("/")
    .filter((name) => name !== "");
  return names.map((name) => `${name}/`).join("");
}

/** The URL's parameters; refuses those that are not among `known`, since a misspelt one would be ignored. */
export function parameters<Name extends string>(url: URL, known: readonly Name[]): Partial<Record<Name, string>> {
  for (const name of url.searchParams.keys()) {
    if (!known.some((one) => one === name)) {
      throw badStoreUrl(url.href, `it has the parameter "${name}"; known are ${known.join(", ")}`);
    }
  }
  return Object.fromEntries(url.searchParams) as Partial<Record<Name, string>>;
}

/** An http or https address without a path, as given by the parameter or variable `name`. */
export function checkEndpoint(endpoint: string, name: string): string {
  const parsed = URL.parse(endpoint);
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.search !== "" || parsed.hash !== "") {
    throw new PipelineError(
      "config.invalid",
      `"${endpoint}" (${name}) is not the address of a store; write it as https://host or http://host:port`,
    );
  }
  return endpoint;
}
