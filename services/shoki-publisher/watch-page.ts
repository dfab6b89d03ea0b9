import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { PipelineError, titleLinks } from "@gakuen/contracts";
import type { TitleRow } from "@gakuen/records";

const require = createRequire(import.meta.url);

/** The only file that the page loads. */
const PLAYER_FILE = "shaka-player.js";

export async function playerFile(name: string): Promise<Buffer> {
  if (name === PLAYER_FILE) return await readFile(require.resolve("shaka-player/dist/shaka-player.compiled.js"));
  throw new PipelineError("segment.not-found", `there is no player file ${name}`);
}

/** The page that plays a title, or says that there is none. */
export function watchPage(row: TitleRow | undefined): string {
  if (!row) return page("No such title", `<p class="note">There is no title at this address.</p>`);
  const links = titleLinks(row.id);
  return page(
    row.name,
    `<video id="video" controls autoplay muted playsinline></video>
    <p id="note" class="note" role="status"></p>
    <p class="links">Also for players of your own: <a href="${links.dash}">DASH</a> <a href="${links.hls}">HLS</a></p>
    <script src="/watch/-/${PLAYER_FILE}"></script>
    <script type="module">${playerScript(links.dash)}</script>`,
  );
}

/** Loads the manifest; what goes wrong is said on the page. */
function playerScript(manifest: string): string {
  return `
    const note = document.getElementById("note");
    const explain = (error) => { note.textContent = "This title cannot be played (error " + (error.code ?? error.message) + "). Reload to try again."; };
    shaka.polyfill.installAll();
    if (shaka.Player.isBrowserSupported()) {
      const player = new shaka.Player();
      await player.attach(document.getElementById("video"));
      // A segment that is still being encoded is held by the server and may be refused for a while.
      const patience = { maxAttempts: 30, baseDelay: 500, backoffFactor: 1.2, timeout: 30000 };
      player.configure({
        streaming: { retryParameters: patience },
        manifest: { retryParameters: patience },
        // The browser's guess of the line says nothing about a segment that is still to be made: begin low.
        abr: { useNetworkInformation: false, defaultBandwidthEstimate: 500000 },
      });
      player.addEventListener("error", (event) => explain(event.detail));
      try { await player.load(${JSON.stringify(manifest)}); } catch (error) { explain(error); }
    } else note.textContent = "This browser cannot play the stream.";`;
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} – Gakuen</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: dark; }
  body { margin: 0 auto; max-width: 72rem; padding: 1.5rem 1rem; background: #111318; color: #e8eaf0; font: 16px/1.5 system-ui, sans-serif; }
  h1 { font-size: 1.25rem; font-weight: 600; margin: 0 0 1rem; overflow-wrap: anywhere; }
  video { display: block; width: 100%; max-height: 80vh; aspect-ratio: 16 / 9; background: #000; border-radius: 8px; }
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
