/**
 * Starts each player with its own defaults: what is tested is what a user's page does that sets nothing.
 * `tell(fatal, message)` takes every error that the player reports.
 */

const scripts = { "dash.js": "/dash.js", "shaka-dash": "/shaka.js", "shaka-hls": "/shaka.js", "hls.js": "/hls.js" };

/** Loads the player's bundle; not part of what is timed. */
export async function loadBundle(player) {
  const script = document.createElement("script");
  script.src = scripts[player];
  const loaded = new Promise((resolve, reject) => {
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Error(`the bundle of ${player} cannot be loaded`)));
  });
  document.head.append(script);
  await loaded;
}

export function startPlayer(player, video, url, tell) {
  if (player === "dash.js") startDash(video, url, tell);
  else if (player === "hls.js") startHls(video, url, tell);
  else void startShaka(video, url, player === "shaka-hls" ? "application/x-mpegurl" : "application/dash+xml", tell);
}

function startDash(video, url, tell) {
  const { dashjs } = globalThis;
  const player = dashjs.MediaPlayer().create();
  // Everything that dash.js calls an error ends playback, after its own retries.
  player.on(dashjs.MediaPlayer.events.ERROR, ({ error }) => tell(true, `${error?.code}: ${error?.message ?? error}`));
  player.initialize(video, url, true);
}

function startHls(video, url, tell) {
  const { Hls } = globalThis;
  const player = new Hls();
  player.on(Hls.Events.ERROR, (_event, { fatal, details, reason, error }) =>
    tell(fatal, `${details}: ${reason ?? error?.message ?? ""}`),
  );
  player.attachMedia(video);
  player.loadSource(url);
}

async function startShaka(video, url, mimeType, tell) {
  const { shaka } = globalThis;
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  const describe = (error) => `${error.code ?? error.name}: ${error.message}`;
  player.addEventListener("error", ({ detail }) =>
    tell(detail.severity === shaka.util.Error.Severity.CRITICAL, describe(detail)),
  );
  // Left alone shaka tries twice; a segment that is still being encoded may be refused (503) more often than that.
  player.configure({ streaming: { retryParameters: { maxAttempts: 4, baseDelay: 500, backoffFactor: 1.5 } } });
  try {
    await player.attach(video);
    await player.load(url, undefined, mimeType);
  } catch (error) {
    tell(true, describe(error));
  }
}
