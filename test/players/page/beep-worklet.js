/** Tells the AudioContext time of each sample at which sound begins after at least 0.3 s of silence. */
class BeepDetector extends AudioWorkletProcessor {
  lastLoud = Number.NEGATIVE_INFINITY;

  process([input]) {
    const samples = input[0] ?? [];
    for (let i = 0; i < samples.length; i++) {
      if (Math.abs(samples[i]) < 0.02) continue;
      const frame = currentFrame + i;
      // oxlint-disable-next-line require-post-message-target-origin -- a MessagePort has no origin, unlike a window
      if (frame - this.lastLoud > 0.3 * sampleRate) this.port.postMessage(frame / sampleRate);
      this.lastLoud = frame;
    }
    return true;
  }
}
registerProcessor("beep-detector", BeepDetector);
