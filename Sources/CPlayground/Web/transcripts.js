// Transcripts: a file or the microphone becomes text with time stamps, which follows the sound.
import { announce, at, button, el, fill, notice, save, seconds, show, swap } from './dom.js';
import { call, events, modelsOf, offer, served, watch } from './api.js';
import { attach, curlForm, fileName, pyHead, sw, swiftHead } from './snippets.js';

let controller = null;
let recorder = null;
let recording = null;
/** What was heard: `{start, end, text, node}`. */
let segments = [];
let renewCode = () => {};

export function start() {
  at('hear-form').addEventListener('submit', (event) => { event.preventDefault(); hear(); });
  at('hear-stop').addEventListener('click', () => controller?.abort());
  at('hear-record').addEventListener('click', record);
  at('hear-file').addEventListener('change', () => { recording = null; preview(at('hear-file').files[0]); });
  at('hear-audio').addEventListener('timeupdate', follow);
  renewCode = attach(at('hear-code'), code);
  at('hear-form').addEventListener('input', renewCode);
  watch(showModels);
}

export const leave = () => { if (recorder?.state === 'recording') recorder.stop(); };

function showModels() {
  const able = modelsOf('transcription');
  offer(at('hear-model'), able);
  at('hear-start').disabled = !able.length;
  if (served.models.length && !able.length) {
    fill(at('hear-notice'), el('div', { class: 'notice' }, el('strong', {}, 'No model here transcribes'), 'Start the server with one: omni serve whisper-base'));
  } else if (at('hear-notice').firstElementChild?.className === 'notice') fill(at('hear-notice'));
  renewCode();
}

// MARK: - Sound

const sound = () => recording ?? at('hear-file').files[0];

function preview(file) {
  at('hear-audio').hidden = !file;
  show(at('hear-audio'), file);
  segments = [];
  fill(at('hear-text'));
  fill(at('hear-actions'));
  at('hear-facts').textContent = '';
  renewCode();
}

async function record() {
  if (recorder?.state === 'recording') return recorder.stop();
  fill(at('hear-notice'));
  let media;
  try {
    media = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch {
    const error = new Error('The browser gives no microphone. Allow it in the address bar, or choose a file. It needs HTTPS, or localhost.');
    return fill(at('hear-notice'), notice(Object.assign(error, { title: 'No microphone' })));
  }
  const parts = [];
  const began = performance.now();
  recorder = new MediaRecorder(media);
  recorder.addEventListener('dataavailable', (event) => parts.push(event.data));
  const ticking = setInterval(() => { at('hear-record-state').textContent = `recording, ${seconds((performance.now() - began) / 1000)}`; }, 200);
  recorder.addEventListener('stop', () => {
    clearInterval(ticking);
    for (const track of media.getTracks()) track.stop();
    recording = new Blob(parts, { type: recorder.mimeType.split(';')[0] });
    at('hear-record').textContent = 'Record again';
    at('hear-record-state').textContent = `${seconds((performance.now() - began) / 1000)} recorded`;
    at('hear-file').value = '';
    preview(recording);
    hear();
  });
  recorder.start();
  at('hear-record').textContent = 'Stop recording';
}

// MARK: - Hearing

async function hear() {
  const file = sound();
  fill(at('hear-notice'));
  if (!file) return fill(at('hear-notice'), notice(Object.assign(new Error('Record something, or choose a sound file.'), { title: 'The sound is missing' })));
  controller?.abort();
  controller = new AbortController();
  preview(file);
  setBusy(true);
  const began = performance.now();
  const form = new FormData();
  form.append('file', file, file.name ?? 'recording.webm');
  for (const [name, value] of Object.entries(fields())) form.append(name, value);
  form.append('response_format', 'verbose_json');
  form.append('stream', 'true');
  try {
    const reply = await call(at('hear-translate').checked ? '/v1/audio/translations' : '/v1/audio/transcriptions', { body: form, signal: controller.signal });
    for await (const { comment, data } of events(reply)) {
      const heard = comment?.match(/^heard ([\d.]+)(?:\/([\d.]+))?$/);
      if (heard) showProgress(Number(heard[1]), Number(heard[2]));
      else if (data?.type === 'transcript.text.segment') add(data);
      else if (data?.type === 'transcript.text.done') finish(data, (performance.now() - began) / 1000);
    }
  } catch (error) {
    if (error.name !== 'AbortError') fill(at('hear-notice'), notice(error, hear));
  } finally {
    setBusy(false);
  }
}

function fields() {
  const given = { model: at('hear-model').value, language: at('hear-language').value.trim(), prompt: at('hear-prompt').value.trim() };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value));
}

function showProgress(done, all) {
  at('hear-progress').hidden = false;
  at('hear-progress').firstElementChild.value = all ? done / all : 0;
  at('hear-progress-text').textContent = all ? `${seconds(done)} of ${seconds(all)}` : seconds(done);
}

const clock = (value) => `${Math.floor(value / 60)}:${String(Math.floor(value % 60)).padStart(2, '0')}`;

/** A line of the transcript; a click plays the sound from there. */
function add({ start: from, end, text }) {
  const node = el('button', { type: 'button', class: 'line', onclick: () => { at('hear-audio').currentTime = from; at('hear-audio').play(); } },
    el('span', { class: 'small muted numbers' }, clock(from)), el('span', {}, text.trim()));
  segments.push({ start: from, end, text, node });
  at('hear-text').append(node);
}

function finish(done, took) {
  const name = (sound()?.name ?? 'recording').replace(/\.\w+$/, '');
  const language = done.languages?.[0]?.code;
  at('hear-facts').textContent = [language && `language ${language}`, `heard in ${seconds(took)}`].filter(Boolean).join(' · ');
  if (!segments.length) fill(at('hear-text'), el('p', { class: 'muted' }, 'Nobody speaks in it.'));
  fill(at('hear-actions'),
    button('Copy the text', async () => { await navigator.clipboard.writeText(done.text); announce('Copied'); }, { kind: 'quiet', draw: 'copy' }),
    button('Subtitles', () => save(new Blob([srt()], { type: 'text/plain' }), `${name}.srt`), { kind: 'quiet', draw: 'save' }));
  announce('The transcript is complete.');
}

const stamp = (value) => new Date(value * 1000).toISOString().slice(11, 23).replace('.', ',');
const srt = () => segments.map((part, index) => `${index + 1}\n${stamp(part.start)} --> ${stamp(part.end)}\n${part.text.trim()}\n`).join('\n');

/** Marks the line that is heard now. */
function follow() {
  const now = at('hear-audio').currentTime;
  for (const part of segments) {
    const isNow = now >= part.start && now < part.end;
    if (isNow && !part.node.hasAttribute('aria-current')) part.node.scrollIntoView({ block: 'nearest' });
    if (isNow) part.node.setAttribute('aria-current', 'true');
    else part.node.removeAttribute('aria-current');
  }
}

function setBusy(isBusy) {
  swap([at('hear-start'), at('hear-stop')], () => {
    at('hear-start').disabled = isBusy || !modelsOf('transcription').length;
    at('hear-stop').hidden = !isBusy;
    if (!isBusy) at('hear-progress').hidden = true;
  });
}

// MARK: - In code

function code() {
  const file = sound();
  const name = file?.name ? fileName(file) : 'speech.mp3';
  const given = fields();
  const route = at('hear-translate').checked ? 'translations' : 'transcriptions';
  if (route === 'translations') delete given.language;
  const lines = Object.entries(given).map(([key, value]) => `    ${key}=${JSON.stringify(value)},`);
  return {
    curl: curlForm(`/v1/audio/${route}`, { ...given, response_format: 'srt' }, { file: name }),
    python: `${pyHead()}\nprint(client.audio.${route}.create(\n    file=open("${name}", "rb"),\n${lines.join('\n')}\n).text)`,
    swift: `${swiftHead()}let text = try await client.${route}.create(.file(${sw(name)})${given.model ? `, model: ${sw(given.model)}` : ''}${given.language ? `, language: ${sw(given.language)}` : ''})\nprint(text)`,
  };
}
