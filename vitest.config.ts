import { defineConfig } from "vitest/config";

/**
 * `*.test.ts` are pure and fast. `*.real.ts` use ffmpeg, a database, a store, a browser; on a small machine they would
 * starve each other, so their files run one after another.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "fast",
          include: ["{packages,services,apps,test,scripts}/**/*.test.ts"],
          exclude: ["**/node_modules/**"],
        },
      },
      {
        test: {
          name: "real",
          include: ["{packages,services,apps,test}/**/*.real.ts"],
          exclude: ["**/node_modules/**"],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 180_000,
          // Browsers, databases and encoders share two cores here; what fails twice in a row is broken.
          retry: 1,
        },
      },
    ],
  },
});
