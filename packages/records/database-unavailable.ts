import { PipelineError } from "@gakuen/contracts";

/** What to check, by the code that Node or PostgreSQL gave. */
const advice: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there; is PostgreSQL running, and are host and port right?",
  ENOTFOUND: "there is no host of this name",
  EAI_AGAIN: "the name of the host could not be looked up",
  ETIMEDOUT: "it does not answer; is there a firewall between?",
  ECONNRESET: "the connection was cut",
  EPIPE: "the connection was cut",
  "28P01": "the user or the password is wrong",
  "28000": "the server refuses this user",
  "3D000": "there is no database of this name; create it",
  "53300": "it has no free connections; raise max_connections or start fewer services",
  "57P01": "it is shutting down",
  "57P02": "it crashed and is recovering",
  "57P03": "it is starting up",
};

/** pg reports lost connections by message only. */
const lostConnection = /connection terminated|timeout expired|timeout exceeded when trying to connect|not queryable/i;

/** Host, port and database of a URL, without user and password. */
export function databasePlace(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null) return "an address that is not a URL";
  return `${parsed.hostname || "localhost"}:${parsed.port || "5432"}${parsed.pathname}`;
}

/**
 * The error to show for `error` of the database at `url`: `database.unavailable` where the server could not be
 * reached or has gone away, else `error` itself. Never contains the password.
 */
export function asUnavailable(error: unknown, url: string): unknown {
  if (!(error instanceof Error)) return error;
  // A host with several addresses fails with one error for all of them.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const code = first instanceof Error && "code" in first ? String(first.code) : "";
  const reason = advice[code] ?? (lostConnection.test(error.message) ? "the connection was lost" : undefined);
  if (reason === undefined) return error;
  return new PipelineError(
    "database.unavailable",
    `the database at ${databasePlace(url)} cannot be used: ${reason} (GAKUEN_DATABASE_URL says where it is)`,
    { cause: error },
  );
}
