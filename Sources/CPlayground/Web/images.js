// Pictures: drawn from words, or changed; with previews while they form.
import { announce, at, bytes, button, el, empty, fill, fromBase64, notice, number, save, seconds, show as showIn, swap } from './dom.js';
import { call, events, json, modelsOf, offer, served, watch } from './api.js';
import { MaskCanvas } from './canvas.js';
import { attach, curl, curlForm, py, pyCall, pyHead, sw, swiftHead, swiftSet, swiftSize } from './snippets.js';

/** `{url, blob, name, about}` of every picture drawn here, the newest first. */
const pictures = [];
let source = null;
let running = null;
let mask;
let renewCode = () => {};
let pricing = 0;
/** The model whose own strength the slider was set to. */
let strengthOf = '';

const model = () => served.models.find((entry) => entry.id === at('picture-model').value);

export function start() {
  mask = new MaskCanvas(at('picture-paint'), at('paint-brush'), () => { at('paint-save').disabled = !mask.isPainted; renewCode(); });
  at('picture-form').addEventListener('submit', (event) => { event.preventDefault(); draw(); });
  at('picture-stop').addEventListener('click', () => running?.abort());
  at('picture-file').addEventListener('change', () => { if (at('picture-file').files[0]) startFrom(at('picture-file').files[0]); });
  at('paint-undo').addEventListener('click', () => mask.undo());
  at('paint-clear').addEventListener('click', () => mask.clear());
  at('paint-save').addEventListener('click', async () => save(await mask.file(), 'mask.png'));
  at('paint-remove').addEventListener('click', () => { at('picture-file').value = ''; startFrom(null); at('picture-prompt').focus(); });
  for (const name of ['paint-brush', 'picture-strength']) at(name).addEventListener('input', () => { at(`${name}-value`).textContent = at(name).value; });
  at('picture-model').addEventListener('change', showAbilities);
  renewCode = attach(at('picture-code'), code);
  at('picture-form').addEventListener('input', () => { renewCode(); showPrice(); });
  watch(showModels);
  showEasel();
}

function showModels() {
  const able = modelsOf('image');
  offer(at('picture-model'), able);
  at('picture-draw').disabled = !able.length;
  showAbilities();
  if (!pictures.length && !running) showEasel();
}

function showAbilities() {
  const image = model()?.image;
  if (image) {
    if (strengthOf !== model().id) {
      strengthOf = model().id;
      at('picture-strength-value').textContent = at('picture-strength').value = image.strength.default;
    }
    const [width, height] = image.default_size.split('x').map(Number);
    const shapes = [[1, 1], [1, 0.75], [0.75, 1], [0.5, 0.5]].map(([x, y]) => [x * width, y * height].map((side) => Math.max(image.size_multiple, Math.round(side / image.size_multiple) * image.size_multiple)).join('x'));
    fill(at('picture-sizes'), [...new Set(shapes)].map((value) => el('option', { value })));
    at('picture-size').placeholder = image.default_size;
    at('picture-steps').placeholder = image.num_inference_steps.default;
    at('picture-guidance').placeholder = image.guidance_scale.default;
  }
  showPrice();
  renewCode();
}

/** What a picture of this size takes, where the server tells. */
function showPrice() {
  clearTimeout(pricing);
  const size = at('picture-size').value.replace(/\s/g, '');
  if (!model()?.image) { at('picture-price').hidden = true; return; }
  pricing = setTimeout(async () => {
    let price = model()?.image?.memory[0];
    if (/^\d+x\d+$/.test(size)) {
      try {
        price = (await json(`/v1/capabilities?model=${encodeURIComponent(at('picture-model').value)}&size=${size}`)).data[0].image?.memory.find((entry) => entry.size === size);
      } catch { price = null; }
    }
    at('picture-price').hidden = !price;
    if (!price) return;
    const fits = !price.available_bytes || price.bytes <= price.available_bytes;
    at('picture-price').textContent = `Takes ${bytes(price.bytes)} of memory${price.available_bytes ? `; ${bytes(price.available_bytes)} are free` : ''}.${fits ? '' : ` ${price.largest_side}x${price.largest_side} would fit.`}`;
  }, 300);
}

// MARK: - Drawing

function fields() {
  const body = {
    model: at('picture-model').value || undefined, prompt: at('picture-prompt').value, size: at('picture-size').value.replace(/\s/g, '') || undefined,
    num_inference_steps: number(at('picture-steps')), negative_prompt: at('picture-negative').value || undefined, guidance_scale: number(at('picture-guidance')),
    seed: number(at('picture-seed')), n: number(at('picture-count')), output_format: at('picture-format').value,
  };
  if (body.n === 1) delete body.n;
  if (body.output_format === 'png') delete body.output_format;
  if (source) body.strength = Number(at('picture-strength').value);
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}

async function request() {
  const body = { ...fields(), stream: true, partial_images: 3 };
  if (!source) return call('/v1/images/generations', { body, signal: running.signal });
  const form = new FormData();
  for (const [name, value] of Object.entries(body)) form.append(name, String(value));
  form.append('image', source, 'picture.png');
  if (mask.isPainted) form.append('mask', await mask.file(), 'mask.png');
  return call('/v1/images/edits', { body: form, signal: running.signal });
}

async function draw() {
  if (running) return;
  running = new AbortController();
  setBusy(true);
  fill(at('picture-notice'));
  progress(0, 1, 'Waiting for its turn…');
  // In a narrow window the picture stands below the form.
  if (matchMedia('(max-width: 60rem)').matches) at('picture-view').scrollIntoView({ block: 'center' });
  const began = performance.now();
  const [prompt, format] = [at('picture-prompt').value, at('picture-format').value];
  let count = 0;
  try {
    for await (const { data, comment } of events(await request())) {
      if (comment) { note(comment); continue; }
      const blob = new Blob([fromBase64(data.b64_json)], { type: `image/${data.output_format === 'jpg' ? 'jpeg' : data.output_format}` });
      if (data.type.endsWith('.partial_image')) { show(blob, true, prompt); continue; }
      count += 1;
      pictures.unshift({ blob, name: `picture-${pictures.length + 1}.${format}`, about: `${data.size} · ${seconds((performance.now() - began) / 1000)}`, prompt });
      choose(0);
    }
    announce(count === 1 ? 'The picture is done.' : `${count} pictures are done.`);
  } catch (error) {
    if (error.name !== 'AbortError') fill(at('picture-notice'), notice(error, draw));
  } finally {
    running = null;
    setBusy(false);
    if (!count) pictures.length ? choose(0) : showEasel();
  }
}

function setBusy(isBusy) {
  swap([at('picture-draw'), at('picture-stop')], () => {
    at('picture-draw').disabled = isBusy || !modelsOf('image').length;
    at('picture-stop').hidden = !isBusy;
  });
  at('picture-progress').hidden = !isBusy;
}

/** `denoise 3/8`, as the stream's comments say it. */
function note(comment) {
  const found = comment.match(/^(\w+) (\d+)\/(\d+)$/);
  if (!found) return;
  const words = { encode_prompt: 'Encoding the prompt', encode_image: 'Looking at the picture', denoise: 'Drawing', decode: 'Decoding' };
  const [step, steps] = [Number(found[2]), Number(found[3])];
  progress(step, steps, `${words[found[1]] ?? found[1]}${steps > 1 ? `, step ${step} of ${steps}` : ''}`);
}

function progress(value, max, text) {
  const bar = at('picture-progress').querySelector('progress');
  [bar.max, bar.value] = [max, value];
  at('picture-progress-text').textContent = text;
}

// MARK: - What is seen

function showEasel() {
  if (served.models.length && !modelsOf('image').length) {
    return fill(at('picture-view'), empty('picture', 'No model here draws', 'Start the server with an image model, for example:', el('pre', { class: 'block', tabIndex: 0 }, 'omni models pull Tongyi-MAI/Z-Image-Turbo\nomni serve Tongyi-MAI/Z-Image-Turbo')));
  }
  fill(at('picture-view'), empty('picture', 'Nothing drawn yet', 'Say what you would like to see. Previews show while it forms.'));
}

function show(blob, isForming, about) {
  const image = el('img', { alt: isForming ? `A preview of: ${about}` : about || 'A picture', class: isForming ? 'forming' : '' });
  showIn(image, blob);
  // The next preview takes its place only once it can be seen.
  image.decode().then(() => { fill(at('picture-view'), image); }, () => {});
}

function choose(place) {
  const picture = pictures[place];
  show(picture.blob, false, picture.prompt);
  at('picture-actions').hidden = false;
  fill(at('picture-actions'), el('span', { class: 'small muted numbers' }, picture.about),
    button('Download', () => save(picture.blob, picture.name), { kind: 'quiet', draw: 'save' }),
    button('Change this picture', () => { startFrom(picture.blob); at('picture-prompt').focus(); }, { kind: 'quiet', draw: 'edit' }));
  const isWithin = at('picture-strip').contains(document.activeElement);
  fill(at('picture-strip'), pictures.length > 1 ? pictures.map((entry, index) => el('button', { type: 'button', 'aria-pressed': String(index === place), 'aria-label': `Show picture ${pictures.length - index}: ${entry.prompt.slice(0, 60)}`, onclick: () => choose(index) }, showIn(el('img', { alt: '' }), entry.blob))) : []);
  if (isWithin) at('picture-strip').children[place]?.focus({ preventScroll: true });
}

async function startFrom(file) {
  source = file;
  at('picture-edit').hidden = !file;
  at('picture-draw').textContent = file ? 'Change it' : 'Draw';
  if (!file) return mask.remove();
  try {
    await mask.show(file);
  } catch {
    at('picture-file').value = '';
    startFrom(null);
    fill(at('picture-notice'), notice(Object.assign(new Error('The browser cannot read this file as a picture. Use PNG, JPEG or WebP.'), { title: 'No picture' })));
  }
}

// MARK: - In code

function code() {
  const body = fields();
  if (!body.prompt) body.prompt = 'a cup of coffee on a table';
  const swiftLines = (type) => `${swiftHead()}var request = ${type}(${body.model ? `model: ${sw(body.model)}, ` : ''}${sw(body.prompt)})\n${body.size ? `request.size = ${swiftSize(body.size)}\n` : ''}`
    + swiftSet([['n', body.n], ['drawing.steps', body.num_inference_steps], ['drawing.guidanceScale', body.guidance_scale], ['drawing.negativePrompt', body.negative_prompt], ['drawing.seed', body.seed], ['strength', body.strength]]);
  const saving = `try reply.data[0].bytes?.write(to: URL(filePath: "picture.${body.output_format ?? 'png'}"))`;
  const ending = body.output_format ?? 'png';
  const write = `\nfor index, picture in enumerate(reply.data, 1):\n    open(f"picture-{index}.${ending}", "wb").write(base64.b64decode(picture.b64_json))`;
  if (source) {
    const files = { image: 'picture.png', ...(mask.isPainted ? { mask: 'mask.png' } : {}) };
    const { prompt, ...rest } = body;
    return {
      curl: curlForm('/v1/images/edits', body, files),
      python: `${pyHead(['base64'])}\nreply = client.images.edit(\n    image=open("picture.png", "rb"),${mask.isPainted ? '\n    mask=open("mask.png", "rb"),' : ''}\n    prompt=${py(prompt)},\n    extra_body=${py(rest, 4)},\n)${write}`,
      swift: `import Foundation\n${swiftLines('ImageEditRequest')}let reply = try await client.images.edit(request, EditInputs(.file("picture.png")${mask.isPainted ? ', mask: .file("mask.png")' : ''}))\n${saving}`,
    };
  }
  return {
    // The file itself; of several, a zip.
    curl: curl('/v1/images/generations', { ...body, response_format: 'file' }, { out: body.n > 1 ? 'pictures.zip' : `picture.${ending}` }),
    python: `${pyHead(['base64'])}\n${pyCall('client.images.generate', body, ['model', 'prompt', 'size', 'n', 'output_format'], 'reply = ')}${write}`,
    swift: `import Foundation\n${swiftLines('ImageGenerationRequest')}let reply = try await client.images.generate(request)\n${saving}`,
  };
}
