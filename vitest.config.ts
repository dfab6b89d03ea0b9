import { defineConfig } from "vitest/config";

const exclude = ["**/node_modules/**"];
const real = {
  exclude,
  testTimeout: 120_000,
  hookTimeout: 180_000,
  // Browsers, databases and encoders share two cores here; what fails twice in a row is broken.
  retry: 1,
};

/**
 * `*.test.ts` are pure and fast. `*.real.ts` use ffmpeg, a database, a store, a browser. Those of the parts mostly wait,
 * so two of their files run at a time; those of the whole (test/) fill a small machine and would starve each other.
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
          include: ["{packages,services,apps}/**/*.real.ts"],
          ...real,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/**/*.real.ts"],
          ...real,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
