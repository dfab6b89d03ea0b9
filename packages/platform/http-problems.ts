import { PipelineError, type Problem, toProblem } from "@gakuen/contracts";
import { hasZodFastifySchemaValidationErrors, type ZodFastifySchemaValidationError } from "fastify-type-provider-zod";

/** The media type of RFC 9457. */
export const PROBLEM_TYPE = "application/problem+json";

/** What a caller is told of a failed request, and whether that hides a defect that belongs into the log. */
export interface ToldProblem {
  readonly problem: Problem;
  readonly unexpected: boolean;
}

interface RequestFault {
  readonly code: string;
  readonly statusCode: number;
  readonly message: string;
}

/** A fault of the request that Fastify found itself: not JSON, too large, a media type without a parser. */
function isRequestFault(error: unknown): error is RequestFault {
  if (!(error instanceof Error) || !("code" in error) || !("statusCode" in error)) return false;
  const { code, statusCode } = error;
  return typeof code === "string" && code.startsWith("FST_") && typeof statusCode === "number" && statusCode < 500;
}

/** `body.settings.rungs: Too small: …`; the part of the request as Fastify calls it, then the field. */
function fieldFault(part: string | undefined, fault: ZodFastifySchemaValidationError): string {
  const field = [part ?? "request", ...fault.instancePath.split("/").filter((name) => name !== "")].join(".");
  return `${field}: ${fault.message ?? "is invalid"}`;
}

function expectedProblem(error: unknown): Problem | undefined {
  if (error instanceof PipelineError) return error.code === "internal" ? undefined : toProblem(error);
  if (hasZodFastifySchemaValidationErrors(error)) {
    const faults = error.validation.map((fault) => fieldFault(error.validationContext, fault));
    return toProblem(new PipelineError("usage.invalid", faults.join("; ")));
  }
  if (isRequestFault(error)) {
    return { ...toProblem(new PipelineError("usage.invalid", error.message)), status: error.statusCode };
  }
  return undefined;
}

/**
 * The problem document (RFC 9457) for whatever a handler threw. Of unexpected errors it says nothing but `where` to
 * read more: their messages are about our insides.
 */
export function problemOf(error: unknown, where: string): ToldProblem {
  const problem = expectedProblem(error);
  if (problem !== undefined) return { problem, unexpected: false };
  return {
    problem: toProblem(new PipelineError("internal", `Something unexpected went wrong; ${where}`)),
    unexpected: true,
  };
}

/** The problem document for a path that does not exist. */
export function noSuchRoute(method: string, path: string): Problem {
  return { ...toProblem(new PipelineError("usage.invalid", `There is no ${method} ${path} here`)), status: 404 };
}
