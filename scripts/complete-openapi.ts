/** The parts of an OpenAPI document that are looked at here. */
export interface OpenApiDocument {
  info: Record<string, unknown>;
  paths?: Record<string, Record<string, Record<string, unknown>>>;
  components?: Record<string, unknown>;
}

const bytes = (type: string) => ({ [type]: {} });
const text = (type: string) => ({ [type]: { schema: { type: "string" } } });
const header = (description: string) => ({ description, schema: { type: "string" } });
const answer = (description: string, content?: object, headers?: object) => ({
  description,
  ...(headers && { headers }),
  ...(content && { content }),
});
const bearer = { security: [{ bearer: [] }] };
const manifests = { ...text("application/dash+xml"), ...text("application/vnd.apple.mpegurl") };
const media = { ...bytes("video/mp4"), ...bytes("audio/mp4") };
const range = {
  in: "header",
  name: "Range",
  schema: { type: "string" },
  description: "one range of bytes (RFC 9110, 14)",
};
const parts = (content: object) => ({
  200: answer("the whole", content, { ETag: header("strong"), "Accept-Ranges": header("bytes") }),
  206: answer("the range that was asked for", content, { "Content-Range": header("bytes a-b/size") }),
  416: answer("the range lies beyond the end", undefined, { "Content-Range": header("bytes */size") }),
});
const notModified = { 304: answer("If-None-Match names the ETag") };

/**
 * What the schemas of the routes do not say, by method and path: bodies that are streams of media, redirects, ranges and
 * who needs a token.
 */
const additions: Record<string, Record<string, unknown>> = {
  "post /ingest/{title}/{plan}/{chunk}/claim": bearer,
  "put /ingest/{title}/{plan}/{track}/{chunk}": { ...bearer, requestBody: { required: true, content: media } },
  "get /sources/{title}": {
    parameters: [range],
    responses: {
      ...parts(bytes("application/octet-stream")),
      307: answer("to where the bytes are just now", undefined, { Location: header("a URL that may expire") }),
    },
  },
  "get /api/events": {
    responses: { 200: answer("events for as long as the client stays", text("text/event-stream")) },
  },
  "get /watch/{title}": { responses: { 200: answer("a page with a player", text("text/html")) } },
  "get /watch/{title}/{name}": {
    responses: { 302: answer("to the manifest under the current plan", undefined, { Location: header("a path") }) },
  },
  "get /watch/{title}/{plan}/{name}": {
    responses: { 200: answer("the manifest", manifests, { ETag: header("strong") }), ...notModified },
  },
  "get /watch/{title}/{plan}/{track}/{file}": {
    parameters: [range],
    responses: {
      ...parts(media),
      ...notModified,
      503: answer("still being encoded (a problem, segment.not-ready)", undefined, {
        "Retry-After": header("seconds"),
      }),
    },
  },
};

/** Adds what the routes' schemas leave out, and takes out the shared schemas that no route of this service uses. */
export function completeOpenApi(document: OpenApiDocument): OpenApiDocument {
  for (const [path, methods] of Object.entries(document.paths ?? {}))
    for (const [method, operation] of Object.entries(methods)) {
      const { responses = {}, parameters = [], ...more } = additions[`${method} ${path}`] ?? {};
      const own = operation["parameters"] as unknown[] | undefined;
      if (own !== undefined || (parameters as unknown[]).length > 0)
        operation["parameters"] = [...(own ?? []), ...(parameters as unknown[])];
      Object.assign(operation, more, {
        responses: { ...(responses as object), ...(operation["responses"] as object) },
      });
    }
  const told = JSON.stringify(document.paths);
  const schemas = Object.entries((document.components?.["schemas"] ?? {}) as Record<string, unknown>);
  const isUsed = (name: string): boolean =>
    [
      told,
      ...schemas
        .filter(([other]) => other !== name && told.includes(`/${other}"`))
        .map(([, schema]) => JSON.stringify(schema)),
    ].some((where) => where.includes(`"#/components/schemas/${name}"`));
  document.components = {
    schemas: Object.fromEntries(schemas.filter(([name]) => isUsed(name))),
    ...(told.includes('"bearer"') && {
      securitySchemes: { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } },
    }),
  };
  return document;
}
