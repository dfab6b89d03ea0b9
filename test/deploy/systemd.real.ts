import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);
const folder = fileURLToPath(new URL("../../deploy/systemd/", import.meta.url));
const has = await run("systemd-analyze", ["--version"]).then(
  () => true,
  () => false,
);
const units = ["kaichou", "kaikeishi", "shoki", "fukukaichou", "otetsudai@1"].map((name) => `gakuen-${name}.service`);

/** systemd's own scale: 0 is a locked room, 9.6 a unit that says nothing. */
test.skipIf(!has).each(units)("systemd finds %s exposed by no more than 2.0", async (unit) => {
  const options = ["security", "--offline=true", "--no-pager", "--threshold=20", unit];
  const env = { ...process.env, SYSTEMD_UNIT_PATH: `${folder}:` };
  const { stdout } = await run("systemd-analyze", options, { env });
  expect(stdout).toMatch(/Overall exposure level for .*: 1\.\d/);
});
