// Voices: speech that is heard while it is made, and voices of one's own.
import { announce, at, button, el, fill, notice, save, seconds, show, swap } from './dom.js';
import { call, json, lost, modelsOf, offer, served, watch } from './api.js';
import { drawWave, Player, sampleRate } from './player.js';
import { attach, curl, curlForm, pyCall, pyHead, sw, swiftHead, swiftSet } from './snippets.js';

let player = null;
let controller = null;
let uploaded = [];
let recorder = null;
let recording = null;
let renewCode = () => {};

const model = () => served.models.find((entry) => entry.id === at('voice-model').value);

export function start() {
  at('voice-form').addEventListener('submit', (event) => { event.preventDefault(); speakForm(); });
  at('voice-stop').addEventListener('click', stop);
  at('voice-speed').addEventListener('input', () => { at('voice-speed-value').textContent = at('voice-speed').value; });
  at('voice-model').addEventListener('change', showVoices);
  at('voice-record').addEventListener('click', record);
  at('voice-sample').addEventListener('change', () => { recording = null; preview(at('voice-sample').files[0]); });
  at('voice-upload').addEventListener('submit', (event) => { event.preventDefault(); keep(); });
  renewCode = attach(at('voice-code'), code);
  at('voice-form').addEventListener('input', renewCode);
  watch(showModels);
}

export function enter() {
  drawWave(at('voice-wave'), player?.pieces ?? [], player?.count ?? 0);
  loadVoices();
}

function showModels() {
  const able = modelsOf('speech');
  offer(at('voice-model'), able);
  at('voice-speak').disabled = !able.length;
  if (served.models.length && !able.length) {
    fill(at('voice-notice'), el('div', { class: 'notice' }, el('strong', {}, 'No model here speaks'), 'Start the server with a voice: omni serve joe'));
  } else if (at('voice-notice').firstElementChild?.className === 'notice') fill(at('voice-notice'));
  showVoices();
}

function showVoices() {
  const speech = model()?.speech;
  const chosen = at('voice-name').value;
  const own = (speech?.voices ?? []).map((voice) => el('option', { value: voice.name }, voice.language ? `${voice.name} (${voice.language})` : voice.name));
  const mine = speech?.clones_voices ? uploaded.map((voice) => el('option', { value: voice.name }, `${voice.name} (yours)`)) : [];
  fill(at('voice-name'), own.length ? own : el('option', { value: '' }, 'The model’s own'), mine);
  if ([...at('voice-name').options].some((option) => option.value === chosen)) at('voice-name').value = chosen;
  if (speech) Object.assign(at('voice-speed'), { min: speech.speed.minimum, max: Math.min(speech.speed.maximum, 3) });
  showList();
  renewCode();
}

// MARK: - Speaking

function request(text) {
  const body = { model: at('voice-model').value || undefined, input: text, voice: at('voice-name').value || undefined, speed: Number(at('voice-speed').value) };
  if (body.speed === 1) delete body.speed;
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}

async function speakForm() {
  fill(at('voice-notice'));
  fill(at('voice-actions'));
  at('voice-audio').hidden = true;
  setBusy(true);
  const began = performance.now();
  let first = 0;
  let redraw = 0;
  try {
    player = await stream(request(at('voice-text').value), (sound) => {
      if (!first) first = (performance.now() - began) / 1000;
      at('voice-facts').textContent = `first sound after ${seconds(first)} · ${seconds(sound.seconds)} so far`;
      cancelAnimationFrame(redraw);
      redraw = requestAnimationFrame(() => drawWave(at('voice-wave'), sound.pieces, sound.count));
    });
    cancelAnimationFrame(redraw);
    drawWave(at('voice-wave'), player.pieces, player.count);
    const took = (performance.now() - began) / 1000;
    at('voice-facts').textContent = `${seconds(player.seconds)} of speech, made in ${seconds(took)} · first sound after ${seconds(first)}`;
    keepSound(player);
    announce('The speech is complete.');
    await player.finished();
  } catch (error) {
    if (error.name !== 'AbortError') fill(at('voice-notice'), notice(error, speakForm));
    if (player?.count) {
      keepSound(player);
      at('voice-facts').textContent = `${seconds(player.seconds)} of speech came until it was ${error.name === 'AbortError' ? 'stopped' : 'broken off'}`;
    }
  } finally {
    setBusy(false);
  }
}

/** All that has come, to be heard again and kept. */
function keepSound(sound) {
  const file = sound.wav();
  show(at('voice-audio'), file);
  at('voice-audio').hidden = false;
  fill(at('voice-actions'), button('Download WAV', () => save(file, 'speech.wav'), { kind: 'quiet', draw: 'save' }));
}

/** Speaks and plays; `onSound` is told of each piece. Returns the player once everything has come. */
async function stream(body, onSound = () => {}) {
  stop();
  controller = new AbortController();
  const sound = new Player(24_000);
  player = sound;
  const reply = await call('/v1/audio/speech', { signal: controller.signal, body: { ...body, response_format: 'pcm', stream_format: 'audio' } });
  sound.rate = sampleRate(reply, sound.rate);
  const reader = reply.body.getReader();
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      sound.push(piece.value);
      onSound(sound);
    }
  } catch (error) {
    throw lost(error);
  }
  return sound;
}

/** Reads a text aloud with the first voice there is, until `hush`. Throws what went wrong. */
export async function speak(text) {
  // The server reads Markdown by its words; code is not for the ear.
  const plain = text.replace(/```[\s\S]*?```/g, ' ').trim();
  if (!plain) return;
  try {
    await (await stream({ model: modelsOf('speech')[0]?.id, input: plain })).finished();
  } catch (error) {
    if (error.name !== 'AbortError') throw error;
  }
}

export { stop as hush };

function stop() {
  controller?.abort();
  player?.stop();
}

function setBusy(isBusy) {
  swap([at('voice-speak'), at('voice-stop')], () => {
    at('voice-speak').disabled = isBusy;
    at('voice-stop').hidden = !isBusy;
  });
}

export const leave = () => { if (recorder?.state === 'recording') recorder.stop(); };

// MARK: - Voices of one's own

async function loadVoices() {
  if (!modelsOf('speech').length) return;
  try {
    uploaded = (await json('/v1/audio/voices')).uploaded_voices;
  } catch {
    uploaded = [];
  }
  showVoices();
}

function showList() {
  const clones = model()?.speech?.clones_voices;
  const rows = uploaded.map((voice) => el('li', {},
    el('div', { class: 'grow' }, el('div', {}, voice.name), el('div', { class: 'small muted' }, voice.ref_text || 'kept')),
    button('Delete', () => forget(voice.name), { kind: 'quiet danger', draw: 'bin', label: `Delete the voice ${voice.name}` })));
  const hint = clones ? 'None yet. Record yourself, or upload a clip.' : `None yet. ${model()?.id ?? 'This model'} cannot imitate voices; those you keep wait for a model that can.`;
  fill(at('voice-list'), rows.length ? rows : el('li', { class: 'muted small' }, hint));
}

async function forget(name) {
  try {
    await call(`/v1/audio/voices/${encodeURIComponent(name)}`, { method: 'DELETE' });
    announce(`The voice ${name} is deleted.`);
    await loadVoices();
  } catch (error) {
    fill(at('voice-upload-notice'), notice(error));
  }
}

async function record() {
  if (recorder?.state === 'recording') return recorder.stop();
  fill(at('voice-upload-notice'));
  let media;
  try {
    media = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch {
    const error = new Error('The browser gives no microphone. Allow it in the address bar, or upload a file. It needs HTTPS, or localhost.');
    return fill(at('voice-upload-notice'), notice(Object.assign(error, { title: 'No microphone' })));
  }
  const parts = [];
  // Counted from when sound comes, which is later than the click.
  let began = null;
  const passed = () => (began === null ? 0 : (performance.now() - began) / 1000);
  recorder = new MediaRecorder(media);
  recorder.addEventListener('start', () => { began = performance.now(); });
  recorder.addEventListener('dataavailable', (event) => parts.push(event.data));
  const ticking = setInterval(() => {
    at('voice-record-state').textContent = `recording, ${seconds(passed())}`;
    if (passed() > 29) recorder.stop();
  }, 200);
  recorder.addEventListener('stop', () => {
    clearInterval(ticking);
    for (const track of media.getTracks()) track.stop();
    recording = new Blob(parts, { type: recorder.mimeType.split(';')[0] });
    at('voice-record').textContent = 'Record again';
    at('voice-record-state').textContent = `${seconds(passed())} recorded`;
    at('voice-sample').value = '';
    preview(recording);
  });
  recorder.start();
  at('voice-record').textContent = 'Stop recording';
}

function preview(file) {
  at('voice-preview').hidden = !file;
  show(at('voice-preview'), file);
}

async function keep() {
  const file = recording ?? at('voice-sample').files[0];
  fill(at('voice-upload-notice'));
  if (!file) return fill(at('voice-upload-notice'), notice(Object.assign(new Error('Record a sample, or choose a sound file.'), { title: 'A sample is missing' })));
  const form = new FormData();
  form.append('name', at('voice-new-name').value.trim());
  form.append('consent', `playground-${new Date().toISOString().slice(0, 10)}`);
  if (at('voice-words').value.trim()) form.append('ref_text', at('voice-words').value.trim());
  form.append('audio_sample', file, file.name ?? 'recording.webm');
  try {
    await call('/v1/audio/voices', { body: form });
    announce('The voice is kept.');
    at('voice-upload').reset();
    recording = null;
    preview(null);
    at('voice-record').textContent = 'Record';
    at('voice-record-state').textContent = '';
    at('voice-add').open = false;
    await loadVoices();
  } catch (error) {
    fill(at('voice-upload-notice'), notice(error));
  }
}

// MARK: - In code

function code() {
  const body = request(at('voice-text').value);
  const known = ['model', 'input', 'voice', 'speed', 'response_format'];
  const keeping = curlForm('/v1/audio/voices', { name: 'anna', consent: 'anna agreed' }, { audio_sample: 'anna.wav' });
  return {
    curl: `${curl('/v1/audio/speech', { ...body, response_format: 'mp3' }, { out: 'speech.mp3' })}\n\n# A voice of your own\n${keeping}`,
    python: `${pyHead()}\n${pyCall('client.audio.speech.with_streaming_response.create', { voice: 'default', ...body, response_format: 'mp3' }, known, 'with ')} as reply:\n    reply.stream_to_file("speech.mp3")`,
    swift: `import Foundation\n${swiftHead()}var request = SpeechRequest(${body.model ? `model: ${sw(body.model)}, ` : ''}${sw(body.input)}${body.voice ? `, voice: ${sw(body.voice)}` : ''}, format: .mp3)\n`
      + swiftSet([['speed', body.speed]]) + 'try await client.speech.create(request).save(to: URL(filePath: "speech.mp3"))',
  };
}
