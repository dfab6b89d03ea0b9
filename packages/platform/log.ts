import { pino } from "pino";
import { prettyLine } from "./pretty-line.ts";

/** Carries its context: `log.child({ title, chunk, attempt })`; `service` names who speaks. */
export type Log = pino.Logger;

export interface LogOptions {
  readonly level: pino.LevelWithSilent;
  readonly format: "pretty" | "json";
  /** Where lines go; standard error unless given, so that standard output stays a command's answer. */
  readonly destination?: pino.DestinationStream;
}

/** A log that writes at once: what a process said before it was killed has been said. */
export function createLog({ level, format, destination }: LogOptions): Log {
  const out = destination ?? pino.destination({ dest: 2, sync: true });
  if (format === "json") return pino({ level }, out);
  return pino({ level, base: null }, { write: (line: string) => out.write(prettyLine(line)) });
}
