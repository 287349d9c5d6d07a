// Plays sound while it comes: 16-bit samples of one channel, in pieces of any length.

export class Player {
  /** @param {number} rate Hz of the samples. */
  constructor(rate) {
    this.rate = rate;
    this.context = new AudioContext({ sampleRate: rate });
    this.next = 0;
    this.pieces = [];
    this.count = 0;
    this.odd = null;
  }

  /** Bytes as they came; half a sample waits for its other half. */
  push(bytes) {
    if (this.odd !== null) {
      const joined = new Uint8Array(bytes.length + 1);
      joined[0] = this.odd;
      joined.set(bytes, 1);
      bytes = joined;
      this.odd = null;
    }
    if (bytes.length % 2) { this.odd = bytes[bytes.length - 1]; bytes = bytes.subarray(0, -1); }
    if (!bytes.length) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const samples = new Float32Array(bytes.length / 2);
    for (let place = 0; place < samples.length; place += 1) samples[place] = view.getInt16(place * 2, true) / 32768;
    this.pieces.push(samples);
    this.count += samples.length;
    const buffer = this.context.createBuffer(1, samples.length, this.rate);
    buffer.copyToChannel(samples, 0);
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.context.destination);
    // A tenth of a second in hand, so that a late piece makes no gap.
    this.next = Math.max(this.next, this.context.currentTime + 0.1);
    source.start(this.next);
    this.next += buffer.duration;
  }

  /** Seconds that have come. */
  get seconds() { return this.count / this.rate; }

  /** Resolves when the last sample has been heard. */
  async finished() {
    const rest = this.next - this.context.currentTime;
    if (rest > 0 && this.context.state === 'running') await new Promise((resolve) => { this.ending = setTimeout(resolve, rest * 1000); this.resolve = resolve; });
    await this.stop();
  }

  async stop() {
    clearTimeout(this.ending);
    this.resolve?.();
    if (this.context.state !== 'closed') await this.context.close();
  }

  /** All that came, as a WAV file. */
  wav() {
    const bytes = new ArrayBuffer(44 + this.count * 2);
    const view = new DataView(bytes);
    const text = (place, word) => [...word].forEach((letter, index) => view.setUint8(place + index, letter.charCodeAt(0)));
    text(0, 'RIFF'); view.setUint32(4, 36 + this.count * 2, true); text(8, 'WAVEfmt ');
    view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
    view.setUint32(24, this.rate, true); view.setUint32(28, this.rate * 2, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true);
    text(36, 'data'); view.setUint32(40, this.count * 2, true);
    let place = 44;
    for (const piece of this.pieces) for (const sample of piece) { view.setInt16(place, Math.max(-1, Math.min(1, sample)) * 32767, true); place += 2; }
    return new Blob([bytes], { type: 'audio/wav' });
  }
}

/**
 * Hz of the samples in a reply, as its headers say it.
 * @param {Response} reply
 * @param {number} otherwise where they are silent.
 */
export function sampleRate(reply, otherwise) {
  const told = reply.headers.get('x-sample-rate') ?? /;\s*rate=(\d+)/i.exec(reply.headers.get('content-type') ?? '')?.[1];
  return Number(told) || otherwise;
}

/** Draws what has come as a line of bars. */
export function drawWave(canvas, pieces, count) {
  const ratio = devicePixelRatio || 1;
  const width = canvas.width = Math.max(1, canvas.clientWidth * ratio);
  const height = canvas.height = Math.max(1, canvas.clientHeight * ratio);
  const context = canvas.getContext('2d');
  context.clearRect(0, 0, width, height);
  context.fillStyle = getComputedStyle(canvas).getPropertyValue('color');
  const bar = 3 * ratio, gap = 2 * ratio;
  const bars = Math.floor(width / (bar + gap));
  if (!count) {
    context.globalAlpha = 0.35;
    for (let index = 0; index < bars; index += 1) context.fillRect(index * (bar + gap), height / 2 - ratio, bar, 2 * ratio);
    return;
  }
  const peaks = new Float32Array(bars);
  let place = 0;
  for (const piece of pieces) for (const sample of piece) {
    const index = Math.min(bars - 1, Math.floor((place / count) * bars));
    peaks[index] = Math.max(peaks[index], Math.abs(sample));
    place += 1;
  }
  peaks.forEach((peak, index) => {
    const tall = Math.max(2 * ratio, peak * height * 0.9);
    context.fillRect(index * (bar + gap), (height - tall) / 2, bar, tall);
  });
}
