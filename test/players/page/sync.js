/**
 * Finds the flashes and beeps of a playing element on one common clock, the media's own.
 *
 * A flash is where the presented frame turns white: requestVideoFrameCallback says its media time exactly. A beep is
 * where the element's sound, tapped by Web Audio, becomes loud: its AudioContext time is exact to a sample, and
 * the element's position runs along with that clock while it plays, so the median of their differences maps one to the
 * other. Wall-clock times of the picture are not used: they jitter with the load of the machine.
 */
export async function watchSync(video, seconds, until) {
  const context = new AudioContext();
  await context.audioWorklet.addModule("beep-worklet.js");
  const detector = new AudioWorkletNode(context, "beep-detector");
  const beeps = [];
  detector.port.addEventListener("message", ({ data }) => beeps.push(data));
  detector.port.start();
  const source = context.createMediaElementSource(video);
  source.connect(detector);
  source.connect(context.destination);
  await context.resume();

  const canvas = new OffscreenCanvas(16, 9);
  const brush = canvas.getContext("2d", { willReadFrequently: true });
  const flashes = [];
  const offsets = [];
  let white = false;
  const onFrame = (_now, { mediaTime }) => {
    brush.drawImage(video, 0, 0, canvas.width, canvas.height);
    const isWhite = brush.getImageData(canvas.width >> 1, canvas.height >> 1, 1, 1).data[1] > 160;
    if (isWhite && !white) flashes.push(mediaTime);
    white = isWhite;
    video.requestVideoFrameCallback(onFrame);
  };
  video.requestVideoFrameCallback(onFrame);
  const clock = setInterval(() => {
    if (!video.paused && !video.seeking && video.readyState > 2) offsets.push(video.currentTime - context.currentTime);
  }, 7);

  const end = video.currentTime + seconds;
  await until(`watch ${seconds} s`, seconds * 1000 + 20_000, () => video.ended || video.currentTime >= end);
  clearInterval(clock);
  const offset = offsets.toSorted((a, b) => a - b)[offsets.length >> 1] ?? 0;
  await context.close();
  return { flashes, beeps: beeps.map((time) => time + offset) };
}
