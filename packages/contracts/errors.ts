import { z } from "zod";

interface ErrorKind {
  /** HTTP status of a problem document (RFC 9457) with this code. */
  readonly status: number;
  /** Whether trying the same thing again, unchanged, can help. */
  readonly retry: boolean;
  /** Exit code of the command line. 1 is kept for defects; sysexits.h is the model. */
  readonly exit: number;
}

/** Every error that Gakuen tells anybody about. Codes are stable: programs may depend on them. */
export const errorKinds = {
  "usage.invalid": { status: 400, retry: false, exit: 64 },
  "source.not-found": { status: 422, retry: false, exit: 66 },
  "source.permission": { status: 422, retry: false, exit: 77 },
  "source.empty": { status: 422, retry: false, exit: 65 },
  "source.not-media": { status: 422, retry: false, exit: 65 },
  "source.no-streams": { status: 422, retry: false, exit: 65 },
  "source.truncated": { status: 422, retry: false, exit: 65 },
  "source.unsupported-codec": { status: 422, retry: false, exit: 65 },
  "source.zero-duration": { status: 422, retry: false, exit: 65 },
  "source.no-ranges": { status: 422, retry: false, exit: 65 },
  "source.unreachable": { status: 422, retry: true, exit: 69 },
  "source.changed": { status: 422, retry: false, exit: 65 },
  "encode.failed": { status: 500, retry: true, exit: 70 },
  "encode.stuck": { status: 500, retry: true, exit: 70 },
  "encode.incomplete": { status: 500, retry: true, exit: 70 },
  "encode.cancelled": { status: 409, retry: false, exit: 75 },
  "ingest.unauthorized": { status: 401, retry: false, exit: 77 },
  "ingest.claim-lost": { status: 409, retry: true, exit: 75 },
  "ingest.title-gone": { status: 410, retry: false, exit: 75 },
  "ingest.mismatch": { status: 422, retry: true, exit: 70 },
  "ingest.malformed": { status: 422, retry: true, exit: 65 },
  "ingest.too-large": { status: 413, retry: false, exit: 65 },
  "title.not-found": { status: 404, retry: false, exit: 66 },
  "title.wrong-state": { status: 409, retry: false, exit: 65 },
  "segment.not-found": { status: 404, retry: false, exit: 66 },
  "segment.not-ready": { status: 503, retry: true, exit: 75 },
  "store.not-found": { status: 404, retry: false, exit: 66 },
  "store.exists": { status: 409, retry: false, exit: 73 },
  "store.full": { status: 507, retry: true, exit: 73 },
  "store.unavailable": { status: 503, retry: true, exit: 69 },
  "database.unavailable": { status: 503, retry: true, exit: 69 },
  "service.unreachable": { status: 502, retry: true, exit: 69 },
  "config.invalid": { status: 500, retry: false, exit: 78 },
  "config.port-in-use": { status: 500, retry: false, exit: 69 },
  "config.data-dir-in-use": { status: 500, retry: false, exit: 73 },
  "tool.missing": { status: 500, retry: false, exit: 69 },
  "tool.failed": { status: 500, retry: true, exit: 70 },
  internal: { status: 500, retry: true, exit: 1 },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof errorKinds;

/** What is told to machines about an error: an RFC 9457 problem document. */
export const Problem = z
  .object({
    type: z.string().meta({ description: "urn:gakuen:error: and the code" }),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: z.string(),
    retry: z.boolean(),
  })
  .meta({ id: "Problem" });
export type Problem = z.infer<typeof Problem>;

/**
 * An error that says what was wrong and what to do. The code tells programs, the message tells people;
 * whether a retry helps and how it is reported follow from the code (see {@link errorKinds}).
 */
export class PipelineError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options);
    this.name = "PipelineError";
    this.code = code;
  }

  get retry(): boolean {
    return errorKinds[this.code].retry;
  }

  get status(): number {
    return errorKinds[this.code].status;
  }

  get exitCode(): number {
    return errorKinds[this.code].exit;
  }
}

const outages: ReadonlySet<ErrorCode> = new Set([
  "service.unreachable",
  "store.unavailable",
  "store.full",
  "database.unavailable",
]);

/** A service that the work needs is away: that says nothing about the work, and lasts as long as it lasts. */
export const isOutage = (error: unknown): boolean => error instanceof PipelineError && outages.has(error.code);

/** Any thrown value as a {@link PipelineError}; what is not one yet is a defect of ours (`internal`). */
export function toPipelineError(error: unknown): PipelineError {
  if (error instanceof PipelineError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new PipelineError("internal", message, { cause: error });
}

export function toProblem(error: PipelineError): Problem {
  return {
    type: `urn:gakuen:error:${error.code}`,
    title: error.code,
    status: error.status,
    detail: error.message,
    code: error.code,
    retry: error.retry,
  };
}

/** The error that a problem document tells of; what is not a known code becomes `service.unreachable`. */
export function fromProblem(body: unknown, fallback: string): PipelineError {
  const parsed = Problem.safeParse(body);
  if (!parsed.success || !(parsed.data.code in errorKinds)) return new PipelineError("service.unreachable", fallback);
  return new PipelineError(parsed.data.code as ErrorCode, parsed.data.detail);
}
