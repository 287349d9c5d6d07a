// Models: what is served, in which state, within which limits; and what the server is doing now.
import { announce, at, button, bytes, el, empty, fill, notice } from './dom.js';
import { base, call, refresh, served, watch } from './api.js';
import { board } from './metrics.js';
import { attach, pyHead, swiftHead } from './snippets.js';

let add;
let timer = 0;
/** The list that is on the page, as text: it is made anew when it changes. */
let shown = '';

export function start() {
  add = board(at('metric-tiles'));
  attach(at('model-code'), () => ({
    curl: `curl ${base}/v1/models\ncurl ${base}/v1/capabilities\ncurl ${base}/metrics`,
    python: `${pyHead()}\nfor model in client.models.list():\n    print(model.id, model.model_extra["kind"], model.model_extra["state"])`,
    swift: `${swiftHead()}for model in try await client.models.list() {\n    print(model.id, model.kind ?? "", model.state ?? "")\n}`,
  }));
  watch(show);
}

export function enter() { read(); refresh(); }
export function leave() { clearTimeout(timer); }

async function read() {
  clearTimeout(timer);
  try {
    if (!document.hidden) add(await (await call('/metrics', { isQuiet: true })).text());
  } catch { /* The state at the side says that nobody answers. */ }
  timer = setTimeout(read, 2000);
}

function show() {
  fill(at('model-notice'), served.error ? notice(served.error, refresh) : null);
  if (!served.models.length) {
    return fill(at('model-list'), served.error ? [] : empty('box', 'No models', 'Start the server with one:', el('pre', { class: 'block', tabIndex: 0 }, 'omni serve smollm2-135m-instruct joe')));
  }
  const now = JSON.stringify(served.models);
  if (now === shown && at('model-list').children.length === served.models.length) return;
  shown = now;
  const held = at('model-list').contains(document.activeElement) ? document.activeElement.closest('article')?.getAttribute('aria-label') : null;
  fill(at('model-list'), served.models.map(card));
  if (held) [...at('model-list').children].find((node) => node.getAttribute('aria-label') === held)?.querySelector('button')?.focus({ preventScroll: true });
}

function card(model) {
  const list = el('dl', { class: 'facts' });
  for (const [name, value] of facts(model)) if (value !== undefined && value !== null && value !== '') list.append(el('dt', {}, name), el('dd', {}, String(value)));
  const isLocal = model.kind !== 'remote';
  return el('article', { class: 'card model', 'aria-label': model.id },
    el('div', { class: 'row spread' }, el('h2', {}, model.id), el('span', { class: 'tag' }, model.kind)),
    el('div', { class: 'row tight small' }, el('span', { class: `dot ${model.state}` }), el('span', {}, { ready: 'Ready', loading: 'Loading…', asleep: 'Asleep: its memory is free', failed: 'Failed: see the server’s log' }[model.state] ?? model.state)),
    list,
    isLocal && (model.state === 'ready' || model.state === 'asleep') ? el('div', { class: 'row' }, model.state === 'ready'
      ? button('Put to sleep', (event) => change(event.target, 'sleep', model.id), { kind: 'quiet' })
      : button('Wake', (event) => change(event.target, 'wakeup', model.id), { kind: 'quiet' })) : null);
}

async function change(control, action, model) {
  control.setAttribute('aria-disabled', 'true');
  try {
    await call(`/v1/omni/${action}`, { body: { stage_ids: [], model } });
    announce(action === 'sleep' ? `${model} is asleep.` : `${model} is awake.`);
    await refresh();
  } catch (error) {
    fill(at('model-notice'), notice(error));
    control.removeAttribute('aria-disabled');
  }
}

const range = (limits) => limits && `${limits.minimum}–${limits.maximum}${limits.default === undefined ? '' : `, else ${Number(limits.default.toFixed(2))}`}`;

function facts(model) {
  const { text, image, video, speech } = model;
  const out = [['Reads', model.input_modalities.join(', ')], ['Makes', model.output_modalities.join(', ')]];
  if (model.aliases.length) out.push(['Also called', model.aliases.join(', ')]);
  if (text) out.push(['Context', text.max_model_len && `${text.max_model_len.toLocaleString('en-GB')} tokens`], ['Memory a token', text.kv_bytes_per_token && bytes(text.kv_bytes_per_token)], ['What it is', text.description]);
  if (image || video) {
    const { default_size: size, memory, num_inference_steps: steps } = image ?? video;
    out.push(['Size', size], ['Steps', range(steps)], ['Memory a request', memory[0] && bytes(memory[0].bytes)], ['Largest square', memory[0]?.largest_side && `${memory[0].largest_side} pixels`], ['Formats', (image ?? video).output_formats.join(', ')]);
  }
  if (video) out.push(['Length', `${video.default_frames} frames at ${video.default_fps} a second`]);
  if (speech) out.push(['Voices', speech.voices.map((voice) => voice.name).slice(0, 8).join(', ')], ['Sound', `${speech.sample_rate} Hz`], ['Speed', range(speech.speed)], ['Imitates voices', speech.clones_voices ? 'yes' : 'no'], ['Formats', speech.output_formats.join(', ')]);
  return out;
}
