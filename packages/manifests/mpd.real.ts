import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { presentation } from "./model.ts";
import { writeMpd } from "./mpd.ts";
import { altered, audioTracks, planOf, videoTracks } from "./plan.fixture.ts";

test("xmllint finds the MPD well-formed and reads back the label, whatever it contains", async () => {
  const label = `]]> <!-- & "quotes" 'apostrophes' \u0000 \u000b 日本語 🎬`;
  const mpd = writeMpd(
    presentation(planOf([...videoTracks, ...audioTracks.map((track) => altered(track, { label }))])),
  );
  const folder = await mkdtemp(join(tmpdir(), "gakuen-mpd-"));
  try {
    const file = join(folder, "manifest.mpd");
    await writeFile(file, mpd);
    const { stdout } = await promisify(execFile)("xmllint", ["--xpath", "string(//*[local-name()='Label'])", file]);
    expect(stdout.trimEnd()).toBe(label.replace("\u0000", "\u{FFFD}").replace("\u000b", "\u{FFFD}"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
