import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { PipelineError, titleLinks } from "@gakuen/contracts";
import type { TitleRow } from "@gakuen/records";

const require = createRequire(import.meta.url);

/** What the page loads, by name; nothing else is served from the packages' folders. */
const assets: Record<string, { readonly module: string; readonly type: string } | undefined> = {
  "shaka-player.js": { module: "shaka-player/dist/shaka-player.ui.js", type: "text/javascript; charset=utf-8" },
  "shaka-player.css": { module: "shaka-player/dist/controls.css", type: "text/css; charset=utf-8" },
};

export async function playerAsset(name: string): Promise<{ readonly body: Buffer; readonly type: string }> {
  const asset = assets[name];
  if (!asset) throw new PipelineError("segment.not-found", `there is no player file ${name}`);
  return { body: await readFile(require.resolve(asset.module)), type: asset.type };
}

/** The page that plays a title, or says that there is none. */
export function watchPage(row: TitleRow | undefined): string {
  if (!row) return page("No such title", `<p class="note">There is no title at this address.</p>`);
  const links = titleLinks(row.id);
  return page(
    row.name,
    `<div data-shaka-player-container class="player">
      <video data-shaka-player id="video" autoplay muted playsinline></video>
    </div>
    <p id="note" class="note" role="status"></p>
    <p class="links">Also for players of your own: <a href="${links.dash}">DASH</a> <a href="${links.hls}">HLS</a></p>
    <script src="/watch/-/shaka-player.js"></script>
    <script>${playerScript(links.dash)}</script>`,
  );
}

/** Loads the manifest when shaka's UI is up; what goes wrong is said on the page. */
function playerScript(manifest: string): string {
  return `
    const note = document.getElementById("note");
    document.addEventListener("shaka-ui-loaded", async () => {
      const video = document.getElementById("video");
      const player = video.ui.getControls().getPlayer();
      // A segment that is still being encoded is held by the server and may be refused for a while.
      const patience = { maxAttempts: 30, baseDelay: 500, backoffFactor: 1.2, timeout: 30000 };
      player.configure({
        streaming: { retryParameters: patience },
        manifest: { retryParameters: patience },
        // The browser's guess of the line says nothing about a segment that is still to be made: begin low.
        abr: { useNetworkInformation: false, defaultBandwidthEstimate: 500000 },
      });
      player.addEventListener("error", (event) => { note.textContent = "Playback stopped: error " + event.detail.code + ". Reload to try again."; });
      try { await player.load(${JSON.stringify(manifest)}); }
      catch (error) { note.textContent = "This title cannot be played: error " + (error.code ?? error.message) + "."; }
    });
    document.addEventListener("shaka-ui-load-failed", () => { note.textContent = "This browser cannot play the stream."; });`;
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} – Gakuen</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/watch/-/shaka-player.css">
<style>
  :root { color-scheme: dark; }
  body { margin: 0 auto; max-width: 72rem; padding: 1.5rem 1rem; background: #111318; color: #e8eaf0; font: 16px/1.5 system-ui, sans-serif; }
  h1 { font-size: 1.25rem; font-weight: 600; margin: 0 0 1rem; overflow-wrap: anywhere; }
  .player { width: 100%; aspect-ratio: 16 / 9; background: #000; border-radius: 8px; overflow: hidden; }
  video { width: 100%; height: 100%; }
  a { color: #9db8ff; } .links { color: #a4a9b6; } .links a { margin-left: .5rem; } .note { color: #ffb4a8; }
</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
${body}
</body>
</html>
`;
}

const escapeHtml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
