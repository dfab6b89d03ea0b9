import { PipelineError } from "@gakuen/contracts";
import type { HttpServer } from "./http-server.ts";

export interface ListenAddress {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
}

function listenError(error: unknown, { host, port }: ListenAddress): PipelineError {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const cause = { cause: error };
  if (code === "EADDRINUSE") {
    return new PipelineError(
      "config.port-in-use",
      `Port ${port} of ${host} is taken by another program; stop that, or choose another with GAKUEN_PORT (0: any)`,
      cause,
    );
  }
  if (code === "EACCES") {
    return new PipelineError("config.invalid", `This user may not listen on port ${port}; change GAKUEN_PORT`, cause);
  }
  const why = error instanceof Error ? error.message : String(error);
  return new PipelineError("config.invalid", `Cannot listen on ${host} (${why}); change GAKUEN_HOST`, cause);
}

/**
 * Starts to listen and gives the base URL, without a slash at its end, under which this machine reaches the server.
 * Errors: `config.port-in-use`, `config.invalid` for an address that cannot be had.
 */
export async function listen(server: HttpServer, address: ListenAddress): Promise<string> {
  // What plugins and hooks throw is their error, not the address's.
  await server.ready();
  try {
    return await server.listen({ ...address, listenTextResolver: (url) => `listening on ${url}` });
  } catch (error) {
    throw listenError(error, address);
  }
}
