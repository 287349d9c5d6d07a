// Chat: a conversation that streams, can be stopped, and takes pictures and sounds.
import { announce, at, button, dataURL, el, empty, fill, icon, keepFocus, notice, number, seconds, show, swap } from './dom.js';
import { call, events, modelsOf, offer, served, watch } from './api.js';
import { blocks } from './markdown.js';
import { attach, curl, fileName, inBase64, pyCall, pyHead, sw, swiftHead, swiftSet } from './snippets.js';
import { hush, speak } from './voices.js';

/** `{role, content}`; the conversation as the server gets it. Another list is another conversation. */
let messages = [];
/** Of a message of the user: where it stands on the page, and its files. */
const shown = new WeakMap();
/** What the welcome was made for. */
let greeted;
let attached = [];
let running = null;
let renewCode = () => {};

const ideas = ['Say hi in three languages.', 'Explain what a kettle does.', 'Write a haiku about rain.'];
const model = () => served.models.find((entry) => entry.id === at('chat-model').value);

export function start() {
  at('chat-form').addEventListener('submit', (event) => { event.preventDefault(); send(); });
  at('chat-text').addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); }
  });
  at('chat-stop').addEventListener('click', () => running?.abort());
  at('chat-new').addEventListener('click', () => { running?.abort(); hush(); messages = []; greet(); at('chat-text').focus(); });
  at('chat-attach').prepend(icon('picture'));
  at('chat-new').setAttribute('aria-label', 'New chat');
  at('chat-attach').addEventListener('click', () => at('chat-file').click());
  at('chat-file').addEventListener('change', () => { attached.push(...at('chat-file').files); at('chat-file').value = ''; showAttachments(); });
  at('chat-options').addEventListener('click', () => toggleOptions(true));
  at('chat-options-close').addEventListener('click', () => toggleOptions(false));
  const isOpen = () => at('chat-side').classList.contains('open');
  document.addEventListener('keydown', (event) => { if (event.key === 'Escape' && isOpen()) toggleOptions(false); });
  document.addEventListener('pointerdown', (event) => { if (isOpen() && !at('chat-side').contains(event.target)) toggleOptions(false); });
  for (const name of ['chat-temperature', 'chat-top-p']) at(name).addEventListener('input', () => { at(`${name}-value`).textContent = at(name).value; });
  renewCode = attach(at('chat-code'), code);
  at('chat-side').addEventListener('input', renewCode);
  at('chat-text').addEventListener('input', renewCode);
  at('chat-model').addEventListener('change', () => { showAbilities(); if (!messages.length) greet(); });
  watch(showModels);
  greet();
}

export const enter = () => { if (matchMedia('(min-width: 60rem)').matches) at('chat-text').focus(); };

function toggleOptions(open) {
  at('chat-side').classList.toggle('open', open);
  at('chat-options').setAttribute('aria-expanded', String(open));
  (open ? at('chat-model') : at('chat-options')).focus();
}

function showModels() {
  const able = modelsOf('text', 'image');
  offer(at('chat-model'), able);
  showAbilities();
  if (!messages.length && greeted !== welcome()) greet();
}

/** What the welcome depends on: it is not made anew, under somebody's focus, for less. */
const welcome = () => JSON.stringify([served.models.length, modelsOf('text', 'image').length, model()?.id]);

function showAbilities() {
  const inputs = model()?.input_modalities ?? [];
  const can = inputs.includes('image') || inputs.includes('audio');
  at('chat-attach').disabled = !can;
  at('chat-attach').title = can ? '' : 'This model reads text only';
  at('chat-file').accept = [inputs.includes('image') && 'image/*', inputs.includes('audio') && 'audio/*'].filter(Boolean).join(',');
  at('chat-read-aloud').disabled = !modelsOf('speech').length;
  renewCode();
}

function greet() {
  greeted = welcome();
  const log = at('chat-log');
  if (served.models.length && !modelsOf('text', 'image').length) {
    return fill(log, empty('box', 'No model here can chat', 'Start the server with a language model:', el('pre', { class: 'block', tabIndex: 0 }, 'omni serve smollm2-135m-instruct')));
  }
  fill(log, el('div', { class: 'welcome' }, el('h2', {}, 'What is on your mind?'), el('p', { class: 'muted' }, model()?.id ?? ' '),
    el('div', { class: 'chips centre' }, ...ideas.map((text) => el('button', { type: 'button', class: 'chip', onclick: () => { at('chat-text').value = text; send(); } }, text)))));
}

function showAttachments() {
  fill(at('chat-attachments'), attached.map((file, place) => el('span', { class: 'attachment' },
    file.type.startsWith('image/') ? show(el('img', { alt: '' }), file) : icon('sound'), el('span', {}, file.name),
    button('', () => { attached.splice(place, 1); showAttachments(); }, { kind: 'quiet icon', draw: 'close', label: `Remove ${file.name}` }))));
  renewCode();
}

// MARK: - The request

function parameters() {
  const body = { model: at('chat-model').value || undefined, temperature: Number(at('chat-temperature').value), top_p: Number(at('chat-top-p').value), max_tokens: number(at('chat-max')), seed: number(at('chat-seed')) };
  // A model that draws has no use for how tokens are chosen.
  if (model()?.kind === 'image') for (const name of ['temperature', 'top_p', 'max_tokens']) delete body[name];
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}

const withSystem = (list) => [...(at('chat-system').value.trim() ? [{ role: 'system', content: at('chat-system').value.trim() }] : []), ...list];

/** What a message says; `data` holds its files in base64. */
function content(text, files, data) {
  if (!files.length) return text;
  const parts = files.map((file, place) => {
    if (file.type.startsWith('image/')) return { type: 'image_url', image_url: { url: `data:${file.type};base64,${data[place]}` } };
    const format = file.type.includes('mpeg') ? 'mp3' : file.type.split(/[/;]/)[1].replace('x-', '');
    return { type: 'input_audio', input_audio: { data: data[place], format } };
  });
  return [...parts, { type: 'text', text }];
}

const base64 = async (file) => { const url = await dataURL(file); return url.slice(url.indexOf(',') + 1); };

async function send() {
  const text = at('chat-text').value.trim();
  if ((!text && !attached.length) || running) return;
  // From here on, before anything is waited for: a second Enter must not send the message twice.
  const [conversation, files, sending] = [messages, attached, new AbortController()];
  setRunning(sending);
  attached = [];
  showAttachments();
  at('chat-text').value = '';
  if (!messages.length) fill(at('chat-log'));
  let [data, fault] = [[], null];
  try {
    data = await Promise.all(files.map(base64));
  } catch (error) {
    fault = error;
  }
  if (fault || sending.signal.aborted) {
    setRunning(null);
    // Another conversation has begun meanwhile.
    if (conversation !== messages) return;
    // Stopped, or a file that cannot be read: the message is as it was before it was sent.
    if (!at('chat-text').value) at('chat-text').value = text;
    attached = [...files, ...attached];
    showAttachments();
    if (fault) at('chat-log').append(notice(Object.assign(new Error(fault.message), { title: 'A file cannot be read' })));
    return;
  }
  const message = { role: 'user', content: content(text, files, data) };
  messages.push(message);
  const node = el('article', { class: 'message user', 'aria-label': 'You' },
    files.length ? el('div', { class: 'media' }, ...files.map((file) => (file.type.startsWith('image/') ? show(el('img', { alt: file.name }), file) : el('span', { class: 'tag' }, file.name)))) : null,
    text ? el('div', { class: 'body', dir: 'auto' }, text) : null, el('p', { class: 'small muted unsent', hidden: true }, 'Not part of the conversation'));
  shown.set(message, { node, files });
  at('chat-log').append(node);
  await answer(sending);
}

/** Takes the last message out of the conversation, or back into it: one that was refused would be refused again with the next. */
function setSent(message, isSent) {
  if (isSent === messages.includes(message)) return;
  if (isSent) messages.push(message);
  else messages.pop();
  const node = shown.get(message)?.node.querySelector('.unsent');
  if (node) node.hidden = isSent;
}

async function answer(controller = new AbortController()) {
  const conversation = messages;
  const asked = messages.at(-1);
  const view = makeAnswer();
  // Only the last answer can be made again.
  for (const control of at('chat-log').querySelectorAll('.again')) control.remove();
  at('chat-log').append(view.node);
  scroll(true);
  setRunning(controller);
  const began = performance.now();
  const state = { text: '', reasoning: '', pictures: [], first: 0, usage: null, finish: null };
  try {
    const reply = await call('/v1/chat/completions', { signal: controller.signal, body: { ...parameters(), messages: withSystem(messages), stream: true, stream_options: { include_usage: true } } });
    for await (const { data, comment } of events(reply)) {
      if (comment) { view.progress(comment); continue; }
      take(data, state, began);
      view.update(state);
      scroll();
    }
    announce('The answer is complete.');
  } catch (error) {
    if (error.name === 'AbortError') state.finish = 'stopped';
    else {
      state.finish = 'failed';
      view.fail(error, () => {
        if (running || view.node !== at('chat-log').lastElementChild) return;
        if (state.text && messages.at(-1)?.content === state.text) messages.pop();
        setSent(asked, true);
        view.node.remove();
        answer();
      });
    }
  } finally {
    setRunning(null);
    view.finish(state, (performance.now() - began) / 1000);
    scroll();
  }
  // Another conversation has begun meanwhile.
  if (conversation !== messages) return;
  if (state.text) messages.push({ role: 'assistant', content: state.text });
  else if (['failed', 'stopped'].includes(state.finish)) setSent(asked, false);
  if (state.text && !['stopped', 'failed'].includes(state.finish) && at('chat-read-aloud').checked && modelsOf('speech').length) speak(state.text).catch(view.fail);
}

/** Adds a chunk to what has come. */
function take(data, state, began) {
  if (data.usage) state.usage = data.usage;
  const choice = data.choices?.[0];
  if (!choice) return;
  if (choice.finish_reason) state.finish = choice.finish_reason;
  const piece = choice.delta ?? {};
  if (!state.first && (piece.content || piece.reasoning)) state.first = performance.now() - began;
  if (typeof piece.content === 'string') state.text += piece.content;
  if (piece.reasoning) state.reasoning += piece.reasoning;
  if (Array.isArray(piece.content)) {
    for (const part of piece.content) {
      if (part.image_url?.url?.startsWith('data:image/')) state.pictures.push(part.image_url.url);
      if (part.text) state.text += part.text;
    }
  }
}

function setRunning(controller) {
  running = controller;
  swap([at('chat-send'), at('chat-stop')], () => {
    at('chat-send').hidden = Boolean(controller);
    at('chat-stop').hidden = !controller;
  });
  keepFocus(controller ? at('chat-stop') : at('chat-text'));
}

/** Follows the end, unless the reader has gone up to read. */
function scroll(always) {
  const box = at('chat-scroll');
  if (always || box.scrollHeight - box.scrollTop - box.clientHeight < 160) box.scrollTop = box.scrollHeight;
}

// MARK: - The answer on the page

function makeAnswer() {
  const reasoning = el('div', { class: 'reasoning', hidden: true });
  const prose = el('div', { class: 'prose caret', dir: 'auto' });
  const media = el('div', { class: 'media' });
  const status = el('p', { class: 'muted small' }, 'Thinking…');
  const foot = el('div', { class: 'foot' });
  const node = el('article', { class: 'message', 'aria-label': 'Answer' }, el('div', { class: 'who' }, at('chat-model').value), reasoning, status, prose, media, foot);
  let frame = 0;
  return {
    node,
    progress: (comment) => { status.textContent = comment.replace('denoise', 'Drawing, step').replace('_', ' '); },
    update(state) {
      if (frame) return;
      frame = requestAnimationFrame(() => {
        frame = 0;
        status.hidden = Boolean(state.text || state.pictures.length || state.reasoning);
        reasoning.hidden = !state.reasoning;
        reasoning.textContent = state.reasoning;
        fill(prose, blocks(state.text));
      });
    },
    fail(error, retry) { node.append(notice(error, retry)); },
    finish(state, took) {
      cancelAnimationFrame(frame);
      frame = 1;
      status.remove();
      prose.classList.remove('caret');
      reasoning.hidden = !state.reasoning;
      reasoning.textContent = state.reasoning;
      fill(prose, blocks(state.text));
      fill(media, state.pictures.map((url) => el('img', { src: url, alt: 'Picture drawn by the model', onload: () => scroll() })));
      fill(foot, actions(state, node, this.fail), el('span', { class: 'numbers' }, facts(state, took)));
    },
  };
}

function actions(state, node, fail) {
  if (!state.text) return [];
  let isHeard = false;
  const listen = button('Listen', async () => {
    if (isHeard) return hush();
    isHeard = true;
    listen.lastChild.textContent = 'Stop listening';
    await speak(state.text).catch((error) => fail(error));
    isHeard = false;
    listen.lastChild.textContent = 'Listen';
  }, { kind: 'quiet', draw: 'sound' });
  return [
    button('Copy', () => { navigator.clipboard.writeText(state.text); announce('Copied'); }, { kind: 'quiet', draw: 'copy' }),
    modelsOf('speech').length ? listen : null,
    button('Again', () => {
      if (running) return;
      messages.pop();
      node.remove();
      answer();
    }, { kind: 'quiet again', draw: 'retry' }),
  ];
}

function facts(state, took) {
  const parts = [];
  const count = state.usage?.completion_tokens;
  if (count && state.text) {
    parts.push(`${count} tokens`);
    const rest = took - state.first / 1000;
    if (count > 1 && rest > 0) parts.push(`${((count - 1) / rest).toFixed(0)} tokens/s`);
  }
  if (state.first && state.text) parts.push(`first after ${seconds(state.first / 1000)}`);
  if (state.pictures.length) parts.push(seconds(took));
  if (state.finish === 'length') parts.push('cut off at the most tokens');
  if (state.finish === 'stopped') parts.push('stopped');
  return parts.join(' · ');
}

// MARK: - In code

/** The message that the code sends: the one being written, else the last; its files by their names. */
function written() {
  const last = messages.findLast((message) => message.role === 'user');
  if (at('chat-text').value.trim() || attached.length || !last) return [at('chat-text').value.trim() || 'Say hi.', attached];
  return [typeof last.content === 'string' ? last.content : last.content.at(-1).text, shown.get(last)?.files ?? []];
}

function code() {
  const [plain, files] = written();
  const body = { ...parameters(), messages: withSystem([{ role: 'user', content: content(plain, files, files.map(inBase64)) }]), stream: true };
  const known = ['model', 'messages', 'temperature', 'top_p', 'max_tokens', 'seed', 'stream'];
  const system = at('chat-system').value.trim();
  return {
    curl: curl('/v1/chat/completions', body, { stream: true }),
    python: `${pyHead(files.length ? ['base64'] : [])}\n${pyCall('client.chat.completions.create', body, known, 'stream = ')}\nfor chunk in stream:\n    print(chunk.choices[0].delta.content or "", end="", flush=True)`,
    swift: `${files.length ? 'import Foundation\n' : ''}${swiftHead()}var request = ChatCompletionRequest(model: ${sw(body.model ?? '')}, [${system ? `.system(${sw(system)}), ` : ''}.user(${sw(plain)}${files.length ? `, attachments: [${files.map((file) => `try .file(URL(filePath: ${sw(fileName(file))}))`).join(', ')}]` : ''})])\n`
      + swiftSet([['sampling.temperature', body.temperature], ['sampling.topP', body.top_p], ['maxTokens', body.max_tokens], ['sampling.seed', body.seed]])
      + 'for try await chunk in try await client.chat.stream(request) {\n    print(chunk.text, terminator: "")\n}',
  };
}
