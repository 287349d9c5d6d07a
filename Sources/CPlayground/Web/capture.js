// Runs beside the page, on the sound's own thread: hands the microphone's samples to it, 40 ms at a time.
class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.samples = new Int16Array(Math.round(sampleRate / 25));
    this.count = 0;
  }

  process([input]) {
    for (const sample of input[0] ?? []) {
      this.samples[this.count++] = Math.max(-1, Math.min(1, sample)) * 32767;
      if (this.count < this.samples.length) continue;
      this.port.postMessage(this.samples.slice());
      this.count = 0;
    }
    return true;
  }
}

registerProcessor('capture', Capture);
