import { defineConfig } from "vitest/config";

const exclude = ["**/node_modules/**"];
const real = {
  testTimeout: 120_000,
  hookTimeout: 180_000,
  // Browsers, databases and encoders share two cores here; what fails twice in a row is broken.
  retry: 1,
};
/** Browsers drop frames where others work beside them. */
const browsers = "test/e2e/streaming.real.ts";

/**
 * `*.test.ts` are pure and fast. `*.real.ts` use ffmpeg, a database, a store, a browser. Most of them wait as much as
 * they work, so two of their files run at a time; what plays in browsers runs alone.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "fast",
          include: ["{packages,services,apps,test,scripts}/**/*.test.ts"],
          exclude,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "real",
          include: ["{packages,services,apps}/**/*.real.ts", "test/{e2e,conformance,deploy,chaos}/*.real.ts"],
          exclude: [...exclude, browsers],
          ...real,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "alone",
          include: ["test/players/*.real.ts", browsers],
          exclude,
          ...real,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
