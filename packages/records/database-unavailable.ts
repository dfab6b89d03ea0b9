import { PipelineError } from "@gakuen/contracts";
import { DatabaseError } from "pg";

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

/**
 * Classes of PostgreSQL's codes (its manual, appendix A) that say nothing of the statement: connection exceptions,
 * insufficient resources (a full disk, no memory), operator intervention, system errors.
 */
const outageClasses: ReadonlySet<string> = new Set(["08", "53", "57", "58"]);

/** pg reports lost connections by message only. */
const lostConnection = /connection terminated|timeout expired|timeout exceeded when trying to connect|not queryable/i;

/** Why the server cannot be used; undefined where it answered that something is wrong with the statement. */
function outage(error: Error): string | undefined {
  // A host with several addresses fails with one error for all of them.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (!(first instanceof Error)) return undefined;
  const code = "code" in first ? String(first.code) : "";
  const known = advice[code];
  if (known !== undefined) return known;
  if (first instanceof DatabaseError) return outageClasses.has(code.slice(0, 2)) ? first.message : undefined;
  if (lostConnection.test(error.message)) return "the connection was lost";
  // The system's own word on the connection. There are too many to list: a route that leads nowhere is EINVAL.
  return "syscall" in first ? first.message : undefined;
}

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
  const reason = error instanceof Error ? outage(error) : undefined;
  if (reason === undefined) return error;
  return new PipelineError(
    "database.unavailable",
    `the database at ${databasePlace(url)} cannot be used: ${reason} (GAKUEN_DATABASE_URL says where it is)`,
    { cause: error },
  );
}
