import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { AddedTitle, Inspection, Plan, planIdOf, Problem, TitleView } from "@gakuen/contracts";
import { runProcess } from "@gakuen/ffmpeg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { numberedVideo } from "../fixtures/index.ts";
import { serveFolder } from "../players/static-server.ts";
import { gakuen, GakuenProcess, temporaryFolder } from "./gakuen-process.ts";
import { descendants, survivors } from "./process-tree.ts";

/** The command line as people and scripts use it: words, exit codes, what it leaves behind. */

const FRAMES = 240;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let film: string;
let long: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  const sound = { codec: "aac", sampleRate: 48_000, signal: "sweep", seconds: 10 } as const;
  film = await numberedVideo({ rate: "24", frames: FRAMES, size: { width: 640, height: 360 }, sound });
  long = await numberedVideo({
    rate: "24",
    frames: 24 * 60,
    size: { width: 640, height: 360 },
    sound: { ...sound, seconds: 60 },
  });
});

afterAll(() => folder?.[Symbol.asyncDispose]());

const problemIn = (stderr: string): Problem => Problem.parse(JSON.parse(stderr.trim().split("\n").at(-1) ?? ""));

describe.concurrent("help", () => {
  const services = ["kaichou", "fukukaichou", "otetsudai", "kaikeishi", "shoki"];
  const clients = ["add", "list", "show", "priority", "pause", "resume", "cancel", "retry", "remove", "conformance"];
  const commands = ["up", "encode", "inspect", "plan", ...services, ...clients];

  test("names every command", async () => {
    const { code, stdout } = await gakuen(["--help"]);
    expect(code).toBe(0);
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, "m"));
  });

  test.each(commands)("of %s has an example that begins with the command", async (command) => {
    const { code, stdout } = await gakuen([command, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`Examples?:\\n( +.*\\n)*? +.*gakuen ${command}\\b`));
  });

  test("tells the version, and what each exit code means", async () => {
    expect((await gakuen(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const { stdout } = await gakuen(["help", "exit-codes"]);
    expect(stdout).toMatch(/^ *66 .*title\.not-found/m);
  });
});

describe.concurrent("words that are wrong", () => {
  test.each([
    ["no such command", ["fly"]],
    ["no such option", ["list", "--fast"]],
    ["no source", ["encode"]],
    ["no folder", ["encode", "film.mp4"]],
    ["a preset that is none", ["plan", "film.mp4", "--preset", "hasty"]],
    ["a rung that is none", ["plan", "film.mp4", "--rungs", "720,high"]],
    ["no name", ["add", "film.mp4", "--name", ""]],
    ["a priority out of range", ["add", "film.mp4", "--priority", "16"]],
    ["an id that cannot be one", ["show", "No Such!"]],
    ["a scheme nobody reads", ["inspect", "ftp://127.0.0.1/film.mp4"]],
  ])("%s: exit 64", async (_name, args) => {
    const { code, stderr } = await gakuen(args);
    expect(stderr).not.toBe("");
    expect(stderr).not.toContain("    at ");
    expect(code).toBe(64);
  });

  test.each([
    ["GAKUEN_PORT", "eighty", []],
    ["GAKUEN_SLOTS", "0", []],
    ["GAKUEN_DATABASE_URL", "mysql://host/db", []],
    ["--log-level", "loud", ["--log-level", "loud"]],
  ])("a setting that does not do: exit 78, and %s is named", async (name, value, flags) => {
    const env = name.startsWith("GAKUEN") ? { [name]: value } : {};
    const { code, stderr } = await gakuen(["up", "--data-dir", join(folder.path, "never"), ...flags], env);
    expect(stderr).toContain(name);
    expect(stderr).toContain("[config.invalid]");
    expect(code).toBe(78);
    expect(existsSync(join(folder.path, "never"))).toBe(false);
  });

  test("a service of its own without a database: exit 78, and the setting is named", async () => {
    const { code, stderr } = await gakuen(["shoki"], { GAKUEN_DATABASE_URL: "" });
    expect(stderr).toContain("GAKUEN_DATABASE_URL");
    expect(code).toBe(78);
  });
});

describe.concurrent("looking at a source", () => {
  test("inspect tells what it is, in words and as JSON", async () => {
    const words = await gakuen(["inspect", film]);
    expect(words.code).toBe(0);
    expect(words.stdout).toMatch(/frames +240 at 24\/1 fps, constant, progressive/);
    const json = await gakuen(["inspect", film, "--json"]);
    expect(Inspection.parse(JSON.parse(json.stdout)).video?.frames).toBe(FRAMES);
  });

  test("plan tells each decision with its reason, and the JSON is a plan that is named by its own hash", async () => {
    const words = await gakuen(["plan", film, "--rungs", "360,240"]);
    expect(words.code).toBe(0);
    const json = await gakuen(["plan", film, "--rungs", "360,240", "--json"]);
    const { id, ...body } = z.looseObject({ id: z.string() }).parse(JSON.parse(json.stdout));
    const plan = Plan.parse(body);
    expect(planIdOf(body)).toBe(id);
    expect(words.stdout).toContain(id);
    expect(plan.tracks.map((track) => track.id)).toEqual(["v360", "v240", "a1"]);
    expect(plan.decisions.length).toBeGreaterThan(0);
    for (const { choice, because } of plan.decisions) {
      expect(words.stdout).toContain(choice);
      expect(words.stdout).toContain(`because ${because}`);
    }
  });

  test("leaves nothing in the folder where it is run", async () => {
    const cwd = join(folder.path, "empty");
    await mkdir(cwd);
    for (const command of ["inspect", "plan"]) expect((await gakuen([command, film], {}, cwd)).code).toBe(0);
    expect(await readdir(cwd)).toEqual([]);
  });
});

describe("encode", () => {
  test("leaves a stream and nothing else, which ffmpeg plays to the last frame over DASH and HLS", async () => {
    const cwd = join(folder.path, "work");
    await mkdir(cwd);
    const { code, stdout } = await gakuen(["encode", film, "--out", "stream", "--json"], {}, cwd);
    expect(code).toBe(0);
    expect(z.object({ title: TitleView }).parse(JSON.parse(stdout)).title.state).toBe("ready");
    expect(await readdir(cwd)).toEqual(["stream"]);
    const out = join(cwd, "stream");
    const tracks = ["a1", "v240", "v360"];
    expect((await readdir(out)).sort()).toEqual(
      [...tracks, ...tracks.map((track) => `${track}.m3u8`), "manifest.mpd", "master.m3u8"].sort(),
    );
    for (const track of tracks) {
      const names = await readdir(join(out, track));
      const numbers = names.filter((name) => name !== "init.mp4").map((name) => Number(/^(\d+)\.m4s$/.exec(name)?.[1]));
      expect(numbers.sort((a, b) => a - b)).toEqual(numbers.map((_, index) => index + 1));
      expect(names).toHaveLength(numbers.length + 1);
    }

    await using server = await serveFolder(out);
    for (const manifest of ["manifest.mpd", "master.m3u8"]) {
      const args = [
        "-hide_banner",
        "-nostdin",
        "-i",
        `${server.origin}/${manifest}`,
        "-map",
        "0:v:0",
        "-f",
        "null",
        "-",
      ];
      const { stderr } = await runProcess("ffmpeg", ["-stats", ...args], { signal: AbortSignal.timeout(60_000) });
      expect([manifest, [...stderr.matchAll(/frame= *(\d+)/g)].at(-1)?.[1]]).toEqual([manifest, String(FRAMES)]);
    }

    const before = await readFile(join(out, "manifest.mpd"), "utf8");
    const second = await gakuen(["encode", film, "--out", out, "--json"]);
    expect(problemIn(second.stderr).code).toBe("usage.invalid");
    expect(second.code).toBe(64);
    expect(await readFile(join(out, "manifest.mpd"), "utf8")).toBe(before);
  });

  test("interrupted by Ctrl-C it ends at once and leaves its work; the same command goes on and completes", async () => {
    const out = join(folder.path, "interrupted");
    const args = ["encode", long, "--out", out, "--preset", "fast"];
    const first = await GakuenProcess.start(args, /encoding [1-9]0 %/);
    const children = await descendants(first.pid);
    expect(children.length).toBeGreaterThan(1);
    expect(await first.kill("SIGINT")).toBe(75);
    expect(first.output).toContain("run the same command again");
    expect(await survivors(children, 1000)).toEqual([]);
    expect(await readdir(out)).toEqual([".gakuen"]);
    const stored = await segmentsBelow(out);
    expect(stored.length).toBeGreaterThan(0);

    const second = await gakuen(args);
    expect(second.stderr).not.toContain("encoding 0 %");
    expect(second.code).toBe(0);
    expect(await readdir(out)).not.toContain(".gakuen");
  });
});

const segmentsBelow = async (path: string): Promise<string[]> =>
  (await readdir(path, { recursive: true })).filter((name) => name.endsWith(".m4s"));

describe("a running Gakuen", () => {
  let server: GakuenProcess;
  let client: NodeJS.ProcessEnv;

  beforeAll(async () => {
    server = await GakuenProcess.up(join(folder.path, "data"), [film, film]);
    client = { GAKUEN_PORT: new URL(server.url).port };
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  const list = async (): Promise<TitleView[]> =>
    z.array(TitleView).parse(JSON.parse((await gakuen(["list", "--json"], client)).stdout));

  test("a source that is named twice is one title, also when `up` is repeated", async () => {
    expect(await list()).toHaveLength(1);
    await server.kill("SIGTERM");
    server = await GakuenProcess.up(join(folder.path, "data"), [film]);
    client = { GAKUEN_PORT: new URL(server.url).port };
    expect((await list()).map(({ source }) => source)).toEqual([film]);
  });

  test("add, list, show, priority, pause, resume, cancel, retry, remove", async () => {
    const added = await gakuen(["add", long, "--name", "A Long One", "--preset", "slow", "--json"], client);
    expect(added.code).toBe(0);
    const { id } = AddedTitle.parse(JSON.parse(added.stdout));
    const shown = async (): Promise<TitleView> =>
      TitleView.parse(JSON.parse((await gakuen(["show", id, "--json"], client)).stdout));
    expect(await shown()).toMatchObject({ id, name: "A Long One" });
    expect((await gakuen(["list"], client)).stdout).toMatch(new RegExp(`^${id} .*A Long One$`, "m"));
    expect((await gakuen(["show", id], client)).stdout).toMatch(/^name +A Long One$/m);

    await server.until(id, ({ progress }) => progress > 0);
    expect(await gakuen(["priority", id, "3"], client)).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(await gakuen(["priority", id, "first"], client)).toMatchObject({ code: 64 });
    expect((await gakuen(["pause", id], client)).code).toBe(0);
    expect(await shown()).toMatchObject({ state: "paused", priority: 3 });
    expect((await gakuen(["resume", id], client)).code).toBe(0);
    expect(await shown()).toMatchObject({ state: "encoding" });
    expect(await gakuen(["cancel", id], client)).toMatchObject({ code: 0, stdout: "", stderr: "" });
    const cancelled = await shown();
    expect(cancelled).toMatchObject({ state: "cancelled" });
    expect(cancelled.progress).toBeLessThan(1);
    // What has ended cannot be ended again.
    const again = await gakuen(["cancel", id, "--json"], client);
    expect(problemIn(again.stderr).code).toBe("title.wrong-state");
    expect(again.code).toBe(65);

    const retried = await gakuen(["retry", id, "--json"], client);
    expect([retried.code, JSON.parse(retried.stdout)]).toEqual([0, { id, done: "retry" }]);
    const title = await server.until(id, ({ state, progress }) => state === "encoding" && progress > 0);
    expect(title.progress).toBeGreaterThanOrEqual(cancelled.progress);

    expect((await gakuen(["remove", id], client)).code).toBe(0);
    expect((await gakuen(["show", id], client)).code).toBe(66);
    expect(existsSync(join(folder.path, "data", "store", "titles", id))).toBe(false);
  });

  test("a second one beside it, with its own folder and port, knows nothing of the first", async () => {
    await using other = await GakuenProcess.up(join(folder.path, "other"), [long]);
    expect(other.url).not.toBe(server.url);
    // The option wins over the environment.
    const there = await gakuen(["list", "--json", "--port", new URL(other.url).port], client);
    expect(
      z
        .array(TitleView)
        .parse(JSON.parse(there.stdout))
        .map(({ source }) => source),
    ).toEqual([long]);
    expect((await list()).map(({ source }) => source)).toEqual([film]);
  });

  test("a second one on the same data folder is refused: exit 73, and the first goes on", async () => {
    const { code, stderr } = await gakuen(["up", "--data-dir", join(folder.path, "data"), "--port", "0"]);
    expect(stderr).toContain("[config.data-dir-in-use]");
    expect(stderr).toContain(String(server.pid));
    expect(code).toBe(73);
    expect(await list()).toHaveLength(1);
  });

  test("a port that is taken: exit 69, the port is named, and no database stays behind", async () => {
    const port = new URL(server.url).port;
    const data = join(folder.path, "refused");
    const { code, stderr } = await gakuen(["up", "--data-dir", data, "--port", port]);
    expect(stderr).toContain(`Port ${port}`);
    expect(stderr).toContain("[config.port-in-use]");
    expect(stderr).not.toContain("    at ");
    expect(code).toBe(69);
    expect(existsSync(join(data, "postgres", "data", "postmaster.pid"))).toBe(false);
  });

  test("a title that is not there: exit 66", async () => {
    const asked = ["show", "pause", "resume", "cancel", "retry", "remove"].map(async (command) => {
      const { code, stderr } = await gakuen([command, "no-such-title", "--json"], client);
      expect([command, problemIn(stderr).code]).toEqual([command, "title.not-found"]);
      expect(code).toBe(66);
    });
    await Promise.all(asked);
  });

  test("add says what is wrong with the source, and how to get rid of the title; --no-wait leaves that to whoever looks", async () => {
    const nowhere = join(folder.path, "nowhere.mkv");
    const { code, stdout, stderr } = await gakuen(["add", nowhere], client);
    expect({ code, stdout }).toEqual({ code: 66, stdout: "" });
    expect(stderr).toMatch(/nowhere\.mkv.*"gakuen remove nowhere-\w+".*\[source\.not-found\]/);
    const unseen = await gakuen(["add", nowhere, "--no-wait"], client);
    expect(unseen).toMatchObject({ code: 0, stdout: expect.stringMatching(/^nowhere-\w+\nwaits .* http/), stderr: "" });
    for (const { id, source } of await list())
      if (source === nowhere) expect(await gakuen(["remove", id], client)).toMatchObject({ code: 0 });
  });

  test("where none runs, every client command says so: exit 69", async () => {
    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const { port } = closed.address() as AddressInfo;
    closed.close();
    for (const args of [["list"], ["show", "some-title"], ["add", film]]) {
      const { code, stderr } = await gakuen([...args, "--port", String(port)]);
      expect(stderr).toContain("[service.unreachable]");
      expect(stderr).toContain(String(port));
      expect(code).toBe(69);
    }
  });

  test("Ctrl-C in the middle of an encode: exit 0, no process stays, and the next start goes on", async () => {
    const added = await gakuen(["add", long, "--preset", "slow", "--json"], client);
    const { id } = AddedTitle.parse(JSON.parse(added.stdout));
    await server.until(id, ({ progress }) => progress > 0);
    const children = await descendants(server.pid);
    const programs = children.map(({ command }) => command.join(" "));
    expect(programs.some((program) => program.includes("postgres"))).toBe(true);
    expect(programs.some((program) => program.includes("ffmpeg"))).toBe(true);
    expect(await server.kill("SIGINT")).toBe(0);
    expect(await survivors(children, 1000)).toEqual([]);

    server = await GakuenProcess.up(join(folder.path, "data"));
    const { state, progress } = await server.title(id);
    expect(state).toBe("encoding");
    expect(progress).toBeGreaterThan(0);
    await server.until(id, (title) => title.progress > progress);
  });
});
