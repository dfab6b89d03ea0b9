import type { TitleId, TitleView } from "@gakuen/contracts";
import { MultiBar, Presets, type SingleBar } from "cli-progress";

export interface ProgressDisplay {
  say(line: string): void;
  /** The bar, and the lines about what has just become true. */
  show(title: TitleView): void;
  /** The bar alone. */
  showBar(title: TitleView): void;
  close(): void;
}

export interface ProgressDisplayOptions {
  readonly output: NodeJS.WriteStream;
  readonly urlOf: (path: string) => string;
}

/** One bar per title on a terminal; elsewhere a line at each state and each tenth. Says where a title plays as soon as
 * it plays. */
export function showProgress({ output, urlOf }: ProgressDisplayOptions): ProgressDisplay {
  const terminal = output.isTTY ? terminalBars(output) : plainLines(output);
  const told = new Map<TitleId, Set<string>>();
  const once = (title: TitleView, what: string, line: string): void => {
    const already = told.get(title.id) ?? new Set();
    told.set(title.id, already);
    if (!already.has(what)) terminal.say(line);
    already.add(what);
  };
  return {
    say: terminal.say,
    close: terminal.close,
    showBar: terminal.show,
    show(title) {
      terminal.show(title);
      if (title.playable) once(title, "playable", `▶ ${title.name} plays at ${urlOf(title.links.watch)}`);
      if (title.state === "ready") once(title, "ready", `✔ ${title.name} is complete`);
      if (title.error && title.state === "failed")
        once(
          title,
          `failed ${title.error.message}`,
          `✘ ${title.name} failed: ${title.error.message} [${title.error.code}]`,
        );
    },
  };
}

interface Screen {
  say(line: string): void;
  show(title: TitleView): void;
  close(): void;
}

function terminalBars(output: NodeJS.WriteStream): Screen {
  const bars = new MultiBar(
    {
      stream: output,
      format: " {bar} {percentage}%  {name}  {state}",
      hideCursor: true,
      clearOnComplete: false,
      forceRedraw: true,
      autopadding: true,
    },
    Presets.shades_classic,
  );
  const byTitle = new Map<TitleId, SingleBar>();
  return {
    say: (line) => bars.log(`${line}\n`),
    show(title) {
      const percent = Math.floor(title.progress * 100);
      const payload = { name: title.name, state: title.state };
      const bar = byTitle.get(title.id);
      if (bar) bar.update(percent, payload);
      else byTitle.set(title.id, bars.create(100, percent, payload));
    },
    close: () => bars.stop(),
  };
}

function plainLines(output: NodeJS.WriteStream): Screen {
  const last = new Map<TitleId, string>();
  return {
    say: (line) => output.write(`${line}\n`),
    show(title) {
      const tenth = Math.floor(title.progress * 10) * 10;
      const line = `${title.name}: ${title.state}${title.state === "encoding" ? ` ${tenth} %` : ""}`;
      if (last.get(title.id) !== line) output.write(`${line}\n`);
      last.set(title.id, line);
    },
    close: () => undefined,
  };
}
