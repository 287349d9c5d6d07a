// A spoken conversation: the microphone goes to /v1/realtime, answers are heard, and both are written down.
import { announce, at, el, fill, fromBase64, notice, seconds, swap } from './dom.js';
import { base, key, lost, modelsOf, offer, served, watch } from './api.js';
import { attach, py, pyHead, sw, swiftHead } from './snippets.js';
import { Player } from './player.js';

/** Hz of the sound in both directions. */
const rate = 24_000;

let session = null;
let renewCode = () => {};

export function start() {
  at('talk-form').addEventListener('submit', (event) => { event.preventDefault(); talk(); });
  at('talk-stop').addEventListener('click', () => session?.end());
  renewCode = attach(at('talk-code'), code);
  at('talk-form').addEventListener('input', renewCode);
  watch(showModels);
}

export const leave = () => session?.end();

function showModels() {
  const missing = [['text', 'chats', 'smollm2-135m-instruct'], ['speech', 'speaks', 'joe'], ['transcription', 'transcribes', 'whisper-base']].filter(([kind]) => !modelsOf(kind).length);
  offer(at('talk-model'), modelsOf('text'));
  const voices = modelsOf('speech').flatMap((model) => (model.speech?.voices ?? []).map((voice) => voice.name));
  const chosen = at('talk-voice').value;
  fill(at('talk-voice'), el('option', { value: '' }, 'the default'), voices.map((voice) => el('option', { value: voice }, voice)));
  at('talk-voice').value = chosen;
  at('talk-start').disabled = missing.length > 0;
  if (served.models.length && missing.length) {
    fill(at('talk-notice'), el('div', { class: 'notice' }, el('strong', {}, `No model here ${missing.map(([, verb]) => verb).join(', and none ')}`), `Start the server with more: omni serve ${missing.map(([, , name]) => name).join(' ')} …`));
  } else if (at('talk-notice').firstElementChild?.className === 'notice') fill(at('talk-notice'));
  renewCode();
}

function settings() {
  const audio = { input: { transcription: at('talk-language').value.trim() ? { language: at('talk-language').value.trim() } : {} } };
  if (at('talk-voice').value) audio.output = { voice: at('talk-voice').value };
  return { type: 'realtime', instructions: at('talk-instructions').value.trim(), audio };
}

async function talk() {
  fill(at('talk-notice'));
  fill(at('talk-log'));
  fill(at('talk-times'));
  let media;
  try {
    media = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } });
  } catch {
    const error = new Error('The browser gives no microphone. Allow it in the address bar. It needs HTTPS, or localhost.');
    return fill(at('talk-notice'), notice(Object.assign(error, { title: 'No microphone' })));
  }
  session = new Session(media);
  setBusy(true);
}

function setBusy(isBusy) {
  swap([at('talk-start'), at('talk-stop')], () => {
    at('talk-start').hidden = isBusy;
    at('talk-stop').hidden = !isBusy;
  });
  at('talk-state').textContent = isBusy ? 'connecting…' : '';
}

const base64 = (bytes) => { let text = ''; for (const byte of bytes) text += String.fromCharCode(byte); return btoa(text); };

/** One conversation, from its first word to its last. */
class Session {
  constructor(media) {
    this.media = media;
    /** Lines of the log by item. */
    this.lines = new Map();
    /** When something happened in this turn, ms of the page's clock. */
    this.times = {};
    this.microphone = new AudioContext({ sampleRate: rate });
    const address = `${base.replace(/^http/, 'ws')}/v1/realtime?model=${encodeURIComponent(at('talk-model').value)}`;
    this.socket = new WebSocket(address, ['realtime', ...(key() ? [`openai-insecure-api-key.${key()}`] : [])]);
    this.socket.addEventListener('open', () => this.open());
    this.socket.addEventListener('message', (event) => this.take(JSON.parse(event.data)));
    this.socket.addEventListener('close', () => this.end(this.isOver ? null : lost(new Error())));
  }

  send(event) { if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(event)); }

  async open() {
    this.send({ type: 'session.update', session: settings() });
    try {
      await this.microphone.audioWorklet.addModule(new URL('capture.js', import.meta.url));
      const source = this.microphone.createMediaStreamSource(this.media);
      const capture = new AudioWorkletNode(this.microphone, 'capture', { numberOfOutputs: 0 });
      capture.port.onmessage = ({ data }) => this.send({ type: 'input_audio_buffer.append', audio: base64(new Uint8Array(data.buffer)) });
      source.connect(capture);
      at('talk-state').textContent = 'listening';
      announce('Speak now.');
    } catch (error) {
      this.end(error);
    }
  }

  take(event) {
    const now = performance.now();
    switch (event.type) {
      case 'input_audio_buffer.speech_started':
        this.interrupt();
        at('talk-state').textContent = 'you speak';
        break;
      case 'input_audio_buffer.speech_stopped':
        this.times = { stopped: now };
        at('talk-state').textContent = 'thinking';
        break;
      case 'conversation.item.added':
        if (event.item.role === 'user') this.line(event.item.id, 'You');
        break;
      case 'conversation.item.input_audio_transcription.delta': this.line(event.item_id, 'You').append(event.delta); break;
      case 'conversation.item.input_audio_transcription.completed':
        this.line(event.item_id, 'You').textContent = event.transcript.trim() || '…';
        this.times.heard ??= now;
        break;
      case 'response.output_audio_transcript.delta':
        this.line(event.item_id, 'Model').append(event.delta);
        this.times.word ??= now;
        break;
      case 'response.output_audio.delta': this.play(event, now); break;
      case 'response.done': this.done(event.response); break;
      case 'error': fill(at('talk-notice'), notice(new Error(event.error.message))); break;
    }
  }

  /** The line of an item; a new one where there is none. */
  line(id, who) {
    if (!this.lines.has(id)) {
      const words = el('span');
      this.lines.set(id, words);
      at('talk-log').append(el('p', { class: 'line' }, el('strong', { class: 'small muted' }, who), words));
      words.scrollIntoView({ block: 'nearest' });
    }
    return this.lines.get(id);
  }

  play(event, now) {
    if (this.playing !== event.item_id) {
      this.player?.stop();
      this.player = new Player(rate);
      this.playing = event.item_id;
      this.began = now;
      at('talk-state').textContent = 'the model speaks';
    }
    this.player.push(fromBase64(event.delta));
    if (this.times.sound === undefined && this.times.stopped !== undefined) {
      this.times.sound = now;
      this.showTimes();
    }
  }

  /** What is still to be heard is not, and the server is told how much was. */
  interrupt() {
    if (!this.player || this.player.context.state === 'closed') return;
    const heard = Math.max(0, Math.min(performance.now() - this.began - 100, this.player.seconds * 1000));
    const isCut = heard < this.player.seconds * 1000;
    this.player.stop();
    if (isCut) this.send({ type: 'conversation.item.truncate', item_id: this.playing, content_index: 0, audio_end_ms: Math.floor(heard) });
    this.player = null;
    this.playing = null;
  }

  done(response) {
    if (response.status === 'failed') fill(at('talk-notice'), notice(new Error(response.status_details?.error?.message ?? 'The answer failed.')));
    at('talk-state').textContent = 'listening';
  }

  /** How long each stage of the turn took. */
  showTimes() {
    const { stopped, heard, word, sound } = this.times;
    const stages = [['understood', (heard ?? word) - stopped], ['first word', word - (heard ?? stopped)], ['first sound', sound - word], ['in all', sound - stopped]];
    fill(at('talk-times'), stages.filter(([, time]) => Number.isFinite(time)).map(([name, time]) => el('span', {}, `${name} ${seconds(time / 1000)}`)));
  }

  end(error) {
    if (this.isOver) return;
    this.isOver = true;
    for (const track of this.media.getTracks()) track.stop();
    this.microphone.close();
    this.player?.stop();
    this.socket.close();
    session = null;
    setBusy(false);
    if (error) fill(at('talk-notice'), notice(error));
  }
}

// MARK: - In code

function code() {
  const model = at('talk-model').value;
  return {
    curl: `# A session is a WebSocket: ask with any client of RFC 6455.\nwebsocat ${base.replace(/^http/, 'ws')}/v1/realtime?model=${model}`,
    python: `${pyHead()}\nwith client.realtime.connect(model="${model}") as session:\n    session.session.update(session=${py(settings(), 4)})\n    session.conversation.item.create(item={"type": "message", "role": "user",\n        "content": [{"type": "input_text", "text": "Good morning."}]})\n    session.response.create()\n    for event in session:\n        print(event.type)\n        if event.type == "response.done":\n            break`,
    swift: `${swiftHead()}try await client.realtime.session(model: ${sw(model)}) { session in\n    try await session.say("Good morning.")\n    for try await event in session.events {\n        print(event.type)\n        if event.type == "response.done" { break }\n    }\n}`,
  };
}
