import { pino } from "pino";

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null;

function clock(time: unknown): string {
  const date = new Date(Number(time));
  const two = (part: number): string => String(part).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `name=value`; text in quotes only where it would run into what follows. */
function pair([name, value]: [string, unknown]): string {
  if (typeof value === "string") return `${name}=${/^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)}`;
  return `${name}=${JSON.stringify(value)}`;
}

/** Control characters as escapes: a message with a line feed or terminal codes must not look like lines of ours. */
function plain(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (character) => {
    const escaped = JSON.stringify(character).slice(1, -1);
    // JSON leaves DEL and the C1 controls as they are; terminals may not.
    return escaped === character ? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}` : escaped;
  });
}

/** The stack of what was thrown, where it helps: our own errors say in words what was wrong. */
function stackOf(err: unknown): string {
  if (!isFields(err) || typeof err.stack !== "string" || (err.type === "PipelineError" && err.code !== "internal")) {
    return "";
  }
  return `\n${err.stack.replaceAll(/^/gm, "    ")}`;
}

/**
 * One JSON line of pino for people: local time, level, service, message, then what else was told as name=value.
 * The stack of an unexpected error follows on lines of its own. Ends with a line feed.
 */
export function prettyLine(json: string): string {
  const { level, time, service, msg, err, ...context } = JSON.parse(json) as Fields;
  const label = pino.levels.labels[Number(level)] ?? String(level);
  const thrown: Fields = isFields(err)
    ? { ...(err.code === undefined ? {} : { code: err.code }), error: err.message }
    : {};
  const rest: Fields = { ...context, ...thrown };
  const columns = [
    `${clock(time)} ${label.padEnd(5)}`,
    typeof service === "string" ? service : "",
    typeof msg === "string" ? plain(msg) : "",
    plain(Object.entries(rest).map(pair).join(" ")),
  ];
  return `${columns.filter((column) => column !== "").join("  ")}${stackOf(err)}\n`;
}
