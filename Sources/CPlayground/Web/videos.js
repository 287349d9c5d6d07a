// Videos: jobs that wait, run, show how far they are, and stay in a gallery.
import { announce, at, button, el, empty, fill, icon, keepFocus, notice, number, save, seconds, show } from './dom.js';
import { base, call, json, modelsOf, offer, served, watch } from './api.js';
import { attach, curlForm, py, pyHead, sw, swiftHead, swiftSet, swiftSize } from './snippets.js';

let cards = new Map();
let timer = 0;
let isShown = false;
/** Videos in the gallery, at most. */
let room = 50;
let renewCode = () => {};

const model = () => served.models.find((entry) => entry.id === at('video-model').value);
const isOver = (job) => job.status === 'completed' || job.status === 'failed';

export function start() {
  at('video-form').addEventListener('submit', (event) => { event.preventDefault(); video(); });
  renewCode = attach(at('video-code'), code);
  at('video-form').addEventListener('input', renewCode);
  at('video-model').addEventListener('change', showAbilities);
  at('video-more').addEventListener('click', () => { room += 50; follow(); });
  watch(showModels);
}

export function enter() { isShown = true; follow(); }
export function leave() { isShown = false; clearTimeout(timer); }

function showModels() {
  const able = modelsOf('video');
  offer(at('video-model'), able);
  at('video-start').disabled = !able.length;
  showAbilities();
  if (isShown) follow();
}

function showAbilities() {
  const video = model()?.video;
  if (video) {
    at('video-size').placeholder = video.default_size;
    at('video-steps').placeholder = video.num_inference_steps.default;
    at('video-frames').placeholder = video.default_frames;
    at('video-guidance').placeholder = video.guidance_scale.default;
    at('video-seconds').placeholder = String(Math.max(1, Math.round(video.default_frames / video.default_fps)));
    at('video-file').disabled = !video.starts_from_picture;
    at('video-file').required = video.needs_picture;
  }
  renewCode();
}

function fields() {
  const body = {
    model: at('video-model').value || undefined, prompt: at('video-prompt').value, size: at('video-size').value.replace(/\s/g, '') || undefined, seconds: at('video-seconds').value || undefined,
    negative_prompt: at('video-negative').value || undefined, num_inference_steps: number(at('video-steps')), num_frames: number(at('video-frames')), guidance_scale: number(at('video-guidance')), seed: number(at('video-seed')),
  };
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}

/** Videos that were begun here: their user waits to see them. */
const awaited = new Set();

function video() {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields())) form.append(name, String(value));
  const picture = at('video-file').files[0];
  if (picture) form.append('input_reference', picture, picture.name);
  return send(form, [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join(''));
}

/** Under the same key a second try makes no second video. */
async function send(form, idempotencyKey) {
  fill(at('video-notice'));
  at('video-start').disabled = true;
  try {
    awaited.add((await json('/v1/videos', { body: form, headers: { 'Idempotency-Key': idempotencyKey } })).id);
    announce('The video is in the queue.');
    await follow();
  } catch (error) {
    fill(at('video-notice'), notice(error, () => send(form, idempotencyKey)));
  } finally {
    at('video-start').disabled = !modelsOf('video').length;
    keepFocus(at('video-start'));
  }
}

/** Shows the jobs now, and again soon while any of them runs. */
async function follow() {
  clearTimeout(timer);
  if (served.models.length && !modelsOf('video').length) {
    fill(at('video-jobs'), empty('video', 'No video model', 'Start the server with a video model; then videos appear here with their progress.'));
    cards.clear();
    return;
  }
  let jobs;
  try {
    jobs = await list();
  } catch (error) {
    fill(at('video-jobs'), notice(error, follow));
    cards.clear();
    return;
  }
  showJobs(jobs);
  if (isShown && jobs.some((job) => !isOver(job))) timer = setTimeout(follow, 700);
}

/** The newest jobs, as many as the gallery has room for. */
async function list() {
  const jobs = [];
  let page;
  do {
    page = await json(`/v1/videos?limit=50${jobs.length ? `&after=${jobs.at(-1).id}` : ''}`, { isQuiet: true });
    jobs.push(...page.data);
  } while (page.has_more && jobs.length < room);
  at('video-more').hidden = !page.has_more;
  return jobs;
}

function showJobs(jobs) {
  if (!jobs.length) {
    cards.clear();
    return fill(at('video-jobs'), empty('video', 'No videos yet', 'Say what should happen. The video waits its turn here, and stays when it is done.'));
  }
  if (!cards.size) fill(at('video-jobs'), el('div', { class: 'grid videos' }));
  const grid = at('video-jobs').firstElementChild;
  const known = new Map();
  for (const job of jobs) {
    const card = cards.get(job.id) ?? new Card(job.id);
    card.show(job);
    known.set(job.id, card);
  }
  cards = known;
  const nodes = [...cards.values()].map((card) => card.node);
  // Moving a node would stop the video that plays in it.
  if (nodes.some((node, index) => grid.children[index] !== node) || grid.children.length !== nodes.length) fill(grid, nodes);
}

class Card {
  constructor(id) {
    this.id = id;
    this.screen = el('div', { class: 'still' }, icon('video'));
    this.bar = el('progress', { max: 100, value: 0, 'aria-label': 'Progress of the video' });
    this.status = el('span', { class: 'small muted numbers' });
    this.actions = el('div', { class: 'row tight' });
    this.prompt = el('p', { class: 'prompt' });
    this.node = el('article', { class: 'card video' }, this.screen, this.prompt, this.bar, this.status, this.actions);
  }

  show(job) {
    if (this.last === JSON.stringify(job)) return;
    const before = this.last ? JSON.parse(this.last).status : null;
    this.last = JSON.stringify(job);
    this.prompt.textContent = job.prompt ?? '';
    this.node.setAttribute('aria-label', `Video: ${(job.prompt ?? '').slice(0, 60)}`);
    this.bar.hidden = isOver(job);
    this.bar.value = job.progress;
    this.status.textContent = this.words(job);
    if (job.status === before) return;
    if (before && isOver(job)) announce(job.status === 'completed' ? 'A video is done.' : 'A video failed.');
    this.renew(job, Boolean(before));
  }

  words(job) {
    const stages = { queued: 'Waiting', load: 'Loading the model', encode: 'Encoding the prompt', denoise: 'Video', decode: 'Decoding', mux: 'Muxing' };
    if (job.status === 'queued') return job.queue_position ? `Waiting: ${job.queue_position} before it` : 'Waiting: it is next';
    if (job.status === 'failed') return `Failed: ${job.error?.message ?? 'the server gives no reason'}`;
    if (job.status === 'completed') {
      return [job.size, job.duration_s && `${Number(job.duration_s.toFixed(2))} s`, job.inference_time_s && `made in ${seconds(job.inference_time_s)}`, job.note].filter(Boolean).join(' · ');
    }
    return [stages[job.stage] ?? 'Working', job.steps > 1 && `step ${job.step} of ${job.steps}`, `${job.progress} %`, job.eta_seconds && `about ${seconds(job.eta_seconds)} to go`].filter(Boolean).join(' · ');
  }

  /** `isNew`: it came to this state before the user's eyes. */
  renew(job, isNew) {
    const remove = button(isOver(job) ? 'Delete' : 'Cancel', () => this.remove(isOver(job)), { kind: 'quiet danger', draw: isOver(job) ? 'bin' : 'close' });
    const load = job.status === 'completed' ? button('Download', async () => save(await this.content(), job.file_name ?? 'video.mp4'), { kind: 'quiet', draw: 'save' }) : null;
    const isWithin = this.actions.contains(document.activeElement);
    fill(this.actions, load, remove);
    if (isWithin) this.actions.lastElementChild.focus({ preventScroll: true });
    if (job.status === 'completed') isNew || awaited.has(this.id) ? this.play() : this.stand();
    if (job.status === 'failed') this.status.setAttribute('role', 'alert');
  }

  /** The file; fetched and not linked, since a link would carry no key. */
  async content() { return this.blob ??= await (await call(`/v1/videos/${this.id}/content`)).blob(); }

  /** A still, behind a button: the video itself comes when somebody wants to see it. */
  async stand() {
    const still = el('img', { alt: '' });
    const name = `Play: ${this.prompt.textContent.slice(0, 60)}`;
    this.showOn(el('button', { type: 'button', class: 'play', 'aria-label': name, onclick: () => this.play(true) }, still, icon('play')));
    try {
      show(still, await (await call(`/v1/videos/${this.id}/content?variant=thumbnail`)).blob());
    } catch { /* A server behind this one may have no stills. */ }
  }

  showOn(screen) {
    if (this.screen.tagName === 'VIDEO') show(this.screen, null);
    this.screen.replaceWith(screen);
    this.screen = screen;
  }

  async play(begins = false) {
    try {
      const video = el('video', { controls: true, loop: true, muted: true, playsInline: true, 'aria-label': this.node.getAttribute('aria-label') });
      show(video, await this.content());
      this.showOn(video);
      if (begins) {
        video.focus();
        await video.play();
      }
    } catch (error) {
      this.status.textContent = error.message;
    }
  }

  async remove(wasOver) {
    try {
      await call(`/v1/videos/${this.id}`, { method: 'DELETE' });
      announce(wasOver ? 'The video is deleted.' : 'The video is cancelled.');
      await follow();
      keepFocus(at('video-prompt'));
    } catch (error) {
      this.status.textContent = error.message;
    }
  }
}

// MARK: - In code

function code() {
  const body = fields();
  if (!body.prompt) body.prompt = 'waves roll onto a beach';
  const files = at('video-file').files[0] ? { input_reference: 'first.png' } : {};
  const { model: name, prompt, size, seconds: length, ...rest } = body;
  return {
    curl: `${curlForm('/v1/videos', body, files)}\n\n# Later, with the id of the reply\ncurl ${base}/v1/videos/ID\ncurl -o video.mp4 ${base}/v1/videos/ID/content`,
    python: `${pyHead()}\nvideo = client.videos.create_and_poll(\n    model=${py(name ?? '')},\n    prompt=${py(prompt)},${size ? `\n    size=${py(size)},` : ''}${length ? `\n    seconds=${py(length)},` : ''}${Object.keys(rest).length ? `\n    extra_body=${py(rest, 4)},` : ''}\n)\nclient.videos.download_content(video.id).write_to_file("video.mp4")`,
    swift: `import Foundation\n${swiftHead()}var request = VideoGenerationRequest(${name ? `model: ${sw(name)}, ` : ''}${sw(prompt)})\n${size ? `request.size = ${swiftSize(size)}\n` : ''}`
      + swiftSet([['seconds', length && Number(length)], ['frames', body.num_frames], ['steps', body.num_inference_steps], ['guidanceScale', body.guidance_scale], ['seed', body.seed], ['negativePrompt', body.negative_prompt]])
      + `let job = try await client.videos.createAndPoll(request) { print($0.progress, "%") }\ntry await client.videos.content(job.id).save(to: URL(filePath: "video.mp4"))`,
  };
}
